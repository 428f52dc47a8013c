/* GET /health/scheduler: how long tasks wait for a CPU, and who waits longest. */
#include "abi/reclaim.h"
#include "base/cleanup.h"
#include "facts/tables.h"
#include "http/routes.h"
#include "model/histogram.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CGROUPS_SHOWN 10
/* The window of the `recent` figures, see model/scheduler.h. */
#define RECENT_SECONDS 60

struct scheduler_view {
    struct component_view component;
    uint64_t realtime_ns;
    const struct scheduler_snapshot *figures;
    const char *figures_missing;
    const struct cpu_snapshot *cpu;
    uint64_t recent_ns;
    double slow_wait_seconds;
    const char *slow_waits_missing;
    size_t cgroup_count;
    const struct cgroup_waits *cgroups;
    uint64_t cgroups_omitted;
    const char *top_missing;
    size_t top_count;
    const struct process_row *top;
    size_t none;
    const void *nothing;
    const char *jobs_missing, *queues_missing;
};

/* Background jobs and application queues have no row type before something measures them. */
static const struct field_table job_table = {.name = "Job", .about = "A background task."};
const struct field_table queue_table = {.name = "Queue", .about = "An application's queue."};

#define TYPE struct scheduler_view
static const struct field scheduler_fields[] = {
    ROW("status", FIELD_STATUS, component.status),
    ROW("reasons", FIELD_REASONS, component.reasons),
    ROW("ts", FIELD_TIME, realtime_ns, .unknown = "nothing was sampled yet"),
    {.kind = FIELD_MERGE, .offset = offsetof(TYPE, cpu), .table = &tasks_table},
    ROW("recent_window_seconds", FIELD_DURATION, recent_ns, .about = "of the `recent` figures"),
    {.kind = FIELD_MERGE, .offset = offsetof(TYPE, figures), .table = &waits_table},
    ROW("slow_wait_threshold_seconds", FIELD_DOUBLE, slow_wait_seconds, .decimals = 6,
        .unknown = "slow waits are not recorded: performance_tracker.slow_wait_ms is 0"),
    {.kind = FIELD_MERGE,
     .offset = offsetof(TYPE, figures),
     .table = &slow_waits_table,
     .missing_at = MISSING_AT(TYPE, slow_waits_missing)},
    LIST("cgroups", cgroups, cgroup_count, &cgroup_waits_table, struct cgroup_waits,
         .missing_at = MISSING_AT(TYPE, figures_missing),
         .about = "those that waited longest, by the 99th percentile"),
    ROW("cgroups_omitted", FIELD_U64, cgroups_omitted,
        .missing_at = MISSING_AT(TYPE, figures_missing), .about = "in /metrics, not shown here"),
    LIST("top", top, top_count, &process_table, struct process_row,
         .missing_at = MISSING_AT(TYPE, top_missing), .about = "processes by run-queue delay"),
    LIST("jobs", nothing, none, &job_table, char, .missing_at = MISSING_AT(TYPE, jobs_missing),
         .about = "background tasks"),
    LIST("queues", nothing, none, &queue_table, char,
         .missing_at = MISSING_AT(TYPE, queues_missing), .about = "application queues"),
};
#undef TYPE

static const struct field_table scheduler_table =
    FIELD_TABLE("Scheduler", scheduler_fields, "Run queues, blocked tasks, slow waits.");

static double p99(const struct latency *l)
{
    struct reading value = latency_quantile_ns(l, 0.99);

    return reading_known(value) ? value.value : -1;
}

static int compare_cgroups(const void *a, const void *b)
{
    const struct cgroup_waits *x = a, *y = b;
    double p99_x = p99(&x->delay), p99_y = p99(&y->delay);

    if (p99_x != p99_y)
        return p99_x < p99_y ? 1 : -1;
    return (x->delay.count < y->delay.count) - (x->delay.count > y->delay.count);
}

static int body_scheduler(const struct body_env *env, struct body *ret)
{
    const struct scheduler_snapshot *s = &env->facts->snapshot->scheduler;
    const struct process_snapshot *process = &env->facts->snapshot->process;
    size_t count = s->missing ? 0 : s->cgroup_count;
    CLEANUP_FREE struct cgroup_waits *cgroups = calloc(count + 1, sizeof(*cgroups));
    struct scheduler_view view = {
        .realtime_ns = env->facts->snapshot->realtime_ns,
        .figures = s,
        .cpu = &env->facts->snapshot->cpu,
        .recent_ns = RECENT_SECONDS * NS_PER_SECOND,
        .figures_missing = s->missing,
        .slow_wait_seconds = env->slow_wait_seconds,
        .slow_waits_missing = s->missing,
        .cgroup_count = count < CGROUPS_SHOWN ? count : CGROUPS_SHOWN,
        .cgroups = cgroups,
        .top_missing = process->top_missing,
        .top_count = process->top_count[TOP_RUN_DELAY],
        .top = process->top[TOP_RUN_DELAY],
        .jobs_missing = "this version does not watch background jobs",
        .queues_missing = "this version does not watch application queues",
    };

    if (!cgroups)
        return -ENOMEM;
    view.cgroups_omitted = count - view.cgroup_count;
    if (count) {
        memcpy(cgroups, s->cgroups, count * sizeof(*cgroups));
        qsort(cgroups, count, sizeof(*cgroups), compare_cgroups);
    }
    if (!view.slow_waits_missing && !(env->slow_wait_seconds > 0))
        view.slow_waits_missing =
            "slow waits are not recorded: performance_tracker.slow_wait_ms is 0";
    health_component(env->facts->health, COMPONENT_SCHEDULER, &view.component);
    return body_render(ret, 200, &scheduler_table, &view, env->facts->snapshot);
}

const struct route route_scheduler = {
    .method = "GET",
    .path = "/health/scheduler",
    .role = ROLE_VIEWER,
    .body = body_scheduler,
    .needs_sample = true,
    .type = ROUTE_JSON,
    .table = &scheduler_table,
    .id = "healthScheduler",
    .summary = "Run-queue delay, runnable and blocked tasks, slow waits, the worst cgroups",
    .answer = "The figures of the last minute and since the agent started",
};
