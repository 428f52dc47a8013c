/* The whole page from a made-up snapshot. What a real agent serves is held against promtool and
 * other parsers in tests/system. */
#include "health_fixture.h"
#include "http/metrics.h"
#include <errno.h>

struct page_fixture {
    struct fixture *f;
    struct metrics *metrics;
    struct metrics_sources sources;
    struct text text;
};

static int set_up(void **state)
{
    struct page_fixture *p = calloc(1, sizeof(*p));

    text_init(&p->text, 1 << 20);
    fixture_set_up((void **)&p->f);
    fixture_ticks(p->f, 1);
    metrics_create(&p->metrics, &host_default);
    p->sources = (struct metrics_sources){
        .clock = clock_system(),
        .snapshot = &p->f->snapshot,
        .health = p->f->health,
    };
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct page_fixture *p = *state;

    metrics_destroy(p->metrics);
    text_free(&p->text);
    fixture_tear_down((void **)&p->f);
    free(p);
    return 0;
}

static const char *render(struct page_fixture *p, bool openmetrics)
{
    text_reset(&p->text);
    assert_int_equal(metrics_render(p->metrics, &p->text, &p->sources, openmetrics), 0);
    return p->text.data;
}

static bool has_line(const char *page, const char *line)
{
    char wanted[256];

    snprintf(wanted, sizeof(wanted), "\n%s\n", line);
    return strstr(page, wanted) != NULL;
}

static void says_what_the_snapshot_says(void **state)
{
    struct page_fixture *p = *state;
    const char *page;

    p->f->snapshot.memory.total_bytes = reading_of(2 * GIB);
    p->f->snapshot.pressure.resource[PRESSURE_IO].full.avg60_percent = reading_of(12.5);
    page = render(p, false);
    assert_true(has_line(page, "moonwatch_memory_total_bytes 2147483648"));
    assert_true(has_line(page, "moonwatch_cpu_usage_ratio 0.12"));
    assert_true(has_line(
        page, "moonwatch_pressure_ratio{resource=\"io\",share=\"full\",window=\"60s\"} 0.125"));
    assert_true(has_line(page, "moonwatch_health_status{status=\"healthy\"} 1"));
    assert_true(has_line(page, "moonwatch_health_status{status=\"unknown\"} 0"));
    assert_true(has_line(page, "moonwatch_health_check_severity{check=\"disk:/var\"} 0"));
    assert_true(has_line(page, "moonwatch_ticks_total 2"));
    assert_null(strstr(page, "# EOF"));
}

static void unknown_is_left_out_and_named(void **state)
{
    struct page_fixture *p = *state;
    const char *page;

    p->f->snapshot.memory.missing = "cannot read \"/proc/meminfo\"";
    p->f->snapshot.scheduler.missing = "no BTF";
    p->f->snapshot.network.conntrack_entries = reading_missing("no conntrack");
    page = render(p, false);
    assert_null(strstr(page, "moonwatch_memory_"));
    assert_null(strstr(page, "moonwatch_run_queue"));
    assert_null(strstr(page, "NaN"));
    assert_true(has_line(page, "moonwatch_source_missing{source=\"memory\",reason=\"cannot read "
                               "\\\"/proc/meminfo\\\"\"} 1"));
    assert_null(strstr(page, "moonwatch_conntrack_entries"));
}

static void openmetrics_ends_with_eof(void **state)
{
    struct page_fixture *p = *state;
    const char *page = render(p, true);

    assert_string_equal(page + strlen(page) - 6, "# EOF\n");
    assert_true(has_line(page, "# TYPE moonwatch_ticks counter"));
    assert_true(has_line(page, "# UNIT moonwatch_cpu_usage_ratio ratio"));
}

static void a_page_that_does_not_fit_is_an_error(void **state)
{
    struct page_fixture *p = *state;
    struct text small;

    text_init(&small, 1000);
    assert_int_equal(metrics_render(p->metrics, &small, &p->sources, false), -ENOMEM);
    text_free(&small);
}

static void other_ports_and_cgroups_are_named_other(void **state)
{
    struct page_fixture *p = *state;
    struct tcp_port ports[] = {{.key = {443, TCP_CLIENT}}, {.key = {0, TCP_SERVER}}};
    struct cgroup_waits waits[] = {{.cgroup_id = 3, .path = "/api"}, {.cgroup_id = 0}};
    const char *page;

    ports[0].stats.connects_failed[CONNECT_REFUSED] = 4;
    ports[0].stats.opened = 1;
    ports[1].stats.opened = 2;
    p->f->snapshot.network.ports = ports;
    p->f->snapshot.network.port_count = 2;
    fixture_waits(&waits[1].delay, 50000, 10);
    fixture_waits(&p->f->snapshot.scheduler.total.delay, 50000, 10);
    p->f->snapshot.scheduler.cgroups = waits;
    p->f->snapshot.scheduler.cgroup_count = 2;
    page = render(p, false);
    assert_true(has_line(page, "moonwatch_tcp_opened_total{role=\"client\",port=\"443\"} 1"));
    assert_true(has_line(page, "moonwatch_tcp_opened_total{role=\"server\",port=\"other\"} 2"));
    assert_true(has_line(page, "moonwatch_tcp_connects_failed_total{role=\"client\",port=\"443\","
                               "reason=\"refused\"} 4"));
    assert_true(
        has_line(page, "moonwatch_cgroup_run_queue_delay_seconds_count{cgroup=\"/api\"} 0"));
    assert_true(
        has_line(page, "moonwatch_cgroup_run_queue_delay_seconds_count{cgroup=\"other\"} 10"));
}

static void rows_beyond_the_page_are_counted(void **state)
{
    struct page_fixture *p = *state;
    struct filesystem *filesystems = calloc(100, sizeof(*filesystems));
    const char *page;
    size_t lines = 0;

    for (int i = 0; i < 100; i++) {
        char mount[32];

        snprintf(mount, sizeof(mount), "/mnt/%d", i);
        fixture_filesystem(&filesystems[i], mount, 5);
    }
    p->f->snapshot.disk.filesystems = filesystems;
    p->f->snapshot.disk.filesystem_count = 100;
    page = render(p, false);
    for (const char *at = page; (at = strstr(at, "\nmoonwatch_filesystem_usage_ratio{")); at++)
        lines++;
    assert_int_equal(lines, 64);
    assert_true(has_line(page, "moonwatch_rows_omitted{rows=\"filesystem\"} 36"));
    free(filesystems);
}

#define PAGE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAGE_TEST(says_what_the_snapshot_says),
        PAGE_TEST(unknown_is_left_out_and_named),
        PAGE_TEST(openmetrics_ends_with_eof),
        PAGE_TEST(a_page_that_does_not_fit_is_an_error),
        PAGE_TEST(other_ports_and_cgroups_are_named_other),
        PAGE_TEST(rows_beyond_the_page_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
