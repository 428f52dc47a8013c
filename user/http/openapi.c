/* GET /openapi.json: the routes and the tables of their bodies, as OpenAPI 3.1. */
#include "http/error.h"
#include "http/routes.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char about[] =
    "Times are RFC 3339 in UTC, durations `_seconds`, shares `_percent` 0..100. A scalar or an "
    "object that is not known is null, and KEY_reason beside it says why; a list is always a list, "
    "and KEY_reason beside it says why it is empty or incomplete. KEY_reason is absent when the "
    "value is known. Beside an unknown number KEY_stale may stand: its last known value and the "
    "age "
    "of that.";

/* Answers that any route of a role may give. */
static const struct {
    const char *status, *description;
    enum role from_role;
} refusals[] = {
    {"401", "No token, or one that is not known", ROLE_VIEWER},
    {"403", "The token's role is too low", ROLE_VIEWER},
};

static cJSON *ref_to(const struct field_table *table, cJSON *schemas)
{
    char ref[96];
    cJSON *out = cJSON_CreateObject();

    snprintf(ref, sizeof(ref), "#/components/schemas/%s", table->name);
    cJSON_AddStringToObject(out, "$ref", ref);
    if (!cJSON_GetObjectItemCaseSensitive(schemas, table->name))
        cJSON_AddItemToObject(schemas, table->name, fields_schema(table, schemas));
    return out;
}

static void add_media(cJSON *content, const char *type, cJSON *schema)
{
    char name[64];

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(type, ";"), type);
    cJSON_AddItemToObject(cJSON_AddObjectToObject(content, name), "schema", schema);
}

static cJSON *text_schema(const struct route *route)
{
    cJSON *schema = cJSON_CreateObject();

    cJSON_AddStringToObject(schema, "type", strcmp(route->type, ROUTE_JSON) ? "string" : "object");
    return schema;
}

static cJSON *body_schema(const struct route *route, cJSON *schemas)
{
    cJSON *schema, *any;

    if (!route->table)
        return text_schema(route);
    if (!route->reduced)
        return ref_to(route->table, schemas);
    schema = cJSON_CreateObject();
    any = cJSON_AddArrayToObject(schema, "anyOf");
    cJSON_AddItemToArray(any, ref_to(route->table, schemas));
    cJSON_AddItemToArray(any, ref_to(route->reduced, schemas));
    return schema;
}

static cJSON *add_answer(cJSON *answers, const char *status, const char *description)
{
    cJSON *answer = cJSON_AddObjectToObject(answers, status);

    cJSON_AddStringToObject(answer, "description", description);
    return cJSON_AddObjectToObject(answer, "content");
}

static void add_answers(cJSON *answers, const struct route *route, cJSON *schemas)
{
    cJSON *content = add_answer(answers, "200", route->answer);

    add_media(content, route->type, body_schema(route, schemas));
    if (route->type_alternative)
        add_media(content, route->type_alternative, text_schema(route));
    if (route->reduced)
        add_media(add_answer(answers, "503", "The same body: the host is unhealthy"), ROUTE_JSON,
                  body_schema(route, schemas));
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (route->role >= refusals[i].from_role)
            add_media(add_answer(answers, refusals[i].status, refusals[i].description), ROUTE_JSON,
                      ref_to(&error_table, schemas));
    if (route->needs_sample)
        add_media(add_answer(answers, "503", "Nothing was sampled yet"), ROUTE_JSON,
                  ref_to(&error_table, schemas));
    if (route->finds)
        add_media(add_answer(answers, "404", "There is none of that name"), ROUTE_JSON,
                  ref_to(&error_table, schemas));
    if (route->takes || route->queries)
        add_media(add_answer(answers, "400",
                             route->takes ? "The body is not what is taken here"
                                          : "A parameter of the query is not what is taken here"),
                  ROUTE_JSON, ref_to(&error_table, schemas));
    if (route->acts)
        add_media(add_answer(answers, "422", "Refused: what was in force stays in force"),
                  ROUTE_JSON, ref_to(&error_table, schemas));
}

static void add_path_parameter(cJSON *parameters, const char *brace)
{
    cJSON *parameter = cJSON_CreateObject();
    char name[ROUTE_PARAM_BYTES];

    snprintf(name, sizeof(name), "%.*s", (int)strcspn(brace + 1, "}"), brace + 1);
    cJSON_AddStringToObject(parameter, "name", name);
    cJSON_AddStringToObject(parameter, "in", "path");
    cJSON_AddTrueToObject(parameter, "required");
    cJSON_AddStringToObject(cJSON_AddObjectToObject(parameter, "schema"), "type", "string");
    cJSON_AddItemToArray(parameters, parameter);
}

static void add_query_parameter(cJSON *parameters, const struct route_query *query)
{
    cJSON *parameter = cJSON_CreateObject(), *schema, *choices;

    cJSON_AddStringToObject(parameter, "name", query->name);
    cJSON_AddStringToObject(parameter, "in", "query");
    cJSON_AddStringToObject(parameter, "description", query->about);
    schema = cJSON_AddObjectToObject(parameter, "schema");
    cJSON_AddStringToObject(schema, "type", query->type);
    choices = query->choices ? cJSON_AddArrayToObject(schema, "enum") : NULL;
    for (size_t i = 0; choices && query->choices[i]; i++)
        cJSON_AddItemToArray(choices, cJSON_CreateString(query->choices[i]));
    cJSON_AddItemToArray(parameters, parameter);
}

static void add_parameters(cJSON *operation, const struct route *route)
{
    cJSON *parameters;

    if (!route_param(route) && !route->queries)
        return;
    parameters = cJSON_AddArrayToObject(operation, "parameters");
    if (route_param(route))
        add_path_parameter(parameters, route_param(route));
    for (const struct route_query *query = route->queries; query && query->name; query++)
        add_query_parameter(parameters, query);
}

static void add_input(cJSON *operation, const struct route *route, cJSON *schemas)
{
    cJSON *body;

    add_parameters(operation, route);
    if (!route->takes)
        return;
    body = cJSON_AddObjectToObject(operation, "requestBody");
    cJSON_AddFalseToObject(body, "required");
    add_media(cJSON_AddObjectToObject(body, "content"), ROUTE_JSON, ref_to(route->takes, schemas));
}

static void add_route(cJSON *paths, const struct route *route, cJSON *schemas)
{
    cJSON *path = cJSON_GetObjectItemCaseSensitive(paths, route->path), *operation;
    char method[8];
    size_t i;

    if (!path)
        path = cJSON_AddObjectToObject(paths, route->path);
    for (i = 0; route->method[i] && i + 1 < sizeof(method); i++)
        method[i] = (char)tolower((unsigned char)route->method[i]);
    method[i] = '\0';
    operation = cJSON_AddObjectToObject(path, method);
    cJSON_AddStringToObject(operation, "operationId", route->id);
    cJSON_AddStringToObject(operation, "summary", route->summary);
    cJSON_AddStringToObject(operation, "x-role", role_name(route->role));
    if (route->role > ROLE_PUBLIC) {
        cJSON *need = cJSON_CreateObject();

        cJSON_AddArrayToObject(need, "bearer");
        cJSON_AddItemToArray(cJSON_AddArrayToObject(operation, "security"), need);
    }
    add_input(operation, route, schemas);
    add_answers(cJSON_AddObjectToObject(operation, "responses"), route, schemas);
}

static void add_head(cJSON *out)
{
    cJSON *info;

    cJSON_AddStringToObject(out, "openapi", "3.1.0");
    info = cJSON_AddObjectToObject(out, "info");
    cJSON_AddStringToObject(info, "title", "Moonwatch");
    cJSON_AddStringToObject(info, "version", MOONWATCH_VERSION);
    cJSON_AddStringToObject(info, "description", about);
}

static void add_security(cJSON *components)
{
    cJSON *bearer =
        cJSON_AddObjectToObject(cJSON_AddObjectToObject(components, "securitySchemes"), "bearer");

    cJSON_AddStringToObject(bearer, "type", "http");
    cJSON_AddStringToObject(bearer, "scheme", "bearer");
    cJSON_AddStringToObject(
        bearer, "description",
        "Without auth.tokens_file the agent listens on loopback only, where the viewer's routes "
        "need no token and the admin's need the one in RUNTIME_DIRECTORY/admin.token.");
}

static int body_openapi(const struct body_env *env, struct body *ret)
{
    cJSON *out = cJSON_CreateObject(), *paths, *components, *schemas;

    (void)env;
    if (!out)
        return -ENOMEM;
    add_head(out);
    paths = cJSON_AddObjectToObject(out, "paths");
    components = cJSON_AddObjectToObject(out, "components");
    schemas = cJSON_AddObjectToObject(components, "schemas");
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        add_route(paths, routes[i], schemas);
    add_security(components);
    return body_print(ret, 200, out);
}

const struct route route_openapi = {
    .method = "GET",
    .path = "/openapi.json",
    .role = ROLE_PUBLIC,
    .body = body_openapi,
    .type = ROUTE_JSON,
    .id = "openapi",
    .summary = "This description",
    .answer = "An OpenAPI 3.1 document",
};
