/* From a snapshot and its health to alerts: what the built-in rules make of an ill host. */
#include "alert/alert.h"
#include "config_text.h"
#include "facts/alert_source.h"
#include "health_fixture.h"
#include <signal.h>

struct seen {
    struct alert_manager *manager;
    struct alert_source *source;
    struct config *config;
    char name[32];
    struct alert_view view;
    size_t count;
};

static void ignore(void *ctx, const struct notification *n)
{
}

static void open_seen(struct seen *seen)
{
    const struct alert_ops ops = {.notify = ignore, .ctx = NULL};
    struct config_errors errors = {0};

    memset(seen, 0, sizeof(*seen));
    seen->config = load_valid("{}", NULL);
    assert_int_equal(alert_manager_create(&seen->manager, seen->config, &ops, &errors), 0);
    assert_int_equal(alert_source_create(&seen->source), 0);
}

static void close_seen(struct seen *seen)
{
    alert_manager_destroy(seen->manager);
    alert_source_destroy(seen->source);
    config_destroy(seen->config);
}

static void tick(struct fixture *f, struct seen *seen, struct alert_input *input)
{
    const struct loop_view loop = {.lag_ns = 2 * NS_PER_SECOND};
    const struct facts facts = {.snapshot = &f->snapshot, .health = f->health, .loop = &loop};

    fixture_ticks(f, 1);
    assert_int_equal(alert_source_fill(seen->source, &facts, NULL, 0, input), 0);
    alert_manager_tick(seen->manager, input);
}

static void match(void *ctx, const struct alert_view *view)
{
    struct seen *seen = ctx;

    if (strcmp(labels_get(view->labels, "alertname"), seen->name) != 0 ||
        view->state != ALERT_FIRING)
        return;
    seen->view = *view;
    seen->count++;
}

static void expect_firing(struct seen *seen, const char *name, size_t count)
{
    snprintf(seen->name, sizeof(seen->name), "%s", name);
    seen->count = 0;
    alert_manager_each(seen->manager, match, seen);
    if (seen->count != count)
        fail_msg("%zu of %s fire, not %zu", seen->count, name, count);
}

static void a_well_host_has_no_alerts(void **state)
{
    struct fixture *f = *state;
    struct alert_input input;
    struct seen seen;

    open_seen(&seen);
    for (int i = 0; i < 50; i++)
        tick(f, &seen, &input);
    assert_int_equal(input.event_count, 0);
    assert_in_range(input.condition_count, 8, 100);
    /* The loop's lag of 2 s has lasted 50 s. */
    assert_int_equal(alert_manager_count(seen.manager), 1);
    for (int i = 0; i < 15; i++)
        tick(f, &seen, &input);
    expect_firing(&seen, "AgentLate", 1);
    close_seen(&seen);
}

static void a_full_disk_fires_with_its_mount(void **state)
{
    struct fixture *f = *state;
    struct alert_input input;
    struct seen seen;

    open_seen(&seen);
    fixture_filesystem(&f->filesystems[1], "/var", 97);
    for (int i = 0; i < 3; i++)
        tick(f, &seen, &input);
    expect_firing(&seen, "HostDisk", 1);
    assert_string_equal(labels_get(seen.view.labels, "check"), "disk");
    assert_string_equal(labels_get(seen.view.labels, "subject"), "/var");
    assert_string_equal(labels_get(seen.view.labels, "component"), "resources");
    assert_int_equal(seen.view.severity, SEVERITY_CRITICAL);
    assert_float_equal(seen.view.value, 97, 0);
    assert_non_null(strstr(seen.view.summary, "/var"));
    close_seen(&seen);
}

static void memory_names_the_largest(void **state)
{
    struct fixture *f = *state;
    struct process_row *row = &f->snapshot.process.top[TOP_RSS][0];
    struct alert_input input;
    struct seen seen;

    open_seen(&seen);
    snprintf(row->comm, sizeof(row->comm), "hog");
    row->pid = 42;
    row->rss_bytes = 3ULL << 30;
    f->snapshot.process.top_count[TOP_RSS] = 1;
    f->snapshot.memory.usage_percent = reading_of(80);
    for (int i = 0; i < 40; i++)
        tick(f, &seen, &input);
    expect_firing(&seen, "HostMemory", 1);
    assert_string_equal(seen.view.offenders, "hog (pid 42) 3.0 GiB");
    close_seen(&seen);
}

static void crash(struct fixture *f, const char *comm, unsigned pid, unsigned signal,
                  unsigned repeats)
{
    struct event_snapshot *events = &f->snapshot.events;

    memmove(f->crashes + 1, f->crashes, (EVENTS_KEPT - 1) * sizeof(f->crashes[0]));
    memset(&f->crashes[0], 0, sizeof(f->crashes[0]));
    f->crashes[0].record.pid = pid;
    f->crashes[0].record.signal = signal;
    f->crashes[0].record.age_ns = 60 * NS_PER_SECOND;
    snprintf(f->crashes[0].record.comm, COMM_BYTES, "%s", comm);
    snprintf(f->crashes[0].cgroup_path, CGROUP_PATH_BYTES, "/web");
    f->crashes[0].number = (uint64_t)++events->crashes_total;
    f->crashes[0].repeats = repeats;
    if (events->crash_rows < EVENTS_KEPT)
        events->crash_rows++;
}

static void each_crash_counts_once(void **state)
{
    struct fixture *f = *state;
    struct alert_input input;
    struct seen seen;

    open_seen(&seen);
    crash(f, "web", 7, SIGSEGV, 1);
    tick(f, &seen, &input);
    assert_int_equal(input.event_count, 1);
    expect_firing(&seen, "ProcessCrash", 1);
    assert_string_equal(labels_get(seen.view.labels, "comm"), "web");
    assert_string_equal(labels_get(seen.view.labels, "signal"), "SIGSEGV");
    assert_string_equal(seen.view.summary,
                        "web (pid 7) was ended by SIGSEGV after 60 s in cgroup /web");
    tick(f, &seen, &input);
    assert_int_equal(input.event_count, 0);
    expect_firing(&seen, "CrashLoop", 0);
    crash(f, "web", 10, SIGSEGV, 2);
    tick(f, &seen, &input);
    expect_firing(&seen, "CrashLoop", 0);
    crash(f, "web", 11, SIGABRT, 3);
    tick(f, &seen, &input);
    expect_firing(&seen, "CrashLoop", 1);
    assert_int_equal(seen.view.severity, SEVERITY_CRITICAL);
    assert_string_equal(labels_get(seen.view.labels, "cgroup"), "/web");
    assert_string_equal(
        seen.view.summary,
        "3 crashes in 5 min: web (pid 11) was ended by SIGABRT after 60 s in cgroup /web");
    close_seen(&seen);
}

static void a_failing_service_is_a_crash_loop(void **state)
{
    struct fixture *f = *state;
    struct alert_input input;
    struct seen seen;

    open_seen(&seen);
    for (unsigned i = 1; i <= 3; i++) {
        crash(f, "python3", 6 + i, 0, i);
        f->crashes[0].kind = ENDED_FAILED;
        f->crashes[0].record.status = 1;
        snprintf(f->crashes[0].cgroup_path, CGROUP_PATH_BYTES, "/system.slice/web.service/app");
        tick(f, &seen, &input);
        assert_int_equal(input.event_count, i < 3 ? 1 : 2);
        expect_firing(&seen, "CrashLoop", i == 3);
    }
    expect_firing(&seen, "ProcessCrash", 0);
    expect_firing(&seen, "CrashLoop", 1);
    assert_string_equal(labels_get(seen.view.labels, "unit"), "web.service");
    assert_string_equal(seen.view.summary, "3 failures in 5 min: python3 (pid 9) ended with exit "
                                           "status 1 after 60 s in cgroup "
                                           "/system.slice/web.service/app");
    close_seen(&seen);
}

/* A name without a path is no cgroup, but may be a unit. */
static void a_unit_is_named_though_its_cgroup_is_not_known(void **state)
{
    struct fixture *f = *state;
    struct alert_input input;
    struct seen seen;

    open_seen(&seen);
    crash(f, "web", 7, SIGSEGV, 1);
    f->crashes[0].cgroup_path[0] = '\0';
    strcpy(f->crashes[0].record.cgroup_name, "web.service");
    tick(f, &seen, &input);
    expect_firing(&seen, "ProcessCrash", 1);
    assert_string_equal(labels_get(seen.view.labels, "unit"), "web.service");
    assert_string_equal(labels_get(seen.view.labels, "cgroup"), "");
    close_seen(&seen);
}

/* The collector lists a kill only as part of a loop. */
static void a_kill_of_a_loop_is_the_loop_alone(void **state)
{
    struct fixture *f = *state;
    struct alert_input input;
    struct seen seen;

    open_seen(&seen);
    crash(f, "web", 7, SIGKILL, 5);
    f->crashes[0].kind = ENDED_KILLED;
    tick(f, &seen, &input);
    assert_int_equal(input.event_count, 1);
    expect_firing(&seen, "ProcessCrash", 0);
    expect_firing(&seen, "CrashLoop", 1);
    assert_string_equal(seen.view.summary,
                        "5 kills in 5 min: web (pid 7) was ended by SIGKILL after 60 s in cgroup "
                        "/web");
    close_seen(&seen);
}

/* Rows that were told stay in the list, whatever the totals of others do. */
static void an_old_crash_is_no_news(void **state)
{
    struct fixture *f = *state;
    struct alert_input input;
    struct seen seen;

    open_seen(&seen);
    crash(f, "web", 7, SIGSEGV, 1);
    tick(f, &seen, &input);
    assert_int_equal(input.event_count, 1);
    for (int i = 0; i < 100; i++) {
        f->snapshot.events.abnormal_exits_total += 5;
        tick(f, &seen, &input);
        assert_int_equal(input.event_count, 0);
    }
    crash(f, "web", 8, SIGSEGV, 2);
    tick(f, &seen, &input);
    assert_int_equal(input.event_count, 1);
    expect_firing(&seen, "CrashLoop", 0);
    close_seen(&seen);
}

static void what_came_too_fast_is_said(void **state)
{
    struct fixture *f = *state;
    struct alert_input input;
    struct seen seen;

    open_seen(&seen);
    crash(f, "web", 7, SIGSEGV, 1);
    f->snapshot.events.crashes_total = 40;
    crash(f, "web", 8, SIGSEGV, 41);
    f->snapshot.events.crash_rows = 1;
    tick(f, &seen, &input);
    expect_firing(&seen, "RecordsLost", 1);
    assert_string_equal(seen.view.summary,
                        "40 records of type exit were lost: too many came within one tick");
    close_seen(&seen);
}

static void an_oom_kill_names_the_cgroup(void **state)
{
    struct fixture *f = *state;
    struct alert_input input;
    struct seen seen;

    open_seen(&seen);
    tick(f, &seen, &input);
    f->ooms[0].record.pid = 5;
    f->ooms[0].record.limit_bytes = 64 << 20;
    f->ooms[0].record.anon_rss_bytes = 60 << 20;
    snprintf(f->ooms[0].record.comm, COMM_BYTES, "db");
    snprintf(f->ooms[0].limit_path, CGROUP_PATH_BYTES, "/db.service");
    f->ooms[0].top_count = 1;
    snprintf(f->ooms[0].top[0].comm, COMM_BYTES, "db");
    f->ooms[0].top[0].pid = 5;
    f->ooms[0].top[0].rss_bytes = 60 << 20;
    f->ooms[0].number = 1;
    f->snapshot.events.oom_rows = f->snapshot.events.oom_count = 1;
    tick(f, &seen, &input);
    expect_firing(&seen, "OomKill", 1);
    assert_string_equal(labels_get(seen.view.labels, "cgroup"), "/db.service");
    assert_string_equal(labels_get(seen.view.labels, "unit"), "db.service");
    assert_string_equal(
        seen.view.summary,
        "db (pid 5, 60 MiB) was killed: cgroup /db.service reached its limit of 64 MiB");
    assert_string_equal(seen.view.offenders, "db (pid 5) 60 MiB");
    close_seen(&seen);
}

/* Two in one tick: each alert has its own. */
static void an_oom_alert_names_its_own_offenders(void **state)
{
    struct fixture *f = *state;
    struct alert_input input;
    struct seen seen;

    open_seen(&seen);
    for (int i = 0; i < 2; i++) {
        f->ooms[i].number = (uint64_t)(2 - i);
        snprintf(f->ooms[i].record.comm, COMM_BYTES, "%s", i ? "db" : "web");
        snprintf(f->ooms[i].limit_path, CGROUP_PATH_BYTES, "/%s.service", i ? "db" : "web");
        f->ooms[i].top_count = 1;
        snprintf(f->ooms[i].top[0].comm, COMM_BYTES, "%s", i ? "db" : "web");
        f->ooms[i].top[0].rss_bytes = 1 << 20;
    }
    f->snapshot.events.oom_rows = f->snapshot.events.oom_count = 2;
    tick(f, &seen, &input);
    expect_firing(&seen, "OomKill", 2);
    assert_string_equal(seen.view.offenders, strcmp(labels_get(seen.view.labels, "comm"), "db") == 0
                                                 ? "db (pid 0) 1 MiB"
                                                 : "web (pid 0) 1 MiB");
    assert_string_equal(labels_get(seen.view.labels, "comm"), "db");
    close_seen(&seen);
}

static void what_cannot_be_read_is_an_alert(void **state)
{
    struct fixture *f = *state;
    struct alert_input input;
    struct seen seen;

    open_seen(&seen);
    f->snapshot.memory.usage_percent = reading_missing("gone");
    for (int i = 0; i < 302; i++)
        tick(f, &seen, &input);
    expect_firing(&seen, "MemoryUnknown", 1);
    expect_firing(&seen, "CpuUnknown", 0);
    close_seen(&seen);
}

static double no_jitter(void *ctx)
{
    return 0;
}

static void no_rate_is_absent_in_the_first_tick(void **state)
{
    struct fixture *f = *state;
    struct alert_input input;
    struct seen seen;

    open_seen(&seen);
    f->snapshot.cpu.total.usage_percent = reading_missing("needs two samples");
    tick(f, &seen, &input);
    assert_true(input.no_rates_yet);
    /* The loop's lag. */
    assert_int_equal(alert_manager_count(seen.manager), 1);
    tick(f, &seen, &input);
    assert_false(input.no_rates_yet);
    assert_int_equal(alert_manager_count(seen.manager), 2);
    close_seen(&seen);
}

static void a_breaker_that_opens_is_told_once(void **state)
{
    const struct breaker_transition opened = {.from = BREAKER_CLOSED,
                                              .to = BREAKER_OPEN,
                                              .cause = BREAKER_CAUSE_CONSECUTIVE,
                                              .at_ns = SECOND,
                                              .retry_ns = 61 * SECOND,
                                              .figures = {.consecutive_failures = 5,
                                                          .threshold = 5},
                                              .address = "10.0.0.1:443"},
                                    closed = {.from = BREAKER_HALF_OPEN,
                                              .to = BREAKER_CLOSED,
                                              .cause = BREAKER_CAUSE_PROBES_SUCCEEDED};
    struct fixture *f = *state;
    struct alert_input input;
    struct seen seen;

    open_seen(&seen);
    alert_source_note_breaker(seen.source, "pay", &opened);
    alert_source_note_breaker(seen.source, "db", &closed);
    tick(f, &seen, &input);
    assert_int_equal(input.event_count, 2);
    expect_firing(&seen, "BreakerOpen", 1);
    assert_string_equal(labels_get(seen.view.labels, "upstream"), "pay");
    assert_string_equal(labels_get(seen.view.labels, "state"), "open");
    assert_non_null(strstr(seen.view.summary, "breaker pay opened: 5 failures in a row"));
    tick(f, &seen, &input);
    assert_int_equal(input.event_count, 0);
    /* In a storm the first are told, and nothing is lost of the memory. */
    for (int i = 0; i < SOURCE_TRANSITIONS_MAX + 50; i++)
        alert_source_note_breaker(seen.source, "pay", &opened);
    tick(f, &seen, &input);
    assert_int_equal(input.event_count, SOURCE_TRANSITIONS_MAX);
    close_seen(&seen);
}

/* Ten calls a second that take 10 ms, of which so many fail. */
static void feed(struct services *services, struct traffic *total, uint64_t now_ns, unsigned failed)
{
    total->calls += 10;
    total->failed += failed;
    total->latency.count += 10 - failed;
    total->latency.sum_ns += (10 - failed) * 10 * NS_PER_MS;
    total->latency.slots[slot_of_ns(10 * NS_PER_MS)] += 10 - failed;
    services_feed_service(services, 0, now_ns, total);
}

static void a_service_that_gets_worse_is_an_alert(void **state)
{
    struct fixture *f = *state;
    const struct services_ops ops = {.random = no_jitter};
    const struct services_rows rows = {.missing = "no kernel here"};
    struct config *config = load_valid(
        "{\"services\":[{\"name\":\"web\",\"kind\":\"http\",\"match\":{\"comm\":\"nginx\"}}]}",
        NULL);
    struct services *services = NULL;
    struct traffic total = {0};
    struct facts facts = {.clock = clock_system(), .snapshot = &f->snapshot, .health = f->health};
    struct alert_input input;
    struct seen seen;

    assert_int_equal(services_create(&services, config, &rows, &ops, f->snapshot.monotonic_ns), 0);
    facts.services = services;
    open_seen(&seen);
    for (int i = 0; i < 3600; i++) {
        fixture_ticks(f, 1);
        feed(services, &total, f->snapshot.monotonic_ns, i < 1800 ? 0 : 5);
        facts_take(&facts);
        assert_int_equal(alert_source_fill(seen.source, &facts, NULL, 0, &input), 0);
        alert_manager_tick(seen.manager, &input);
        if (i == 1799)
            expect_firing(&seen, "ServiceDegraded", 0);
    }
    expect_firing(&seen, "ServiceDegraded", 1);
    assert_string_equal(labels_get(seen.view.labels, "role"), "service");
    assert_string_equal(labels_get(seen.view.labels, "name"), "web");
    assert_non_null(strstr(seen.view.summary, "web"));
    close_seen(&seen);
    facts_release(&facts);
    services_destroy(services);
    config_destroy(config);
}

static void what_is_handed_in_stands_beside_its_own(void **state)
{
    struct fixture *f = *state;
    const struct sample samples[] = {{.metric = "moonwatch_x", .value = 7}};
    const struct facts facts = {.snapshot = &f->snapshot, .health = f->health};
    struct alert_input input;
    struct seen seen;

    open_seen(&seen);
    fixture_ticks(f, 1);
    assert_int_equal(alert_source_fill(seen.source, &facts, samples, 1, &input), 0);
    assert_int_equal(input.sample_count, 4);
    for (size_t i = 0; i < 3; i++)
        assert_true(alert_source_has(input.samples[i].metric));
    assert_string_equal(input.samples[3].metric, "moonwatch_x");
    assert_false(alert_source_has("moonwatch_x"));
    close_seen(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_well_host_has_no_alerts),
        FIXTURE_TEST(a_full_disk_fires_with_its_mount),
        FIXTURE_TEST(memory_names_the_largest),
        FIXTURE_TEST(each_crash_counts_once),
        FIXTURE_TEST(a_failing_service_is_a_crash_loop),
        FIXTURE_TEST(a_unit_is_named_though_its_cgroup_is_not_known),
        FIXTURE_TEST(a_kill_of_a_loop_is_the_loop_alone),
        FIXTURE_TEST(an_old_crash_is_no_news),
        FIXTURE_TEST(what_came_too_fast_is_said),
        FIXTURE_TEST(an_oom_kill_names_the_cgroup),
        FIXTURE_TEST(an_oom_alert_names_its_own_offenders),
        FIXTURE_TEST(what_cannot_be_read_is_an_alert),
        FIXTURE_TEST(no_rate_is_absent_in_the_first_tick),
        FIXTURE_TEST(a_breaker_that_opens_is_told_once),
        FIXTURE_TEST(a_service_that_gets_worse_is_an_alert),
        FIXTURE_TEST(what_is_handed_in_stands_beside_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
