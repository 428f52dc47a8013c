/* Statuses and reasons of the resources, from made-up snapshots. */
#include "health_fixture.h"

static void a_well_host_is_healthy_without_reasons(void **state)
{
    struct fixture *f = *state;

    fixture_ticks(f, 100);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    assert_int_equal(fixture_reason_count(f, COMPONENT_RESOURCES), 0);
    assert_int_equal(health_status(f->health), STATUS_HEALTHY);
}

static void memory_names_the_largest_process(void **state)
{
    struct fixture *f = *state;
    struct process_row *row = &f->snapshot.process.top[TOP_RSS][0];
    struct check_view check;

    f->snapshot.memory.usage_percent = reading_of(92.1);
    f->snapshot.process.top_count[TOP_RSS] = 1;
    row->pid = 812;
    strcpy(row->comm, "postgres");
    row->rss_bytes = (uint64_t)(3.1 * GIB);
    row->rss_bytes_per_second = reading_of(12 * 0x1p20 / 60);
    fixture_ticks(f, 30);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_UNHEALTHY);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "memory 92.1 % used, critical at 90 %; largest: postgres (pid 812) "
                          "3.1 GiB, growing 12 MiB/min");
    assert_true(health_find_check(f->health, "memory", &check));
    assert_int_equal(check.status, STATUS_UNHEALTHY);
    assert_float_equal(check.warning, 75, 0);
    assert_float_equal(check.critical, 90, 0);
    assert_float_equal(check.value.value, 92.1, 0);
    assert_int_equal(check.since_ns, f->snapshot.monotonic_ns);
}

static void a_value_on_its_way_down_says_when_it_clears(void **state)
{
    struct fixture *f = *state;

    f->snapshot.memory.usage_percent = reading_of(80);
    fixture_ticks(f, 31);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
    f->snapshot.memory.usage_percent = reading_of(73);
    fixture_ticks(f, 600);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "memory 73.0 % used, warning at 75 %, clears once it stays below 71.2 %");
    f->snapshot.memory.usage_percent = reading_of(71);
    fixture_ticks(f, 60);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
}

static struct process_row *burner(struct fixture *f, const char *comm)
{
    struct process_row *row = &f->snapshot.process.top[TOP_CPU][0];

    f->snapshot.process.top_count[TOP_CPU] = 1;
    *row = (struct process_row){.pid = 7, .cpu_percent = reading_of(0)};
    snprintf(row->comm, sizeof(row->comm), "%s", comm);
    row->short_children_cpu_percent = reading_of(0);
    return row;
}

static void cpu_is_judged_on_an_average_over_half_a_minute(void **state)
{
    struct fixture *f = *state;

    burner(f, "ffmpeg")->cpu_percent = reading_of(180);
    f->snapshot.cpu.total.percent[CPU_STEAL] = reading_of(9);
    fixture_ticks(f, 1);
    /* Busy with a breath every tenth second, as real loads are. */
    for (int i = 0; i < 60; i++) {
        f->snapshot.cpu.total.usage_percent = reading_of(i % 10 ? 99 : 60);
        fixture_ticks(f, 1);
        if (i < 30)
            fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    }
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
    f->snapshot.cpu.total.usage_percent = reading_of(99);
    fixture_ticks(f, 100);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "cpu 99.0 % busy (9 % stolen by the hypervisor), warning at 70 %; most: "
                          "ffmpeg (pid 7) 90 % of 2 CPUs");
}

static void a_busy_cpu_is_critical_when_it_goes_on(void **state)
{
    struct fixture *f = *state;

    burner(f, "make")->short_children_cpu_percent = reading_of(190);
    f->snapshot.cpu.total.usage_percent = reading_of(99);
    fixture_ticks(f, 300);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_UNHEALTHY);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "cpu 99.0 % busy, critical at 85 %; most: many short processes of make "
                          "(pid 7) 95 % of 2 CPUs");
}

static void the_time_to_critical_is_configured(void **state)
{
    struct fixture *f = *state;

    f->config.health_monitor.cpu_critical_after_seconds = 0;
    f->snapshot.cpu.total.usage_percent = reading_of(99);
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_UNHEALTHY);
}

static void a_busy_cpu_is_critical_sooner_when_others_wait_for_it(void **state)
{
    struct fixture *f = *state;

    burner(f, "spin")->cpu_percent = reading_of(100);
    f->snapshot.cpu.total.usage_percent = reading_of(99);
    fixture_waits(&f->snapshot.scheduler.recent_foreground, 300 * NS_PER_MS, 1000);
    fixture_ticks(f, 90);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_UNHEALTHY);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "cpu 99.0 % busy, critical at 85 %; tasks wait 534 ms for it; most: spin "
                          "(pid 7) 50 % of 2 CPUs");
}

/* What the queue and the pressure tell. */
static void without_the_scheduler_probe_others_are_seen_to_wait_too(void **state)
{
    struct fixture *f = *state;

    f->snapshot.scheduler.missing = "no BPF";
    f->snapshot.cpu.total.usage_percent = reading_of(99);
    f->snapshot.cpu.runnable = reading_of(19);
    f->snapshot.pressure.resource[PRESSURE_CPU].some.avg60_percent = reading_of(99);
    fixture_ticks(f, 200);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
    f->snapshot.cpu.runnable = reading_of(20);
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_UNHEALTHY);
}

/* A task counts when it leaves the CPU: in one second nothing, in another the time of many. */
static void niced_and_idle_work_is_not_judged(void **state)
{
    struct fixture *f = *state;
    struct pressure *cpu = &f->snapshot.pressure.resource[PRESSURE_CPU];
    struct check_view check;

    f->snapshot.cpu.total.usage_percent = reading_of(100);
    cpu->some.avg10_percent = reading_of(100);
    for (int i = 0; i < 3600; i++) {
        f->snapshot.scheduler.background_cpu_percent = reading_of(i % 4 == 3 ? 4 * 98 : 0);
        fixture_ticks(f, 1);
        fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    }
    assert_true(health_find_check(f->health, "cpu", &check));
    assert_float_equal(check.value.value, 100, 0);
    /* And what comes beside it is. */
    f->snapshot.scheduler.background_cpu_percent = reading_of(10);
    fixture_ticks(f, 320);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_UNHEALTHY);
}

static void without_the_scheduler_probe_niced_work_is_told_by_its_mode(void **state)
{
    struct fixture *f = *state;
    struct cpu_times *total = &f->snapshot.cpu.total;

    f->snapshot.scheduler.missing = "no BPF";
    f->snapshot.pressure.resource[PRESSURE_CPU].some.avg10_percent = reading_of(100);
    total->usage_percent = reading_of(100);
    total->percent[CPU_NICE] = reading_of(60);
    total->percent[CPU_SYSTEM] = reading_of(35);
    total->percent[CPU_USER] = reading_of(5);
    fixture_ticks(f, 1000);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    total->percent[CPU_NICE] = reading_of(0);
    total->percent[CPU_USER] = reading_of(65);
    fixture_ticks(f, 320);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_UNHEALTHY);
}

/* Some task always waits beside a full CPU; whether it waits long is what matters. */
static void pressure_on_the_cpu_is_told_when_somebody_waits_long(void **state)
{
    struct fixture *f = *state;

    f->snapshot.pressure.resource[PRESSURE_CPU].some.avg10_percent = reading_of(100);
    fixture_ticks(f, 1000);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    fixture_waits(&f->snapshot.scheduler.recent_foreground, 60 * NS_PER_MS, 1000);
    fixture_ticks(f, 31);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
}

static void a_full_disk_is_told_at_once_with_the_time_left(void **state)
{
    struct fixture *f = *state;

    f->filesystems[1].usage_percent = reading_of(91.2);
    f->filesystems[1].full_in_seconds = reading_of(3 * 3600);
    f->filesystems[0].inodes_usage_percent = reading_of(96);
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_UNHEALTHY);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "disk /var 91.2 % used, warning at 80 %, full in about 3 h");
    fixture_expect_reason(f, COMPONENT_RESOURCES, "inodes of / 96.0 % used, critical at 95 %");
}

static void a_filesystem_that_stops_answering_is_unknown_after_the_grace_time(void **state)
{
    struct fixture *f = *state;

    fixture_ticks(f, 1);
    f->filesystems[1].usage_percent = reading_missing("statvfs: Input/output error");
    fixture_ticks(f, 10);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_UNKNOWN);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "no reading of disk:/var: statvfs: Input/output error");
    f->filesystems[1].usage_percent = reading_of(40);
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
}

static void swap_counts_only_while_memory_is_short(void **state)
{
    struct fixture *f = *state;

    f->snapshot.memory.swap_usage_percent = reading_of(97);
    fixture_ticks(f, 100);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    f->snapshot.pressure.resource[PRESSURE_MEMORY].some.avg10_percent = reading_of(12);
    fixture_ticks(f, 31);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_UNHEALTHY);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "swap 97.0 % used while memory is short, critical at 95 %");
}

static void finite_tables_name_the_knob(void **state)
{
    struct fixture *f = *state;

    f->snapshot.process.pid_usage_percent = reading_of(91);
    f->snapshot.process.threads = reading_of(29818);
    f->snapshot.network.conntrack_usage_percent = reading_of(97);
    f->snapshot.network.conntrack_entries = reading_missing("truncated");
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_UNHEALTHY);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "pids 91.0 % used (29818 of 32768), warning at 85 %; find what leaks "
                          "them or raise kernel.pid_max and kernel.threads-max");
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "connection tracking 97.0 % used, critical at 95 %; find what leaks them "
                          "or raise net.netfilter.nf_conntrack_max");
}

static void blocked(struct fixture *f, const char *comm, double percent, uint64_t rss_bytes)
{
    struct process_snapshot *process = &f->snapshot.process;
    struct process_row *row = &process->top[TOP_BLOCKED][process->top_count[TOP_BLOCKED]++];

    *row = (struct process_row){.pid = 8 + (uint32_t)process->top_count[TOP_BLOCKED],
                                .rss_bytes = rss_bytes,
                                .blocked_percent = reading_of(percent)};
    snprintf(row->comm, sizeof(row->comm), "%s", comm);
}

/* It is all that runs on the host, and the kernel's own threads write for it. */
static void a_backup_alone_is_no_standstill(void **state)
{
    struct fixture *f = *state;

    f->snapshot.pressure.resource[PRESSURE_IO].full.avg10_percent = reading_of(97);
    blocked(f, "tar", 95, 1 << 20);
    blocked(f, "jbd2/sda1-8", 90, 0);
    blocked(f, "kworker/u4:1", 80, 0);
    fixture_ticks(f, 3600);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    blocked(f, "gzip", 60, 1 << 20);
    fixture_ticks(f, 3600);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
}

static void pressure_says_who_stood_still(void **state)
{
    struct fixture *f = *state;
    struct check_view check;

    f->snapshot.pressure.resource[PRESSURE_IO].full.avg10_percent = reading_of(85);
    blocked(f, "rsync", 88, 1 << 20);
    blocked(f, "postgres", 70, 1 << 20);
    blocked(f, "sshd", 50, 1 << 20);
    fixture_ticks(f, 300);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_UNHEALTHY);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "all tasks stood still for io 85.0 % of the last 10 s, critical at 80 %; "
                          "most: rsync (pid 9) blocked 88 % of the time");
    assert_true(health_find_check(f->health, "pressure:memory", &check));
    assert_true(health_find_check(f->health, "pressure_full:io", &check));
}

static void a_throttled_cgroup_is_told(void **state)
{
    struct fixture *f = *state;

    f->snapshot.throttle.count = 1;
    f->snapshot.throttle.version = 2;
    strcpy(f->throttles[0].path, "/system.slice/api.service");
    f->throttles[0].throttled_percent = reading_missing("first sample");
    fixture_ticks(f, 1);
    f->throttles[0].throttled_percent = reading_of(60);
    fixture_ticks(f, 120);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "cgroup /system.slice/api.service was throttled in 59 % of its CPU "
                          "periods, warning at 25 %; raise its cpu.max or its work's need");
}

static void an_oom_kill_degrades_for_five_minutes(void **state)
{
    struct fixture *f = *state;
    struct oom_capsule *oom = &f->ooms[0];

    fixture_ticks(f, 1);
    oom->record.head.time_ns = f->snapshot.monotonic_ns + SECOND / 2;
    oom->record.pid = 812;
    memcpy(oom->record.comm, "sixteen-bytes-xx", COMM_BYTES);
    oom->record.anon_rss_bytes = 60 << 20;
    oom->record.limit_bytes = 64 << 20;
    strcpy(oom->limit_path, "/batch");
    f->snapshot.events.oom_count = 1;
    /* The agent judges at once, with the sample from before the kill. */
    health_judge(f->health, &f->snapshot, &f->facts);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
    fixture_ticks(f, 20);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "cgroup /batch reached its memory limit of 64 MiB: sixteen-bytes-xx (pid "
                          "812, 60 MiB) was killed 20 s ago");
    oom->global = true;
    f->ooms[1] = *oom;
    f->snapshot.events.oom_count = 2;
    fixture_ticks(f, 1);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "the host ran out of memory: sixteen-bytes-xx (pid 812, 60 MiB) was "
                          "killed 20 s ago, 2 kills in 5 min");
    fixture_ticks(f, 279);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_DEGRADED);
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
}

static void everything_missing_is_unknown_and_says_each_source_once(void **state)
{
    struct fixture *f = *state;
    struct snapshot *s = &f->snapshot;
    struct reading gone = reading_missing("no /proc");

    s->cpu.missing = "no /proc/stat";
    s->memory.missing = "no /proc/meminfo";
    s->disk.missing = "no mountinfo";
    s->pressure.missing = "this kernel has no PSI";
    s->throttle.missing = "no cpu controller";
    s->process.pid_usage_percent = gone;
    s->process.files_usage_percent = gone;
    fixture_ticks(f, 100);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_UNKNOWN);
    fixture_expect_reason(f, COMPONENT_RESOURCES, "no reading of cpu: no /proc/stat");
    fixture_expect_reason(f, COMPONENT_RESOURCES, "no reading of memory: no /proc/meminfo");
    fixture_expect_reason(f, COMPONENT_RESOURCES, "no reading of disk: no mountinfo");
    fixture_expect_reason(f, COMPONENT_RESOURCES, "no reading of pids: no /proc");
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "no reading of pressure:cpu: this kernel has no PSI");
    assert_int_equal(fixture_reason_count(f, COMPONENT_RESOURCES), 5);
}

static void without_the_list_of_filesystems_the_resources_are_unknown(void **state)
{
    struct fixture *f = *state;

    f->snapshot.disk.missing = "no mountinfo";
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_UNKNOWN);
    f->snapshot.disk.missing = NULL;
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
}

static void a_host_without_psi_is_not_sick(void **state)
{
    struct fixture *f = *state;

    f->snapshot.pressure.missing = "this kernel has no PSI";
    fixture_ticks(f, 100);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
}

static void long_paths_leave_room_for_what_is_wrong(void **state)
{
    struct fixture *f = *state;
    struct component_view view;

    memset(f->filesystems[1].mount, 'm', sizeof(f->filesystems[1].mount) - 1);
    f->filesystems[1].usage_percent = reading_of(99);
    fixture_ticks(f, 1);
    health_component(f->health, COMPONENT_RESOURCES, &view);
    assert_non_null(strstr(view.reasons->text[0], "mm 99.0 % used, critical at 95 %"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_well_host_is_healthy_without_reasons),
        FIXTURE_TEST(memory_names_the_largest_process),
        FIXTURE_TEST(a_value_on_its_way_down_says_when_it_clears),
        FIXTURE_TEST(cpu_is_judged_on_an_average_over_half_a_minute),
        FIXTURE_TEST(a_full_disk_is_told_at_once_with_the_time_left),
        FIXTURE_TEST(a_filesystem_that_stops_answering_is_unknown_after_the_grace_time),
        FIXTURE_TEST(swap_counts_only_while_memory_is_short),
        FIXTURE_TEST(finite_tables_name_the_knob),
        FIXTURE_TEST(a_busy_cpu_is_critical_when_it_goes_on),
        FIXTURE_TEST(the_time_to_critical_is_configured),
        FIXTURE_TEST(a_busy_cpu_is_critical_sooner_when_others_wait_for_it),
        FIXTURE_TEST(without_the_scheduler_probe_others_are_seen_to_wait_too),
        FIXTURE_TEST(niced_and_idle_work_is_not_judged),
        FIXTURE_TEST(without_the_scheduler_probe_niced_work_is_told_by_its_mode),
        FIXTURE_TEST(pressure_on_the_cpu_is_told_when_somebody_waits_long),
        FIXTURE_TEST(a_backup_alone_is_no_standstill),
        FIXTURE_TEST(pressure_says_who_stood_still),
        FIXTURE_TEST(a_throttled_cgroup_is_told),
        FIXTURE_TEST(an_oom_kill_degrades_for_five_minutes),
        FIXTURE_TEST(everything_missing_is_unknown_and_says_each_source_once),
        FIXTURE_TEST(without_the_list_of_filesystems_the_resources_are_unknown),
        FIXTURE_TEST(a_host_without_psi_is_not_sick),
        FIXTURE_TEST(long_paths_leave_room_for_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
