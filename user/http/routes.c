#include "http/routes.h"
#include <stdio.h>
#include <string.h>

#define ROUTE(name) &route_##name,
const struct route *const routes[ROUTE_COUNT] = {ROUTE_ROWS(ROUTE)};
#undef ROUTE

size_t route_place(const struct route *route)
{
    size_t i = 0;

    while (i < ROUTE_COUNT && routes[i] != route)
        i++;
    return i;
}

static void add_method(char allow[64], const char *method)
{
    size_t len = strlen(allow);

    snprintf(allow + len, 64 - len, "%s%s%s", len ? ", " : "", method,
             strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

const char *route_param(const struct route *route)
{
    return strchr(route->path, '{');
}

static bool path_matches(const struct route *route, const char *path, char param[ROUTE_PARAM_BYTES])
{
    const char *brace = route_param(route), *rest;
    size_t before, len;

    *param = '\0';
    if (!brace)
        return strcmp(route->path, path) == 0;
    before = (size_t)(brace - route->path);
    if (strncmp(route->path, path, before) != 0)
        return false;
    len = strcspn(path + before, "/");
    rest = strchr(brace, '}') + 1;
    if (len == 0 || len >= ROUTE_PARAM_BYTES || strcmp(rest, path + before + len) != 0)
        return false;
    memcpy(param, path + before, len);
    param[len] = '\0';
    return true;
}

enum route_match route_find(const char *method, const char *path, const struct route **ret,
                            char allow[64], char param[ROUTE_PARAM_BYTES])
{
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    enum route_match match = ROUTE_NO_PATH;

    *allow = '\0';
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!path_matches(routes[i], path, param))
            continue;
        if (strcmp(routes[i]->method, wanted) == 0) {
            *ret = routes[i];
            return ROUTE_FOUND;
        }
        match = ROUTE_NO_METHOD;
        add_method(allow, routes[i]->method);
    }
    return match;
}
