/* The configuration reference of config/README.md. */
#include "config/document.h"
#include "config/key.h"
#include "config/reader.h"
#include <stdio.h>

#define PATH_BYTES 128

/* A cell of a Markdown table: a bar would end it. */
static void write_cell(struct text *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '|')
            text_add_char(out, '\\');
        text_add_char(out, *s);
    }
}

static void write_row(struct text *out, const struct key *key, const char *path, bool later)
{
    struct text allowed;

    text_init(&allowed, 512);
    key_describe(key, &allowed);
    text_printf(out, "| `%s` | ", path);
    write_cell(out, allowed.data ? allowed.data : "");
    if (key->required)
        text_add(out, " | required | ");
    else if (key->initial)
        text_printf(out, " | `%s` | ", key->initial);
    else if (key->inherits)
        text_printf(out, " | as `%s` | ", key->inherits);
    else
        text_add(out, " | | ");
    if (key->environment)
        text_printf(out, "`%s` ", key->environment);
    text_add(out, "| ");
    if (key->add_users)
        key->add_users(out, key);
    write_cell(out, key->doc);
    if (later)
        text_add(out, " (not in this version)");
    for (size_t i = 0; key->later_choices && key->later_choices[i]; i++)
        text_printf(out, "%s`%s`%s", i ? ", " : " (not in this version: ", key->later_choices[i],
                    key->later_choices[i + 1] ? "" : ")");
    text_add(out, key->at_start ? " (read at the start) |\n" : " |\n");
    text_free(&allowed);
}

/* Objects are written in line ("thresholds.cpu_warning"), the elements of lists too
 * ("rules[].name").
 */
static void write_rows(struct text *out, const struct key_table *table, const char *prefix,
                       bool later)
{
    char path[PATH_BYTES], inner[PATH_BYTES + 4];
    size_t i;

    for (i = 0; i < table->count; i++) {
        const struct key *key = &table->keys[i];

        snprintf(path, sizeof(path), "%s%s", prefix, key->name);
        write_row(out, key, path, later || key->later);
        if (key->table) {
            snprintf(inner, sizeof(inner), "%s%s.", path, key->type == KEY_LIST ? "[]" : "");
            write_rows(out, key->table, inner, later || key->later);
        }
    }
}

void config_reference(struct text *out)
{
    size_t i;

    for (i = 0; i < config_table.count; i++) {
        const struct key *key = &config_table.keys[i];

        if (!key->table)
            continue;
        text_printf(out, "%s#### `%s`\n\n%s.\n\n", i > 1 ? "\n" : "", key->name, key->doc);
        text_add(out, "| key | allowed | default | environment | what it does |\n"
                      "|---|---|---|---|---|\n");
        write_rows(out, key->table, key->type == KEY_LIST ? "[]." : "", key->later);
    }
}
