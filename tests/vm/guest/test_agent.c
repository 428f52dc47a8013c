/* The running agent of this guest against the guest's own /proc and cgroups. */
#include "agent_fixture.h"
#include "own_cgroup.h"

static pid_t agent, burner;
static char mount_path[128], cgroup[200];

static void throttle(void)
{
    assert_true(cgroup_mount(NULL, mount_path, sizeof(mount_path)));
    assert_true(cgroup_write(mount_path, "cgroup.subtree_control", "+cpu"));
    snprintf(cgroup, sizeof(cgroup), "%s/moonwatch-slow", mount_path);
    assert_true(cgroup_make(cgroup) != 0);
    assert_true(cgroup_write(cgroup, "cpu.max", "5000 100000"));
    burner = fork();
    assert_true(burner >= 0);
    if (burner == 0) {
        if (!cgroup_write(cgroup, "cgroup.procs", "0"))
            _exit(98);
        for (volatile unsigned long i = 0;; i++)
            ;
    }
}

/* The agent looks for quotas when it starts, so they are there before it. */
static int setup(void **state)
{
    (void)state;
    throttle();
    agent = agent_start();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kill(burner, SIGKILL);
    waitpid(burner, NULL, 0);
    cgroup_remove(cgroup);
    if (agent)
        kill(agent, SIGKILL);
    return 0;
}

static double number_in(const char *path, const char *format)
{
    char line[256];
    double value = -1;
    FILE *file = fopen(path, "re");

    assert_non_null(file);
    while (value < 0 && fgets(line, sizeof(line), file))
        if (sscanf(line, format, &value) != 1)
            value = -1;
    fclose(file);
    assert_true(value >= 0);
    return value;
}

static void health_names_every_component(void **state)
{
    static const char *const components[] = {"scheduler", "resources", "performance", "priority"};
    cJSON *health = agent_get_json("/health");

    (void)state;
    for (size_t i = 0; i < sizeof(components) / sizeof(components[0]); i++) {
        const cJSON *component = json_at(json_at(health, "components"), components[i]);
        const char *status = cJSON_GetStringValue(json_at(component, "status"));

        assert_non_null(status);
        print_message("%s: %s\n", components[i], status);
    }
    cJSON_Delete(health);
}

static void resources_are_those_of_proc(void **state)
{
    const double total = number_in("/proc/meminfo", "MemTotal: %lf") * 1024;
    cJSON *resources = agent_get_json("/health/resources");
    double cpu = json_at(resources, "cpu.usage_percent")->valuedouble;
    double pressure;

    (void)state;
    assert_true(json_at(resources, "memory.total_bytes")->valuedouble == total);
    assert_true(cpu >= 0 && cpu <= 100);
    assert_true(json_at(resources, "cpu.context_switches_total")->valuedouble <=
                number_in("/proc/stat", "ctxt %lf"));
    /* Pressure stall information: read before /proc was. Microseconds there. */
    pressure = json_at(resources, "pressure.cpu.some.seconds_total")->valuedouble;
    assert_true(pressure > 0);
    assert_true(pressure <= number_in("/proc/pressure/cpu", "some %*s %*s %*s total=%lf") / 1e6);
    assert_true(cJSON_IsNumber(json_at(resources, "pressure.memory.full.seconds_total")));
    cJSON_Delete(resources);
}

static bool throttled_row(double *ret_periods)
{
    cJSON *resources = agent_get_json("/health/resources");
    const cJSON *row;
    bool found = false;

    cJSON_ArrayForEach (row, json_at(resources, "cpu.throttled_cgroups")) {
        if (strcmp(cJSON_GetStringValue(json_at(row, "cgroup")), "/moonwatch-slow") != 0)
            continue;
        *ret_periods = json_at(row, "throttled_periods_total")->valuedouble;
        found = *ret_periods > 0;
    }
    cJSON_Delete(resources);
    return found;
}

static void a_quota_is_seen_at_work(void **state)
{
    uint64_t deadline = agent_now_ns() + AGENT_DEADLINE_NS;
    double before, periods = 0, after;
    char path[256];

    (void)state;
    snprintf(path, sizeof(path), "%s/cpu.stat", cgroup);
    before = number_in(path, "nr_throttled %lf");
    while (!throttled_row(&periods) || periods < before) {
        if (agent_now_ns() > deadline)
            fail_msg("throttled %.0f times, the agent says %.0f", before, periods);
        poll(NULL, 0, 100);
    }
    after = number_in(path, "nr_throttled %lf");
    assert_true(periods <= after);
}

static void the_metrics_page_has_figures(void **state)
{
    static const char *const samples[] = {
        "\nmoonwatch_build_info{", "\nmoonwatch_run_queue_method_info{",
        "\nmoonwatch_reclaim_stall_seconds_count{", "\nmoonwatch_memory_oom_kills_total "};
    char *page = agent_get("/metrics", 200);

    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
        if (!strstr(page, samples[i]))
            fail_msg("no sample %s", samples[i] + 1);
    free(page);
}

static void it_ends_when_asked(void **state)
{
    (void)state;
    assert_int_equal(agent_stop(agent), 0);
    agent = 0;
    assert_int_not_equal(access("/sys/fs/bpf/moonwatch", F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(health_names_every_component),
        cmocka_unit_test(resources_are_those_of_proc),
        cmocka_unit_test(a_quota_is_seen_at_work),
        cmocka_unit_test(the_metrics_page_has_figures),
        cmocka_unit_test(it_ends_when_asked),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
