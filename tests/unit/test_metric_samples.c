/* The page and the samples are the same walk: every line of the page is a sample, and the other way
 * round. */
#include "facts/metric_samples.h"
#include "health_fixture.h"
#include "model/histogram.h"

struct walk {
    struct fixture *f;
    struct metric_samples *samples;
    struct facts facts;
};

static int set_up(void **state)
{
    struct walk *w = calloc(1, sizeof(*w));

    fixture_set_up((void **)&w->f);
    fixture_ticks(w->f, 1);
    assert_int_equal(metric_samples_create(&w->samples, &host_default), 0);
    w->facts = (struct facts){
        .clock = clock_system(),
        .snapshot = &w->f->snapshot,
        .health = w->f->health,
    };
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct walk *w = *state;

    metric_samples_destroy(w->samples);
    fixture_tear_down((void **)&w->f);
    free(w);
    return 0;
}

static bool any(void *ctx, const char *metric)
{
    return true;
}

static bool one(void *ctx, const char *metric)
{
    return strcmp(metric, ctx) == 0;
}

static size_t take(struct walk *w, const char *metric, const struct sample **ret)
{
    size_t count = 0;

    assert_int_equal(
        metric_samples_take(w->samples, &w->facts, metric ? one : any, (void *)metric, ret, &count),
        0);
    return count;
}

/* Without braces in its values, as here, a line is NAME{LABELS} VALUE. */
static void write_name(const struct sample *sample, char *out, size_t size)
{
    size_t n = (size_t)snprintf(out, size, "%s", sample->metric);

    for (size_t i = 0; i < sample->label_count; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s=\"%s\"", i ? "," : "{",
                              sample->labels[i].name, sample->labels[i].value);
    if (sample->label_count)
        snprintf(out + n, size - n, "}");
}

static void every_line_of_the_page_is_a_sample(void **state)
{
    struct walk *w = *state;
    const struct sample *samples;
    size_t count = take(w, NULL, &samples), lines = 0, next = 0;
    struct metrics *metrics;
    struct text page;
    char name[512];

    text_init(&page, 1 << 20);
    assert_int_equal(metrics_create(&metrics, &host_default), 0);
    assert_int_equal(metrics_render(metrics, &page, &w->facts, 0, false), 0);
    assert_in_range(count, 50, 2000);
    for (char *line = strtok(page.data, "\n"); line; line = strtok(NULL, "\n")) {
        if (*line == '#' || strstr(line, "_bucket{"))
            continue;
        lines++;
        assert_in_range(next, 0, count - 1);
        write_name(&samples[next++], name, sizeof(name));
        *strrchr(line, ' ') = '\0';
        assert_string_equal(line, name);
    }
    assert_int_equal(lines, count);
    metrics_destroy(metrics);
    text_free(&page);
}

static void only_what_is_wanted(void **state)
{
    struct walk *w = *state;
    const struct sample *samples;

    assert_int_equal(take(w, "moonwatch_filesystem_usage_ratio", &samples), 2);
    assert_string_equal(samples[1].metric, "moonwatch_filesystem_usage_ratio");
    assert_float_equal(samples[0].value, 0.3, 1e-12);
    assert_float_equal(samples[1].value, 0.4, 1e-12);
    assert_int_equal(take(w, "moonwatch_filesystem", &samples), 0);
    assert_int_equal(take(w, "moonwatch_nothing", &samples), 0);
    assert_int_equal(take(w, "moonwatch_ticks_total", &samples), 1);
    assert_int_equal(take(w, "moonwatch_ticks", &samples), 0);
}

static void what_is_unknown_has_no_sample(void **state)
{
    struct walk *w = *state;
    const struct sample *samples;

    assert_int_equal(take(w, "moonwatch_memory_usage_ratio", &samples), 1);
    w->f->snapshot.memory.usage_percent = reading_missing("gone");
    assert_int_equal(take(w, "moonwatch_memory_usage_ratio", &samples), 0);
}

static void of_a_histogram_the_sum_and_the_count(void **state)
{
    struct walk *w = *state;
    const struct sample *samples;
    size_t count = take(w, NULL, &samples), sums = 0;

    for (size_t i = 0; i + 1 < count; i++) {
        const char *suffix = strrchr(samples[i].metric, '_');

        assert_null(strstr(samples[i].metric, "_bucket"));
        if (strcmp(suffix, "_sum") != 0)
            continue;
        sums++;
        assert_string_equal(strrchr(samples[i + 1].metric, '_'), "_count");
    }
    assert_int_equal(sums > 0, true);
}

#define WALK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* The page may leave rows out; a rule finds them all. */
static void a_rule_sees_rows_the_page_leaves_out(void **state)
{
    struct filesystem *filesystems = calloc(900, sizeof(*filesystems));
    const struct sample *samples;
    struct walk *w = *state;

    for (int i = 0; i < 900; i++) {
        char mount[32];

        snprintf(mount, sizeof(mount), "/snap/%d", i);
        fixture_filesystem(&filesystems[i], mount, 5);
    }
    w->f->snapshot.disk.filesystems = filesystems;
    w->f->snapshot.disk.filesystem_count = 900;
    assert_int_equal(take(w, "moonwatch_filesystem_usage_ratio", &samples), 900);
    free(filesystems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WALK_TEST(every_line_of_the_page_is_a_sample),
        WALK_TEST(a_rule_sees_rows_the_page_leaves_out),
        WALK_TEST(only_what_is_wanted),
        WALK_TEST(what_is_unknown_has_no_sample),
        WALK_TEST(of_a_histogram_the_sum_and_the_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
