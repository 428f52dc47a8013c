/* Scheduler, priority, performance, the probes' state, reload and the overall status. */
#include "config_text.h"
#include "health_fixture.h"
#include <signal.h>

static void a_run_queue_that_does_not_drain_is_told_with_the_last_victim(void **state)
{
    struct fixture *f = *state;
    struct slow_wait *wait = &f->snapshot.scheduler.slow_waits[0];
    struct check_view check;

    fixture_waits(&f->snapshot.scheduler.recent_foreground, 300 * NS_PER_MS, 1000);
    f->snapshot.scheduler.slow_wait_count = 1;
    *wait = (struct slow_wait){.wait_ns = 410 * NS_PER_MS,
                               .pid = 31,
                               .running_pid = 32,
                               .comm = "api",
                               .running_comm = "cc1"};
    fixture_ticks(f, 91);
    fixture_expect(f, COMPONENT_SCHEDULER, STATUS_UNHEALTHY);
    fixture_expect_reason(f, COMPONENT_SCHEDULER,
                          "tasks wait 534 ms for a CPU (p99 of the last minute), critical at 250 "
                          "ms; last: api (pid 31) waited 410 ms behind cc1 (pid 32)");
    fixture_expect(f, COMPONENT_PRIORITY, STATUS_HEALTHY);
    assert_true(health_find_check(f->health, "runq_delay", &check));
    assert_int_equal(check.component, COMPONENT_SCHEDULER);
}

static void a_starving_class_degrades_priority_only(void **state)
{
    struct fixture *f = *state;
    struct slow_wait *waits = f->snapshot.scheduler.slow_waits;

    /* Starved tasks are switched in seldom: three waits are all there is. */
    fixture_waits(&f->snapshot.scheduler.recent_classes[PRIORITY_LOW], 4 * SECOND, 3);
    f->snapshot.scheduler.slow_wait_count = 2;
    waits[0] = (struct slow_wait){.wait_ns = SECOND, .priority_class = PRIORITY_NORMAL};
    waits[1] = (struct slow_wait){.wait_ns = 3 * SECOND,
                                  .pid = 5,
                                  .running_pid = 6,
                                  .priority_class = PRIORITY_LOW,
                                  .comm = "backup",
                                  .running_comm = "make"};
    fixture_ticks(f, 91);
    fixture_expect(f, COMPONENT_SCHEDULER, STATUS_HEALTHY);
    fixture_expect(f, COMPONENT_PRIORITY, STATUS_DEGRADED);
    fixture_expect_reason(
        f, COMPONENT_PRIORITY,
        "low-priority tasks wait 4.3 s for a CPU (p99 of the last minute), "
        "warning at 2.0 s; last: backup (pid 5) waited 3.0 s behind make (pid 6)");
    assert_int_equal(health_status(f->health), STATUS_DEGRADED);
}

/* Two niced compilers beside a normal one: they wait long, as they asked to, and nobody else. */
static void waits_of_low_and_idle_tasks_are_never_unhealthy(void **state)
{
    struct fixture *f = *state;
    struct scheduler_snapshot *scheduler = &f->snapshot.scheduler;

    fixture_waits(&scheduler->recent_classes[PRIORITY_LOW], 60 * SECOND, 5000);
    fixture_waits(&scheduler->recent_classes[PRIORITY_IDLE], 60 * SECOND, 5000);
    fixture_waits(&scheduler->recent, 60 * SECOND, 10000);
    fixture_ticks(f, 900);
    fixture_expect(f, COMPONENT_SCHEDULER, STATUS_HEALTHY);
    fixture_expect(f, COMPONENT_PRIORITY, STATUS_DEGRADED);
}

/* Its waits stay in the figures of the last minute for that long. */
static void a_burst_of_waits_is_no_queue(void **state)
{
    struct fixture *f = *state;
    struct latency *normal = &f->snapshot.scheduler.recent_classes[PRIORITY_NORMAL];

    fixture_waits(normal, 400 * NS_PER_MS, 1000);
    fixture_waits(&f->snapshot.scheduler.recent_foreground, 400 * NS_PER_MS, 1000);
    fixture_ticks(f, 60);
    fixture_waits(normal, NS_PER_MS, 1000);
    fixture_waits(&f->snapshot.scheduler.recent_foreground, NS_PER_MS, 1000);
    for (int i = 0; i < 120; i++) {
        fixture_ticks(f, 1);
        assert_int_equal(health_status(f->health), STATUS_HEALTHY);
    }
}

static void a_p99_of_few_waits_is_not_judged_for_the_classes_that_run_often(void **state)
{
    struct fixture *f = *state;

    fixture_waits(&f->snapshot.scheduler.recent_classes[PRIORITY_REALTIME], SECOND, 99);
    fixture_ticks(f, 100);
    fixture_expect(f, COMPONENT_PRIORITY, STATUS_HEALTHY);
    fixture_waits(&f->snapshot.scheduler.recent_classes[PRIORITY_REALTIME], SECOND, 100);
    fixture_ticks(f, 91);
    fixture_expect(f, COMPONENT_PRIORITY, STATUS_UNHEALTHY);
}

static void without_its_probe_the_scheduler_is_unknown_with_one_reason(void **state)
{
    struct fixture *f = *state;

    f->snapshot.scheduler.missing = "this kernel has no BTF";
    f->facts.inactive[CONCERN_RUNQ] = "this kernel has no BTF";
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_SCHEDULER, STATUS_UNKNOWN);
    fixture_expect(f, COMPONENT_PRIORITY, STATUS_UNKNOWN);
    fixture_expect_reason(f, COMPONENT_SCHEDULER,
                          "no reading of runq_delay: this kernel has no BTF");
    fixture_expect_reason(f, COMPONENT_PRIORITY,
                          "no reading of runq_delay:realtime: this kernel has no BTF");
    assert_int_equal(fixture_reason_count(f, COMPONENT_PRIORITY), 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    assert_int_equal(health_status(f->health), STATUS_UNKNOWN);
}

static void nothing_configured_is_healthy_and_said(void **state)
{
    struct fixture *f = *state;

    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_PERFORMANCE, STATUS_HEALTHY);
    fixture_expect_reason(f, COMPONENT_PERFORMANCE, "no services or upstreams configured");
}

static double no_jitter(void *ctx)
{
    return 0;
}

static void a_breaker_that_is_not_enforced_is_said_once(void **state)
{
    static struct breaker_row rows[UPSTREAMS_MAX];
    const struct services_ops ops = {.random = no_jitter};
    const struct services_rows memory = {.rows = rows};
    struct config *config = load_valid(
        "{\"upstreams\":[{\"name\":\"a\",\"address\":\"10.0.0.1:1\",\"breaker\":{\"mode\":"
        "\"enforce\"}},{\"name\":\"b\",\"address\":\"10.0.0.2:1\",\"breaker\":{\"mode\":"
        "\"enforce\"}},{\"name\":\"c\",\"address\":\"10.0.0.3:1\"}]}",
        NULL);
    struct fixture *f = *state;
    struct services *s = NULL;

    assert_int_equal(services_create(&s, config, &memory, &ops, f->snapshot.monotonic_ns), 0);
    health_set_services(f->health, s, NULL);
    fixture_ticks(f, 1);
    assert_int_equal(fixture_reason_count(f, COMPONENT_PERFORMANCE), 0); /* not looked at yet */
    services_set_enforcement(s, 0, ENFORCEMENT_ACTIVE, true, NULL);
    services_set_enforcement(s, 1, ENFORCEMENT_IDLE, false, "no cgroup x");
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_PERFORMANCE, STATUS_HEALTHY);
    fixture_expect_reason(f, COMPONENT_PERFORMANCE, "breaker b is not enforced: no cgroup x");
    for (size_t i = 0; i < 3; i++)
        services_set_enforcement(s, i, ENFORCEMENT_FAILED, false, "not attached");
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_PERFORMANCE, STATUS_DEGRADED);
    fixture_expect_reason(f, COMPONENT_PERFORMANCE,
                          "breaker a is not enforced: not attached (and 1 more breaker)");
    assert_int_equal(fixture_reason_count(f, COMPONENT_PERFORMANCE), 1);
    assert_int_equal(services_open(s, "a", f->snapshot.monotonic_ns), 0);
    fixture_ticks(f, 1);
    fixture_expect_reason(f, COMPONENT_PERFORMANCE,
                          "breaker a (not enforced) forced open: by hand");
    services_set_enforcement(s, 0, ENFORCEMENT_IDLE, true, "1 of 2 addresses is not enforced");
    fixture_ticks(f, 1);
    fixture_expect_reason(f, COMPONENT_PERFORMANCE,
                          "breaker a (not wholly enforced) forced open: by hand");
    health_set_services(f->health, NULL, NULL);
    services_destroy(s);
    config_destroy(config);
}

static void crash_loops_are_named(void **state)
{
    struct fixture *f = *state;
    struct crash *last = &f->loops[0].last;

    f->loops[0].count = 3;
    last->record.head.time_ns = f->snapshot.monotonic_ns;
    last->record.signal = SIGABRT;
    last->record.pid = 4011;
    snprintf(last->record.comm, sizeof(last->record.comm), "api");
    snprintf(last->cgroup_path, sizeof(last->cgroup_path), "/system.slice/api.service");
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_PERFORMANCE, STATUS_HEALTHY);
    f->snapshot.events.crash_loop_count = 1;
    fixture_ticks(f, 11);
    fixture_expect(f, COMPONENT_PERFORMANCE, STATUS_DEGRADED);
    fixture_expect_reason(f, COMPONENT_PERFORMANCE,
                          "crash loop: api in cgroup /system.slice/api.service crashed 3 times in "
                          "5 min, last by SIGABRT 12 s ago (pid 4011)");
    f->snapshot.events.crash_loop_count = 0;
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_PERFORMANCE, STATUS_HEALTHY);
}

static void missing_probes_are_said_where_they_are_missed(void **state)
{
    struct fixture *f = *state;

    f->facts.inactive[CONCERN_BLKIO] = "tp_btf/block_rq_complete: No such process";
    f->facts.inactive[CONCERN_TCP] = "off by configuration";
    f->facts.inactive[CONCERN_TASKS] = "shed";
    f->facts.shed_count = 1;
    f->facts.shed[0].concern = CONCERN_TASKS;
    f->facts.shed[0].program = "tasks_dump";
    f->facts.shed[0].retry_in_seconds = 240;
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    fixture_expect(f, COMPONENT_PERFORMANCE, STATUS_HEALTHY);
    fixture_expect_reason(
        f, COMPONENT_RESOURCES,
        "no figures of block I/O latency: tp_btf/block_rq_complete: No such process");
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "probe tasks_dump is shed: the probes were over "
                          "overhead.budget_percent; retried in 4 min");
    assert_int_equal(fixture_reason_count(f, COMPONENT_RESOURCES), 2);
    fixture_expect_reason(f, COMPONENT_PERFORMANCE,
                          "no figures of TCP latency and failures: off by configuration");
}

static void no_probe_at_all_is_said(void **state)
{
    struct fixture *f = *state;

    health_tick(f->health, &f->snapshot, NULL);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    fixture_expect_reason(
        f, COMPONENT_RESOURCES,
        "no kernel probe runs, so only /proc is judged; `moonwatch doctor` says why");
}

static void lost_records_are_said_for_five_minutes(void **state)
{
    struct fixture *f = *state;

    fixture_ticks(f, 1);
    f->facts.dropped[RECORD_STALL] = 7;
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "7 records of reclaim stalls were lost: the ring buffer was full; raise "
                          "overhead.ring_bytes");
    fixture_ticks(f, 200);
    f->facts.dropped[RECORD_STALL] = 9;
    fixture_ticks(f, 200);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "9 records of reclaim stalls were lost: the ring buffer was full; raise "
                          "overhead.ring_bytes");
    fixture_ticks(f, 101);
    assert_int_equal(fixture_reason_count(f, COMPONENT_RESOURCES), 0);
}

static void a_reload_keeps_the_state_and_takes_the_levels(void **state)
{
    struct fixture *f = *state;
    struct config stricter = f->config;
    struct check_view check;
    uint64_t since_ns;

    f->snapshot.memory.usage_percent = reading_of(80);
    fixture_ticks(f, 91);
    assert_true(health_find_check(f->health, "memory", &check));
    since_ns = check.since_ns;
    stricter.health_monitor.thresholds.memory_warning = 60;
    stricter.health_monitor.thresholds.memory_critical = 99;
    health_configure(f->health, &stricter);
    fixture_ticks(f, 1);
    assert_true(health_find_check(f->health, "memory", &check));
    assert_int_equal(check.status, STATUS_DEGRADED);
    assert_int_equal(check.since_ns, since_ns);
    fixture_expect_reason(f, COMPONENT_RESOURCES, "memory 80.0 % used, warning at 60 %");
    health_configure(f->health, &f->config);
}

static void switched_off_is_unknown_with_the_reason(void **state)
{
    struct fixture *f = *state;

    f->config.health_monitor.enabled = false;
    fixture_ticks(f, 1);
    assert_int_equal(health_status(f->health), STATUS_UNKNOWN);
    for (int c = 0; c < COMPONENT_COUNT; c++)
        fixture_expect_reason(f, (enum component)c,
                              "health_monitor.enabled is false: nothing is judged");
    f->config.health_monitor.enabled = true;
    fixture_ticks(f, 1);
    assert_int_equal(health_status(f->health), STATUS_HEALTHY);
}

static void before_the_first_sample_everything_is_unknown(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(health_status(f->health), STATUS_UNKNOWN);
    f->snapshot.sequence = 0;
    health_judge(f->health, &f->snapshot, &f->facts);
    fixture_expect_reason(f, COMPONENT_SCHEDULER, "nothing was sampled yet");
}

static void the_worst_reasons_come_first(void **state)
{
    struct fixture *f = *state;
    struct component_view view;

    f->facts.inactive[CONCERN_OOM] = "no";
    f->filesystems[0].usage_percent = reading_of(81);
    f->filesystems[1].usage_percent = reading_of(99);
    fixture_ticks(f, 1);
    health_component(f->health, COMPONENT_RESOURCES, &view);
    assert_int_equal(view.reasons->count, 3);
    assert_non_null(strstr(view.reasons->text[0], "disk /var"));
    assert_non_null(strstr(view.reasons->text[1], "disk / "));
    assert_non_null(strstr(view.reasons->text[2], "OOM"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_run_queue_that_does_not_drain_is_told_with_the_last_victim),
        FIXTURE_TEST(a_starving_class_degrades_priority_only),
        FIXTURE_TEST(waits_of_low_and_idle_tasks_are_never_unhealthy),
        FIXTURE_TEST(a_burst_of_waits_is_no_queue),
        FIXTURE_TEST(a_p99_of_few_waits_is_not_judged_for_the_classes_that_run_often),
        FIXTURE_TEST(without_its_probe_the_scheduler_is_unknown_with_one_reason),
        FIXTURE_TEST(nothing_configured_is_healthy_and_said),
        FIXTURE_TEST(a_breaker_that_is_not_enforced_is_said_once),
        FIXTURE_TEST(crash_loops_are_named),
        FIXTURE_TEST(missing_probes_are_said_where_they_are_missed),
        FIXTURE_TEST(no_probe_at_all_is_said),
        FIXTURE_TEST(lost_records_are_said_for_five_minutes),
        FIXTURE_TEST(a_reload_keeps_the_state_and_takes_the_levels),
        FIXTURE_TEST(switched_off_is_unknown_with_the_reason),
        FIXTURE_TEST(before_the_first_sample_everything_is_unknown),
        FIXTURE_TEST(the_worst_reasons_come_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
