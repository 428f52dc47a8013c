/* The whole page from a made-up snapshot. What a real agent serves is held against promtool and
 * other parsers in tests/system. */
#include "facts/exposition.h"
#include "facts/metric_lists.h"
#include "facts/metrics.h"
#include "health_fixture.h"
#include <errno.h>

struct page_fixture {
    struct fixture *f;
    struct metrics *metrics;
    struct facts facts;
    size_t series_max;
    struct text text;
};

static int set_up(void **state)
{
    struct page_fixture *p = calloc(1, sizeof(*p));

    text_init(&p->text, 1 << 20);
    fixture_set_up((void **)&p->f);
    fixture_ticks(p->f, 1);
    metrics_create(&p->metrics, &host_default);
    p->facts = (struct facts){
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
    assert_int_equal(metrics_render(p->metrics, &p->text, &p->facts, p->series_max, openmetrics),
                     0);
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

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Prometheus refuses the whole page for one series that is there twice. */
static void names_of_any_bytes_are_series_of_their_own(void **state)
{
    static const char *const mounts[] = {"/x\x9b", "/x\x9c",
                                         "/x\xef\xbf\xbd"
                                         "9b"};
    struct page_fixture *p = *state;
    char *copy, *lines[8192], *next;
    size_t count = 0;

    for (size_t i = 0; i < 3; i++)
        fixture_filesystem(&p->f->filesystems[i], mounts[i], 10);
    p->f->snapshot.disk.filesystem_count = 3;
    fixture_ticks(p->f, 1);
    copy = strdup(render(p, false));
    for (char *line = copy; line && *line && count < 8192; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (*line != '#' && strstr(line, "mount=")) {
            *strrchr(line, ' ') = '\0';
            lines[count++] = line;
        }
    }
    qsort(lines, count, sizeof(lines[0]), by_text);
    assert_in_range(count, 3, 8191);
    for (size_t i = 1; i < count; i++)
        assert_string_not_equal(lines[i - 1], lines[i]);
    free(copy);
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
    assert_int_equal(metrics_render(p->metrics, &small, &p->facts, 0, false), -ENOMEM);
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

static size_t count_lines(const char *page, const char *prefix)
{
    char wanted[128];
    size_t lines = 0;

    snprintf(wanted, sizeof(wanted), "\n%s", prefix);
    for (const char *at = page; (at = strstr(at, wanted)); at++)
        lines++;
    return lines;
}

static size_t count_series(const char *page)
{
    size_t series = 0;

    for (const char *at = page; *at; at = strchr(at, '\n') + 1)
        series += *at != '#';
    return series;
}

static void rows_beyond_the_page_are_counted(void **state)
{
    struct page_fixture *p = *state;
    struct filesystem *filesystems = calloc(1000, sizeof(*filesystems));
    const char *page;
    char line[128];
    size_t lines;

    for (int i = 0; i < 1000; i++) {
        char mount[32];

        snprintf(mount, sizeof(mount), "/mnt/%d", i);
        fixture_filesystem(&filesystems[i], mount, 5);
    }
    p->f->snapshot.disk.filesystems = filesystems;
    p->f->snapshot.disk.filesystem_count = 1000;
    p->f->snapshot.disk.filesystems_omitted = 7;
    page = render(p, false);
    lines = count_lines(page, "moonwatch_filesystem_usage_ratio{");
    assert_true(lines > 32 && lines < 1000);
    assert_non_null(strstr(page, "mount=\"/mnt/0\"}"));
    snprintf(line, sizeof(line), "moonwatch_rows_omitted{rows=\"filesystem\"} %zu", 1007 - lines);
    assert_true(has_line(page, line));
    p->series_max = 20000;
    page = render(p, false);
    assert_true(count_lines(page, "moonwatch_filesystem_usage_ratio{") > lines);
    free(filesystems);
}

/* More of everything than a page holds: 600 ports that a stranger was refused at, and the services
 * that were there first and came later. */
struct large_host {
    struct filesystem filesystems[300];
    struct block_device devices[200];
    struct interface interfaces[300];
    struct cpu_throttle throttled[200];
    struct cgroup_waits waits[500];
    char paths[500][32];
    struct tcp_port ports[700];
};

static void fill_large_host(struct large_host *h, struct snapshot *s)
{
    for (int i = 0; i < 300; i++) {
        char mount[32];

        snprintf(mount, sizeof(mount), i ? "/mnt/%d" : "/", i);
        fixture_filesystem(&h->filesystems[i], mount, 5);
        snprintf(h->interfaces[i].name, sizeof(h->interfaces[i].name), i ? "veth%d" : "eth0", i);
    }
    for (int i = 0; i < 200; i++) {
        snprintf(h->devices[i].name, sizeof(h->devices[i].name), "sd%d", i);
        h->devices[i].traced = true;
        for (int op = 0; op < BLKIO_OP_COUNT; op++)
            fixture_waits(&h->devices[i].ops[op].latency, 1000, 5);
        snprintf(h->throttled[i].path, sizeof(h->throttled[i].path), "/t%d", i);
    }
    for (int i = 0; i < 500; i++) {
        snprintf(h->paths[i], sizeof(h->paths[i]), "/c%d", i);
        h->waits[i] = (struct cgroup_waits){.cgroup_id = (uint64_t)i + 1, .path = h->paths[i]};
        fixture_waits(&h->waits[i].delay, 1000, 5);
    }
    s->disk.filesystems = h->filesystems;
    s->disk.filesystem_count = 300;
    s->disk.devices = h->devices;
    s->disk.device_count = 200;
    s->network.interfaces = h->interfaces;
    s->network.interface_count = 300;
    s->throttle.rows = h->throttled;
    s->throttle.count = 200;
    s->scheduler.cgroups = h->waits;
    s->scheduler.cgroup_count = 500;
    s->network.ports = h->ports;
}

static struct tcp_port *add_service(struct large_host *h, struct snapshot *s, uint16_t port,
                                    uint16_t role, uint64_t opened)
{
    struct tcp_port *row = &h->ports[s->network.port_count++];

    *row = (struct tcp_port){.key = {port, role}, .stats.opened = opened};
    return row;
}

static uint64_t counter_of(const char *page, const char *name)
{
    char wanted[192];
    const char *at;

    snprintf(wanted, sizeof(wanted), "\n%s ", name);
    at = strstr(page, wanted);
    if (!at)
        fail_msg("no sample %s", name);
    return strtoull(at + strlen(wanted), NULL, 10);
}

static void a_page_is_bounded_and_keeps_what_matters(void **state)
{
    static const char other[] =
        "moonwatch_tcp_connects_failed_total{role=\"client\",port=\"other\",reason=\"refused\"}";
    struct large_host *h = calloc(1, sizeof(*h));
    struct page_fixture *p = *state;
    struct snapshot *s = &p->f->snapshot;
    uint64_t before;
    const char *page;

    fill_large_host(h, s);
    add_service(h, s, 5432, TCP_CLIENT, 50);
    for (uint16_t i = 0; i < 600; i++)
        add_service(h, s, (uint16_t)(10000 + i), TCP_CLIENT, 0)->stats.connects_failed[0] = 3;
    page = render(p, false);
    assert_true(count_series(page) <= METRIC_SERIES_DEFAULT);
    before = counter_of(page, other);
    assert_true(before > 0);
    /* Later than all of them. */
    add_service(h, s, 6379, TCP_CLIENT, 2);
    add_service(h, s, 443, TCP_SERVER, 2);
    page = render(p, false);
    assert_true(count_series(page) <= METRIC_SERIES_DEFAULT);
    assert_true(has_line(page, "moonwatch_tcp_opened_total{role=\"client\",port=\"5432\"} 50"));
    assert_true(has_line(page, "moonwatch_tcp_opened_total{role=\"client\",port=\"6379\"} 2"));
    assert_true(has_line(page, "moonwatch_tcp_opened_total{role=\"server\",port=\"443\"} 2"));
    assert_non_null(strstr(page, "{interface=\"eth0\"}"));
    assert_non_null(strstr(page, "mount=\"/\"}"));
    assert_non_null(strstr(page, "{device=\"sd0\"}"));
    assert_true(counter_of(page, other) >= before);
    assert_true(counter_of(page, "moonwatch_rows_omitted{rows=\"port\"}") > 500);
    /* Rows of 600 ports are given up: what they counted stays in `other`. */
    before = counter_of(page, other);
    h->ports[1] = (struct tcp_port){.key = {0, TCP_CLIENT}, .stats.connects_failed[0] = 1800};
    h->ports[2] = h->ports[601];
    h->ports[3] = h->ports[602];
    s->network.port_count = 4;
    page = render(p, false);
    assert_true(counter_of(page, other) >= before);
    assert_true(counter_of(page, other) <= 1800);
    assert_true(count_lines(page, "moonwatch_tcp_opened_total{") == 5);
    free(h);
}

#define PAGE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static bool any_family(void *ctx, const struct metric_family *family)
{
    return true;
}

static void find_declared(void *ctx, const char *name, const struct label *labels,
                          size_t label_count, double value)
{
    struct metric metric;
    char names[128] = "";

    for (size_t i = 0; i < label_count; i++)
        snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s ", labels[i].name);
    if (!metric_find(name, &metric))
        fail_msg("%s is not declared", name);
    if (strcmp(metric.labels, names) != 0)
        fail_msg("%s has the labels %s, not %s", name, names, metric.labels);
    ++*(size_t *)ctx;
}

static void what_it_says_is_declared(void **state)
{
    struct page_fixture *p = *state;
    size_t count = 0;
    const struct exposition_sink sink = {any_family, find_declared, &count};

    metrics_walk(p->metrics, &sink, &p->facts);
    assert_in_range(count, 100, 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PAGE_TEST(what_it_says_is_declared),
        PAGE_TEST(names_of_any_bytes_are_series_of_their_own),
        PAGE_TEST(says_what_the_snapshot_says),
        PAGE_TEST(unknown_is_left_out_and_named),
        PAGE_TEST(openmetrics_ends_with_eof),
        PAGE_TEST(a_page_that_does_not_fit_is_an_error),
        PAGE_TEST(other_ports_and_cgroups_are_named_other),
        PAGE_TEST(rows_beyond_the_page_are_counted),
        PAGE_TEST(a_page_is_bounded_and_keeps_what_matters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
