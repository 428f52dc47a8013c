/* Processes: how many, against which limits, who uses most, and how they come and go.
 *
 * The task snapshot is taken every 5 s, and at once when the OOM killer struck: what was in memory
 * then is the evidence.
 */
#include "abi/task.h"
#include "base/cleanup.h"
#include "base/scan.h"
#include "collect/collector.h"
#include "collect/process_lifecycle.h"
#include "collect/process_limit.h"
#include "collect/short_processes.h"
#include "model/stuck_tasks.h"
#include "model/task_table.h"
#include "probe/map.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define TASKS_EVERY_NS (5 * NS_PER_SECOND)
/* Ticks come a little early or late; a snapshot must not be put off to the next one for that. */
#define TASKS_EARLY_NS (NS_PER_SECOND / 2)
/* Victims of one OOM event are marked within moments: one snapshot serves them all. */
#define TASKS_OOM_DISTANCE_NS (100 * NS_PER_MS)

struct process_state {
    struct probe *probe;
    const struct clock *clock;
    struct process_limits limits;
    struct lifecycle lifecycle;
    struct short_processes short_processes;
    struct task_table *tasks;
    struct stuck_tasks *stuck;
    const char *proc;
    uint64_t taken_ns; /* 0: never */
    double seconds;
    const char *missing; /* why the last snapshot failed */
};

static void add_row(void *ctx, const struct task_row *row)
{
    struct process_state *s = ctx;

    task_table_add(s->tasks, row);
    stuck_tasks_add(s->stuck, row);
}

static unsigned cpus_online(void)
{
    return (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
}

static const char *run_iterator(struct process_state *s, uint64_t now_ns)
{
    const char *reason;
    bool blocked_known;
    int rows;

    if (!s->probe)
        return "no BPF";
    if (!probe_concern_active(s->probe, CONCERN_TASKS, &reason))
        return reason;
    blocked_known = probe_concern_active(s->probe, CONCERN_RUNQ, &reason);
    task_table_begin(s->tasks, now_ns, blocked_known, cpus_online());
    stuck_tasks_begin(s->stuck, now_ns);
    rows = probe_tasks_for_each(s->probe, add_row, s);
    if (task_table_end(s->tasks) < 0)
        return "out of memory";
    if (rows < 0)
        return "the task iterator failed";
    return NULL;
}

static void take_snapshot(struct process_state *s)
{
    s->taken_ns = clock_monotonic_ns(s->clock);
    short_processes_mark(&s->short_processes, s->taken_ns);
    s->missing = run_iterator(s, s->taken_ns);
    s->seconds = (double)(clock_monotonic_ns(s->clock) - s->taken_ns) / (double)NS_PER_SECOND;
}

/* "0" stands for nothing or for a kernel without symbols; else a function's name. */
static void read_wait_channel(const struct process_state *s, struct stuck_task *task)
{
    CLEANUP_FREE char *text = NULL;
    char path[64];
    size_t len;

    task->wait_channel[0] = '\0';
    snprintf(path, sizeof(path), "%u/task/%u/wchan", task->tgid, task->pid);
    if (file_read_all(s->proc, path, 128, &text, &len) == 0 && strcmp(text, "0") != 0)
        scan_copy_string(text, task->wait_channel, sizeof(task->wait_channel));
}

static void fill_stuck(const struct process_state *s, struct process_snapshot *p)
{
    size_t count = s->missing ? 0 : stuck_tasks_longest(s->stuck, p->stuck, TOP_COUNT);

    p->stuck_count = 0;
    if (count == 0)
        p->stuck[0] = (struct stuck_task){0};
    /* One that slept in one snapshot only is not stuck. */
    while (p->stuck_count < count && p->stuck[p->stuck_count].seconds > 0)
        read_wait_channel(s, &p->stuck[p->stuck_count++]);
}

static void fill_top(const struct process_state *s, struct process_snapshot *p)
{
    p->top_missing = s->missing;
    p->top_taken_ns = s->taken_ns;
    p->top_seconds = s->seconds;
    p->tasks = s->missing ? NULL : s->tasks;
    fill_stuck(s, p);
    p->processes = s->missing ? reading_missing(s->missing)
                              : reading_of((double)task_table_processes(s->tasks));
    for (int order = 0; order < TOP_ORDER_COUNT; order++) {
        const struct task_query query = {.order = order};

        p->top_count[order] =
            s->missing ? 0 : task_table_top(s->tasks, &query, p->top[order], TOP_COUNT);
    }
}

static void process_sample(void *state, uint64_t now_ns, struct snapshot *snapshot)
{
    struct process_state *s = state;
    struct process_snapshot *p = &snapshot->process;

    process_limits_sample(&s->limits, p);
    if (!s->taken_ns || now_ns + TASKS_EARLY_NS - s->taken_ns >= TASKS_EVERY_NS)
        take_snapshot(s);
    if (p->top_taken_ns != s->taken_ns) {
        fill_top(s, p);
        short_processes_sample(&s->short_processes, s->taken_ns, cpus_online(), p);
    }
    lifecycle_sample(&s->lifecycle, now_ns, p);
}

static void process_on_record(void *state, const struct record_head *record, uint64_t realtime_ns)
{
    struct process_state *s = state;

    (void)realtime_ns;
    if (record->type == RECORD_OOM &&
        clock_monotonic_ns(s->clock) - s->taken_ns >= TASKS_OOM_DISTANCE_NS)
        take_snapshot(s);
}

static int process_open(void *state, const struct collector_env *env)
{
    struct process_state *s = state;

    if (task_table_create(&s->tasks) < 0)
        return -ENOMEM;
    if (stuck_tasks_create(&s->stuck) < 0) {
        task_table_destroy(s->tasks);
        return -ENOMEM;
    }
    s->proc = env->host->proc;
    s->probe = env->probe;
    s->clock = env->clock;
    process_limits_open(&s->limits, env->host);
    lifecycle_open(&s->lifecycle, env);
    short_processes_open(&s->short_processes, env);
    return 0;
}

static void process_close(void *state)
{
    struct process_state *s = state;

    process_limits_close(&s->limits);
    lifecycle_close(&s->lifecycle);
    short_processes_close(&s->short_processes);
    task_table_destroy(s->tasks);
    stuck_tasks_destroy(s->stuck);
}

const struct collector process_collector = {
    .name = "process",
    .state_size = sizeof(struct process_state),
    .open = process_open,
    .sample = process_sample,
    .on_record = process_on_record,
    .close = process_close,
};
