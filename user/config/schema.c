/* The JSON Schema, for editors and for people who check files without the agent. What no single key
 * can tell (warning below critical, unique names) only the agent checks. */
#include "config/document.h"
#include "config/key.h"

static void write_table(struct text *out, const struct key_table *table, unsigned depth);

static void line(struct text *out, unsigned depth)
{
    text_add_char(out, '\n');
    while (depth--)
        text_add(out, "  ");
}

static void member(struct text *out, unsigned depth, const char *name)
{
    text_add_char(out, ',');
    line(out, depth);
    text_printf(out, "\"%s\": ", name);
}

static void write_choices(struct text *out, const struct key *key)
{
    size_t i;

    text_add_char(out, '[');
    for (i = 0; key->choices[i]; i++)
        text_printf(out, "%s\"%s\"", i ? ", " : "", key->choices[i]);
    text_add_char(out, ']');
}

/* null stands for "not given" where there is no default, see reader.c. */
static bool nullable(const struct key *key)
{
    return !key->initial && !key->required && !key->inherits;
}

static void write_type(struct text *out, const struct key *key)
{
    static const char *const names[] = {
        [KEY_BOOL] = "boolean",  [KEY_NUMBER] = "number", [KEY_WHOLE] = "integer",
        [KEY_STRING] = "string", [KEY_CHOICE] = "string", [KEY_FLAGS] = "array",
        [KEY_STRINGS] = "array", [KEY_MAP] = "object",    [KEY_OBJECT] = "object",
        [KEY_LIST] = "array",
    };
    const char *other = key->or_one         ? "string"
                        : key->or_whole     ? "integer"
                        : key->short_string ? "string\", \"integer"
                                            : NULL;

    if (!other && !nullable(key)) {
        text_printf(out, "\"%s\"", names[key->type]);
        return;
    }
    text_printf(out, "[\"%s\"", names[key->type]);
    if (other)
        text_printf(out, ", \"%s\"", other);
    if (nullable(key))
        text_add(out, ", \"null\"");
    text_add_char(out, ']');
}

static void write_range(struct text *out, const struct key *key, unsigned depth)
{
    member(out, depth, key->above_minimum ? "exclusiveMinimum" : "minimum");
    text_add_double(out, key->minimum);
    member(out, depth, "maximum");
    text_add_double(out, key->maximum);
}

static void write_description(struct text *out, const struct key *key, unsigned depth)
{
    struct text description;

    text_init(&description, 1024);
    if (key->add_users)
        key->add_users(&description, key);
    text_add(&description, key->doc);
    if (key->format && key->type != KEY_MAP)
        text_printf(&description, ". Allowed: %s", key->format->allowed);
    if (key->power_of_2)
        text_add(&description, ". A power of two");
    if (key->unit)
        text_printf(&description, ". Unit: %s", key->unit);
    if (key->inherits)
        text_printf(&description, ". Default: as %s", key->inherits);
    if (key->environment)
        text_printf(&description, ". Environment: %s", key->environment);
    if (key->later)
        text_add(&description, ". Not in this version");
    for (size_t i = 0; key->later_choices && key->later_choices[i]; i++)
        text_printf(&description, "%s%s",
                    i ? ", " : ". Not in this version: ", key->later_choices[i]);
    member(out, depth, "description");
    text_add_json_string(out, description.data, description.len);
    text_free(&description);
}

static void write_key(struct text *out, const struct key *key, unsigned depth)
{
    text_printf(out, "\"%s\": {", key->name);
    line(out, depth + 1);
    text_add(out, "\"type\": ");
    write_type(out, key);
    write_description(out, key, depth + 1);
    if (key->initial) {
        member(out, depth + 1, "default");
        text_add(out, key->initial);
    }
    switch (key->type) {
    case KEY_NUMBER:
    case KEY_WHOLE:
        write_range(out, key, depth + 1);
        break;
    case KEY_CHOICE:
        member(out, depth + 1, "enum");
        write_choices(out, key);
        break;
    case KEY_FLAGS:
        member(out, depth + 1, "items");
        text_add(out, "{\"enum\": ");
        write_choices(out, key);
        text_add_char(out, '}');
        break;
    case KEY_STRINGS:
        member(out, depth + 1, "items");
        text_add(out, "{\"type\": \"string\"}");
        if (key->minimum > 0) {
            member(out, depth + 1, "minItems");
            text_add_double(out, key->minimum);
        }
        break;
    case KEY_MAP:
        member(out, depth + 1, "additionalProperties");
        text_add(out, key->any_json ? "true" : "{\"type\": \"string\"}");
        break;
    case KEY_OBJECT:
        text_add_char(out, ',');
        line(out, depth + 1);
        write_table(out, key->table, depth + 1);
        break;
    case KEY_LIST:
        member(out, depth + 1, "items");
        text_add_char(out, '{');
        line(out, depth + 2);
        text_add(out, "\"type\": \"object\",");
        line(out, depth + 2);
        write_table(out, key->table, depth + 2);
        line(out, depth + 1);
        text_add_char(out, '}');
        break;
    case KEY_BOOL:
    case KEY_STRING:
        break;
    }
    line(out, depth);
    text_add_char(out, '}');
}

/* The members that describe an object with these keys. */
static void write_table(struct text *out, const struct key_table *table, unsigned depth)
{
    size_t i;
    bool any = false;

    text_add(out, "\"additionalProperties\": false,");
    for (i = 0; i < table->count; i++) {
        if (!table->keys[i].required)
            continue;
        if (!any) {
            line(out, depth);
            text_add(out, "\"required\": [");
        }
        text_printf(out, "%s\"%s\"", any ? ", " : "", table->keys[i].name);
        any = true;
    }
    if (any)
        text_add(out, "],");
    line(out, depth);
    text_add(out, "\"properties\": {");
    for (i = 0; i < table->count; i++) {
        if (i)
            text_add_char(out, ',');
        line(out, depth + 1);
        write_key(out, &table->keys[i], depth + 1);
    }
    line(out, depth);
    text_add_char(out, '}');
}

void config_schema(struct text *out)
{
    text_add(out, "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n"
                  "  \"title\": \"Moonwatch configuration\",\n"
                  "  \"type\": \"object\",\n  ");
    write_table(out, &config_table, 1);
    text_add(out, "\n}\n");
}
