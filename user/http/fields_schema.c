#include "http/fields.h"
#include <stdio.h>

/* How each kind reads in a schema. */
static const struct {
    const char *type, *format;
    bool nullable; /* may be null by itself, not only with the whole object */
} kinds[FIELD_KIND_COUNT] = {
    [FIELD_READING] = {"number", NULL, true},   [FIELD_DOUBLE] = {"number", NULL, true},
    [FIELD_U64] = {"integer", NULL, false},     [FIELD_U32] = {"integer", NULL, false},
    [FIELD_I32] = {"integer", NULL, false},     [FIELD_BOOL] = {"boolean", NULL, false},
    [FIELD_CHARS] = {"string", NULL, false},    [FIELD_STRING] = {"string", NULL, false},
    [FIELD_TEXT] = {"string", NULL, false},     [FIELD_TIME] = {"string", "date-time", false},
    [FIELD_DURATION] = {"number", NULL, false}, [FIELD_STATUS] = {"string", NULL, false},
    [FIELD_LABELS] = {"object", NULL, false},   [FIELD_STRINGS] = {"string", NULL, false},
    [FIELD_REASONS] = {"string", NULL, false},
};

static void add_ref(cJSON *out, const struct field_table *table, cJSON *schemas)
{
    char ref[96];

    snprintf(ref, sizeof(ref), "#/components/schemas/%s", table->name);
    cJSON_AddStringToObject(out, "$ref", ref);
    if (!cJSON_GetObjectItemCaseSensitive(schemas, table->name)) {
        /* Reserves the name first: a table may lead back to itself. */
        cJSON_AddNullToObject(schemas, table->name);
        cJSON_ReplaceItemInObjectCaseSensitive(schemas, table->name, fields_schema(table, schemas));
    }
}

static void add_type(cJSON *out, const char *type, bool nullable)
{
    if (nullable)
        cJSON_AddItemToObject(out, "type",
                              cJSON_CreateStringArray((const char *const[]){type, "null"}, 2));
    else
        cJSON_AddStringToObject(out, "type", type);
}

static void add_choices(cJSON *out, const char *const *choices, bool nullable)
{
    cJSON *list = cJSON_AddArrayToObject(out, "enum");

    for (size_t i = 0; choices[i]; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(choices[i]));
    if (nullable)
        cJSON_AddItemToArray(list, cJSON_CreateNull());
}

static void add_status_choices(cJSON *out)
{
    const char *names[STATUS_COUNT + 1] = {NULL};

    for (int s = 0; s < STATUS_COUNT; s++)
        names[s] = status_name(s);
    add_choices(out, names, false);
}

static void describe(cJSON *out, const struct field *f, bool nullable, cJSON *schemas)
{
    const struct field_table *table = f->kind == FIELD_LATENCY ? &latency_table : f->table;

    if (field_is_list(f)) {
        cJSON *items;

        cJSON_AddStringToObject(out, "type", "array");
        items = cJSON_AddObjectToObject(out, "items");
        if (table)
            add_ref(items, table, schemas);
        else
            cJSON_AddStringToObject(items, "type", kinds[f->kind].type);
    } else if (table && nullable) {
        cJSON *any = cJSON_AddArrayToObject(out, "anyOf"), *object = cJSON_CreateObject(),
              *null = cJSON_CreateObject();

        add_ref(object, table, schemas);
        cJSON_AddStringToObject(null, "type", "null");
        cJSON_AddItemToArray(any, object);
        cJSON_AddItemToArray(any, null);
    } else if (table) {
        add_ref(out, table, schemas);
    } else {
        add_type(out, kinds[f->kind].type, nullable);
        if (kinds[f->kind].format)
            cJSON_AddStringToObject(out, "format", kinds[f->kind].format);
        if (f->choices)
            add_choices(out, f->choices, nullable);
        if (f->kind == FIELD_LABELS)
            cJSON_AddStringToObject(cJSON_AddObjectToObject(out, "additionalProperties"), "type",
                                    "string");
        if (f->kind == FIELD_STATUS)
            add_status_choices(out);
    }
    if (f->about)
        cJSON_AddStringToObject(out, "description", f->about);
}

/* What a value was that is not known now; there only if it was known in the last hour. */
static void add_stale(cJSON *properties, const char *key)
{
    cJSON *stale, *numbers;
    char name[96];

    snprintf(name, sizeof(name), "%s_stale", key);
    stale = cJSON_AddObjectToObject(properties, name);
    cJSON_AddStringToObject(stale, "type", "object");
    numbers = cJSON_AddObjectToObject(stale, "properties");
    cJSON_AddStringToObject(cJSON_AddObjectToObject(numbers, "value"), "type", "number");
    cJSON_AddStringToObject(cJSON_AddObjectToObject(numbers, "age_seconds"), "type", "number");
    cJSON_AddItemToObject(
        stale, "required",
        cJSON_CreateStringArray((const char *const[]){"value", "age_seconds"}, 2));
}

static void add_properties(cJSON *properties, cJSON *required, const struct field_table *table,
                           bool missing, cJSON *schemas)
{
    missing = missing || table->missing_at;
    for (size_t i = 0; i < table->count; i++) {
        const struct field *f = &table->fields[i];
        bool whole = (missing || f->missing_at) && !f->identity;
        bool nullable = whole || f->unknown || kinds[f->kind].nullable;
        char reason[96];

        if (f->kind == FIELD_MERGE) {
            add_properties(properties, required, f->table, missing || f->missing_at, schemas);
            continue;
        }
        if (!f->key)
            continue;
        describe(cJSON_AddObjectToObject(properties, f->key), f, nullable, schemas);
        if (!f->optional)
            cJSON_AddItemToArray(required, cJSON_CreateString(f->key));
        if (!nullable)
            continue;
        if (f->kind == FIELD_READING)
            add_stale(properties, f->key);
        snprintf(reason, sizeof(reason), "%s_reason", f->key);
        cJSON_AddStringToObject(cJSON_AddObjectToObject(properties, reason), "type", "string");
    }
}

cJSON *fields_schema(const struct field_table *table, cJSON *schemas)
{
    cJSON *out = cJSON_CreateObject(), *properties, *required;

    if (!out)
        return NULL;
    cJSON_AddStringToObject(out, "type", "object");
    if (table->about)
        cJSON_AddStringToObject(out, "description", table->about);
    properties = cJSON_AddObjectToObject(out, "properties");
    required = cJSON_AddArrayToObject(out, "required");
    add_properties(properties, required, table, false, schemas);
    cJSON_AddFalseToObject(out, "additionalProperties");
    return out;
}
