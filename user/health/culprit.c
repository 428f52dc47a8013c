#include "health/culprit.h"
#include <math.h>

/* What is less of a process's time goes without saying. */
#define WORTH_SAYING 0.1
/* A cgroup is named when no process or program in it says half as much. */
#define CGROUP_TIMES 2

static double known_or_zero(struct reading reading)
{
    return reading_known(reading) ? reading.value : 0;
}

/* Of the host where the number of CPUs is known, else of one of them: "190 %" alone says neither.
 */
static void say_cpu_share(const struct snapshot *snapshot, double percent_of_one, struct phrase *p)
{
    size_t cpus = snapshot->cpu.missing ? 0 : snapshot->cpu.core_count;

    if (cpus > 1)
        phrase_add(p, "%.0f %% of %zu CPUs", percent_of_one / (double)cpus, cpus);
    else
        phrase_add(p, "%.0f %% of a CPU", percent_of_one);
}

/* What processes are ordered by, with what they waited for. */
static double whole_percent(const struct process_row *row)
{
    return known_or_zero(row->cpu_percent) + known_or_zero(row->short_children_cpu_percent);
}

void culprit_say_cpu(const struct snapshot *snapshot, const struct process_row *row,
                     struct phrase *p)
{
    double whole = whole_percent(row);
    double children = whole > 0 ? known_or_zero(row->short_children_cpu_percent) / whole : 0;

    phrase_add(p, "%s%.*s (pid %u) ", children > 1 - WORTH_SAYING ? "many short processes of " : "",
               COMM_BYTES, row->comm, row->pid);
    if (children >= WORTH_SAYING && children <= 1 - WORTH_SAYING)
        phrase_add(p, "and many short processes of it ");
    say_cpu_share(snapshot, whole, p);
}

/* What most of it went to when that is no process of its own. */
static const struct short_processes_row *top_short(const struct snapshot *snapshot)
{
    const struct process_snapshot *process = &snapshot->process;

    return process->short_missing || !process->short_count ? NULL : &process->short_processes[0];
}

static const struct cgroup_cpu *top_cgroup(const struct snapshot *snapshot)
{
    const struct cgroup_cpu_snapshot *cgroups = &snapshot->cgroup_cpu;

    return cgroups->missing || !cgroups->count ? NULL : &cgroups->rows[0];
}

static double top_process_percent(const struct snapshot *snapshot)
{
    const struct process_snapshot *process = &snapshot->process;
    const struct process_row *row = &process->top[TOP_CPU][0];

    return process->top_count[TOP_CPU] == 0 ? 0 : whole_percent(row);
}

static void say_short(const struct snapshot *snapshot, const struct short_processes_row *row,
                      struct phrase *p)
{
    phrase_add(p, row->processes_per_second < 1 ? "short processes" : "many short processes");
    if (*row->comm)
        phrase_add(p, " named %.*s", COMM_BYTES, row->comm);
    if (row->cgroup_path[0] && row->cgroup_path[1]) {
        phrase_add(p, " in ");
        phrase_path(p, row->cgroup_path);
    }
    phrase_add(p, " ");
    say_cpu_share(snapshot, row->cpu_percent, p);
}

bool culprit_say_cpu_of_many(const struct snapshot *snapshot, struct phrase *p)
{
    const struct short_processes_row *ended = top_short(snapshot);
    const struct cgroup_cpu *cgroup = top_cgroup(snapshot);
    double process = top_process_percent(snapshot), ended_percent = ended ? ended->cpu_percent : 0;

    if (cgroup && cgroup->cpu_percent > CGROUP_TIMES * fmax(process, ended_percent)) {
        phrase_add(p, "cgroup ");
        phrase_path(p, cgroup->path);
        phrase_add(p, " ");
        say_cpu_share(snapshot, cgroup->cpu_percent, p);
        return true;
    }
    if (ended_percent <= process)
        return false;
    say_short(snapshot, ended, p);
    return true;
}

void culprit_add_cpu(const struct snapshot *snapshot, struct phrase *p)
{
    const struct process_snapshot *process = &snapshot->process;
    char many[192];
    struct phrase of_many;

    phrase_init(&of_many, many, sizeof(many));
    if (culprit_say_cpu_of_many(snapshot, &of_many)) {
        phrase_add(p, "; most: %s", many);
    } else if (process->top_count[TOP_CPU] > 0) {
        phrase_add(p, "; most: ");
        culprit_say_cpu(snapshot, &process->top[TOP_CPU][0], p);
    }
}

static void add_growth(struct phrase *p, struct reading bytes_per_second)
{
    /* Below 1 MiB/min the trend of a process is noise. */
    if (!reading_known(bytes_per_second) || bytes_per_second.value * 60 < 0x1p20)
        return;
    phrase_add(p, ", growing ");
    phrase_bytes(p, bytes_per_second.value * 60);
    phrase_add(p, "/min");
}

void culprit_add_memory(const struct snapshot *snapshot, struct phrase *p)
{
    const struct process_snapshot *process = &snapshot->process;
    const struct process_row *row = &process->top[TOP_RSS][0];

    if (process->top_count[TOP_RSS] == 0)
        return;
    phrase_add(p, "; largest: %.*s (pid %u) ", COMM_BYTES, row->comm, row->pid);
    phrase_bytes(p, (double)row->rss_bytes);
    add_growth(p, row->rss_bytes_per_second);
}

void culprit_add_blocked(const struct snapshot *snapshot, struct phrase *p)
{
    const struct process_snapshot *process = &snapshot->process;
    const struct process_row *row = &process->top[TOP_BLOCKED][0];

    if (process->top_count[TOP_BLOCKED] > 0 && reading_known(row->blocked_percent))
        phrase_add(p, "; most: %.*s (pid %u) blocked %.0f %% of the time", COMM_BYTES, row->comm,
                   row->pid, row->blocked_percent.value);
}
