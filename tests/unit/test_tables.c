/* What the rows of the figures say of them holds together. */
#include "facts/field.h"
#include "facts/metrics.h"
#include "health/health.h"
#include "http/fields.h"
#include "http/routes.h"
#include "program.h"
#include <string.h>

static bool is_check(const char *name)
{
    const char *known;

    for (size_t i = 0; (known = health_check_name(i)); i++)
        if (strcmp(known, name) == 0)
            return true;
    return false;
}

static bool is_number_at(const struct field_rows *rows, size_t offset)
{
    for (size_t i = 0; i < rows->count; i++)
        if (rows->fields[i].offset == offset && rows->fields[i].kind <= FIELD_U64)
            return true;
    return false;
}

static bool is_called(const struct field *f, const char *name)
{
    return (f->key && strcmp(f->key, name) == 0) ||
           (f->metric.name && strcmp(f->metric.name, name) == 0);
}

/* The row that it follows on the page, which leads to one that follows none. One row alone: it
 * would stand on the page behind each of its name. */
static bool has_a_place(const struct field_rows *rows, const struct field *f)
{
    const struct field *last = f;

    for (size_t steps = 0; last->after && steps < rows->count; steps++) {
        const struct field *before = NULL;
        size_t count = 0;

        for (size_t i = 0; i < rows->count; i++)
            if (is_called(&rows->fields[i], last->after)) {
                before = &rows->fields[i];
                count++;
            }
        if (count != 1)
            return false;
        last = before;
    }
    return !last->after;
}

static const char *name_of(const struct field *f)
{
    return f->key ? f->key : f->metric.name ? f->metric.name : "a row without a name";
}

static void look_at_rows(void *ctx, const struct field_rows *rows)
{
    size_t *told = ctx;

    for (size_t i = 0; i < rows->count; i++) {
        const struct field *f = &rows->fields[i];
        bool forecast = f->limit > 0 || f->limit_at || f->runs_out;

        if (f->judged && !is_check(f->judged))
            fail_msg("%s is judged by %s, which is no check", name_of(f), f->judged);
        if ((f->watched || forecast) && !f->metric.name)
            fail_msg("%s is watched or forecast, and has no series", name_of(f));
        if (f->limit_at && !is_number_at(rows, f->limit_at - 1))
            fail_msg("the limit of %s is no number of its table", name_of(f));
        if (f->metric.name && strncmp(f->metric.name, "moonwatch_", 10) != 0)
            fail_msg("%s is not called moonwatch_*", f->metric.name);
        if (f->metric.name && (!f->metric.help || !*f->metric.help || strchr(f->metric.help, '\n')))
            fail_msg("%s has no line of help", f->metric.name);
        if (f->label.name && f->metric.name && !f->metric.labels)
            fail_msg("%s has a label of its own and does not name its labels", f->metric.name);
        if (!has_a_place(rows, f))
            fail_msg("%s is not on the page once: it follows %s", name_of(f), f->after);
        *told += f->metric.name != NULL;
    }
}

static void every_row_holds_together(void **state)
{
    size_t told = 0;

    field_rows_each(look_at_rows, &told);
    assert_true(told > 100);
}

struct names {
    char list[1024][METRIC_NAME_BYTES];
    size_t count;
};

static void look_for_another(void *ctx, const struct metric *metric)
{
    struct names *names = ctx;

    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->list[i], metric->name) == 0)
            fail_msg("%s is declared twice", metric->name);
    assert_true(names->count < 1024);
    strcpy(names->list[names->count++], metric->name);
}

static void every_metric_is_declared_once(void **state)
{
    static struct names names;

    metric_each(look_for_another, &names);
    assert_true(names.count > 200);
}

static void look_at_keys(const struct field_table *table, size_t depth)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct field *f = &table->fields[i];

        for (size_t j = 0; f->key && j < i; j++)
            if (table->fields[j].key && strcmp(table->fields[j].key, f->key) == 0)
                fail_msg("%s has two %s", table->name, f->key);
        if (f->table && depth < 8)
            look_at_keys(f->table, depth + 1);
    }
}

static void no_body_has_a_key_twice(void **state)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++)
        if (routes[i]->table)
            look_at_keys(routes[i]->table, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_holds_together),
        cmocka_unit_test(every_metric_is_declared_once),
        cmocka_unit_test(no_body_has_a_key_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
