/* What runs out for one service while the host has plenty: its own limit of files or tasks, its
 * queue of connections, and tasks that do not come back from a wait. */
#include "health/culprit.h"
#include "health/definition.h"
#include <stdio.h>

/* Refused forks are told for as long as an OOM kill is. */
#define REFUSED_NS (300 * NS_PER_SECOND)
/* A sandbox of a few tasks is full by design. */
#define PIDS_LIMIT_MIN 32

/* Drops between two samples are one burst; a client that tries again waits up to half a minute. */
#define DROPPED_NS (10 * NS_PER_SECOND)
#define FULL_DROPPED_NS (60 * NS_PER_SECOND)

#define STUCK_EACH_SECONDS 60
#define STUCK_CRITICAL_SECONDS 300
#define STUCK_MANY 3
/* No further task is named from here on: room for the level has to stay. */
#define STUCK_NAMES_BYTES 90

static uint64_t age_ns(const struct snapshot *snapshot, uint64_t ns)
{
    return snapshot->monotonic_ns > ns ? snapshot->monotonic_ns - ns : 0;
}

static size_t count_process_files(const struct health_input *in)
{
    return in->snapshot->process.files_of_missing ? 0 : in->snapshot->process.files_of_count;
}

static bool read_process_files(const struct check_at *at, struct check_sample *ret)
{
    const struct process_files *row = &at->snapshot->process.files_of[at->index];

    ret->key = row->comm;
    ret->value = reading_of(row->usage_percent);
    return true;
}

static void say_process_files(const struct check_at *at, struct phrase *p)
{
    const struct process_files *row = &at->snapshot->process.files_of[at->index];

    phrase_add(p, "%.*s (pid %u) has %.0f %% of its open files (%.0f of %.0f)", COMM_BYTES,
               row->comm, row->pid, at->value, row->open, row->limit);
}

static size_t count_cgroup_pids(const struct health_input *in)
{
    return in->snapshot->process.cgroup_pids_missing ? 0 : in->snapshot->process.cgroup_pids_count;
}

static bool refused_lately(const struct snapshot *snapshot, const struct cgroup_pids *row)
{
    return row->refused_ns && age_ns(snapshot, row->refused_ns) < REFUSED_NS;
}

static bool read_cgroup_pids(const struct check_at *at, struct check_sample *ret)
{
    const struct cgroup_pids *row = &at->snapshot->process.cgroup_pids[at->index];

    ret->key = row->path;
    ret->value = reading_of(row->usage_percent);
    /* A fork was refused, so the limit was reached, whatever stands there now. */
    if (refused_lately(at->snapshot, row))
        ret->judged = 100;
    else
        ret->quiet = row->limit < PIDS_LIMIT_MIN;
    return true;
}

static void say_cgroup_pids(const struct check_at *at, struct phrase *p)
{
    const struct cgroup_pids *row = &at->snapshot->process.cgroup_pids[at->index];

    phrase_add(p, "cgroup ");
    phrase_path(p, row->path);
    phrase_add(p, " has %.0f of %.0f tasks", row->current, row->limit);
    if (row->refused_ns) {
        phrase_add(p, ", %.0f forks were refused, the last ", row->refused_total);
        phrase_duration(p, (double)age_ns(at->snapshot, row->refused_ns) / NS_PER_SECOND);
        phrase_add(p, " ago");
    }
}

static size_t count_listeners(const struct health_input *in)
{
    return in->snapshot->network.listeners_missing ? 0 : in->snapshot->network.listener_count;
}

static bool read_listener(const struct check_at *at, struct check_sample *ret)
{
    const struct listener *row = &at->snapshot->network.listeners[at->index];
    uint64_t since_drop_ns = age_ns(at->snapshot, row->drop_ns);

    snprintf(ret->key_text, sizeof(ret->key_text), "%u", row->port);
    ret->key = ret->key_text;
    ret->value = reading_of(row->usage_percent);
    /* Full is a queue that something was dropped for: one that fills and drains between two samples
     * is as bad, and one with nobody waiting outside harms nobody. */
    if (row->drop_ns && since_drop_ns < DROPPED_NS)
        ret->judged = 100;
    else
        ret->quiet = !row->drop_ns || since_drop_ns >= FULL_DROPPED_NS;
    return true;
}

static void say_listener(const struct check_at *at, struct phrase *p)
{
    const struct listener *row = &at->snapshot->network.listeners[at->index];

    phrase_add(p, "accept queue of port %u", row->port);
    if (row->cgroup[0]) {
        phrase_add(p, " in cgroup ");
        phrase_path(p, row->cgroup);
    }
    phrase_add(p, " overflows: %.0f wait (backlog %.0f), %.0f connections dropped", row->queue,
               row->backlog, row->drops_total);
}

/* How long the n-th longest has not run; 0 when there are fewer. */
static double stuck_seconds(const struct process_snapshot *process, size_t n)
{
    return n <= process->stuck_count ? process->stuck[n - 1].seconds : 0;
}

/* One task may hang for itself alone; three are something that others hang on. Half of the time
 * tells then. */
static bool read_stuck(const struct check_at *at, struct check_sample *ret)
{
    const struct process_snapshot *process = &at->snapshot->process;
    double longest = stuck_seconds(process, 1), third = stuck_seconds(process, STUCK_MANY);
    bool many = 2 * third > longest;

    if (process->top_missing) {
        ret->value = reading_missing(process->top_missing);
        return true;
    }
    ret->value = reading_of(many ? third : longest);
    ret->judged = many ? 2 * third : longest;
    ret->level_share = many ? 0.5 : 1;
    ret->level_of = many ? "three tasks for " : "one task for ";
    if (third < STUCK_CRITICAL_SECONDS)
        ret->critical_raise_ns = UINT64_MAX;
    return true;
}

static void say_stuck(const struct check_at *at, struct phrase *p)
{
    const struct process_snapshot *process = &at->snapshot->process;
    size_t count = 0;

    while (count < process->stuck_count && process->stuck[count].seconds >= STUCK_EACH_SECONDS)
        count++;
    phrase_add(p, "%zu%s task%s stuck in uninterruptible sleep", count,
               count == TOP_COUNT ? " or more" : "", count == 1 ? " is" : "s are");
    for (size_t i = 0; i < count && i < STUCK_MANY && p->len < STUCK_NAMES_BYTES; i++) {
        const struct stuck_task *task = &process->stuck[i];

        phrase_add(p, "%s %.*s (pid %u", i ? "," : ":", COMM_BYTES, task->comm, task->tgid);
        if (task->wait_channel[0])
            phrase_add(p, " in %s", task->wait_channel);
        phrase_add(p, ") ");
        phrase_duration(p, task->seconds);
    }
}

/* Levels that are not configurable:
 *  - files 90 % of a process: some hundred are left of the usual 1,024. A build that opens many at
 *    once is over in half a minute.
 *  - tasks of a cgroup 95 %; a refused fork at once.
 *  - accept queue: dropping for half a minute, and critical for five.
 *  - stuck: the kernel itself warns at 120 s (kernel.hung_task_timeout_secs). */
static const struct check_definition rows[] = {
    {.name = "process_files",
     .component = COMPONENT_RESOURCES,
     .warning = 90,
     .critical = NAN,
     .margin = 0.05,
     .raise_ns = CHECK_RAISE_NS,
     .clear_ns = CHECK_RAISE_NS,
     .count = count_process_files,
     .read = read_process_files,
     .say = say_process_files,
     .advice = "; find what leaks them or raise LimitNOFILE"},
    {.name = "cgroup_pids",
     .component = COMPONENT_RESOURCES,
     .warning = 95,
     .critical = NAN,
     .margin = 0.05,
     .raise_ns = 0,
     .clear_ns = CHECK_RAISE_NS,
     .count = count_cgroup_pids,
     .read = read_cgroup_pids,
     .say = say_cgroup_pids,
     .advice = "; find what forks or raise pids.max (TasksMax)"},
    {.name = "accept_queue",
     .component = COMPONENT_RESOURCES,
     .warning = 100,
     .critical = 100,
     .margin = 0.1,
     .raise_ns = CHECK_RAISE_NS,
     .critical_raise_ns = 300 * NS_PER_SECOND,
     .clear_ns = CHECK_CLEAR_NS,
     .count = count_listeners,
     .read = read_listener,
     .say = say_listener,
     .advice = "; it does not accept, or not fast enough"},
    {.name = "stuck",
     .component = COMPONENT_RESOURCES,
     .in_seconds = true,
     .warning = 2 * STUCK_EACH_SECONDS,
     .critical = 2 * STUCK_CRITICAL_SECONDS,
     .margin = 0.1,
     .raise_ns = 0,
     .clear_ns = 0,
     .read = read_stuck,
     .say = say_stuck},
};

const struct check_table exhaustion_checks = {rows, sizeof(rows) / sizeof(rows[0])};
