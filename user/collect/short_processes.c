#include "collect/short_processes.h"
#include "base/array.h"
#include "base/top.h"
#include "collect/event_path.h"
#include "model/task_table.h"
#include "probe/map.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAP "process_short"

struct short_row {
    struct short_key key;
    struct short_stats total, grown;
};

struct reading_rows {
    const struct short_processes *before;
    struct short_row *rows;
    size_t count, capacity;
};

void short_processes_open(struct short_processes *s, const struct collector_env *env)
{
    s->probe = env->probe;
    s->cgroups = env->cgroups;
}

void short_processes_close(struct short_processes *s)
{
    free(s->rows);
}

void short_processes_mark(const struct short_processes *s, uint64_t now_ns)
{
    if (s->probe)
        probe_map_set_u64(s->probe, "process_seen", now_ns);
}

static int by_key(const void *a, const void *b)
{
    return memcmp(&((const struct short_row *)a)->key, &((const struct short_row *)b)->key,
                  sizeof(struct short_key));
}

static void set_grown(const struct short_processes *before, struct short_row *row)
{
    const struct short_row *old =
        before->count ? bsearch(row, before->rows, before->count, sizeof(*row), by_key) : NULL;

    /* What was there when the agent came is of former times. */
    if (!before->began_ns)
        return;
    row->grown = row->total;
    if (old && old->total.processes <= row->total.processes &&
        old->total.cpu_ns <= row->total.cpu_ns) {
        row->grown.processes -= old->total.processes;
        row->grown.cpu_ns -= old->total.cpu_ns;
    }
}

static void on_row(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    struct reading_rows *to = ctx;
    struct short_row *row;

    if (!ARRAY_GROW(to->rows, to->capacity, to->count + 1))
        return;
    row = &to->rows[to->count++];
    *row = (struct short_row){0};
    memcpy(&row->key, key, sizeof(row->key));
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        const struct short_stats *stats =
            (const void *)((const char *)values + (size_t)cpu * stride);

        row->total.processes += stats->processes;
        row->total.cpu_ns += stats->cpu_ns;
    }
    set_grown(to->before, row);
}

/* Names come and go: what was quiet for an interval makes room, so that the map need only hold what
 * one interval brings. */
static void drop_quiet(struct short_processes *s)
{
    static const struct short_key other;
    size_t kept = 0;

    for (size_t i = 0; i < s->count; i++) {
        const struct short_row *row = &s->rows[i];

        if (row->grown.processes == 0 && memcmp(&row->key, &other, sizeof(other)) != 0 &&
            probe_map_delete(s->probe, MAP, &row->key) == 0)
            continue;
        s->rows[kept++] = *row;
    }
    s->count = kept;
}

static void fill(const struct short_processes *s, const struct short_row *row, uint64_t now_ns,
                 double elapsed_ns, unsigned cpus, struct short_processes_row *ret)
{
    double percent = 100 * (double)row->grown.cpu_ns / elapsed_ns;

    *ret = (struct short_processes_row){
        .cgroup_id = row->key.cgroup_id,
        .processes_per_second = (double)row->grown.processes * (double)NS_PER_SECOND / elapsed_ns,
        /* One can have begun a moment before the interval, whose end came late. */
        .cpu_percent = percent < 100.0 * cpus ? percent : 100.0 * cpus,
    };
    memcpy(ret->comm, row->key.comm, sizeof(ret->comm));
    ret->comm[sizeof(ret->comm) - 1] = '\0';
    if (row->key.cgroup_id)
        event_path(ret->cgroup_path, s->cgroups, row->key.cgroup_id, now_ns);
}

static bool before(const void *a, const void *b)
{
    return ((const struct short_row *)a)->grown.cpu_ns >
           ((const struct short_row *)b)->grown.cpu_ns;
}

static void fill_top(const struct short_processes *s, uint64_t now_ns, unsigned cpus,
                     struct process_snapshot *ret)
{
    struct short_row best[TOP_COUNT];
    double elapsed_ns = (double)(now_ns - s->began_ns);
    size_t count = 0;

    for (size_t i = 0; i < s->count; i++) {
        const struct short_row *row = &s->rows[i];

        if (row->grown.cpu_ns)
            top_offer(best, &count, TOP_COUNT, sizeof(best[0]), row, before);
    }
    ret->short_count = count;
    for (size_t i = 0; i < count; i++)
        fill(s, &best[i], now_ns, elapsed_ns, cpus, &ret->short_processes[i]);
}

void short_processes_sample(struct short_processes *s, uint64_t now_ns, unsigned cpus,
                            struct process_snapshot *ret)
{
    struct reading_rows read = {.before = s};

    if (s->began_ns && now_ns - s->began_ns < TASK_TABLE_INTERVAL_MIN_NS)
        return;
    ret->short_missing = NULL;
    if (!s->probe)
        ret->short_missing = "no BPF";
    else if (probe_concern_active(s->probe, CONCERN_PROCESS, &ret->short_missing) &&
             probe_map_for_each(s->probe, MAP, on_row, &read) < 0)
        ret->short_missing = "the map " MAP " could not be read";
    if (ret->short_missing) {
        free(read.rows);
        s->count = 0;
        s->began_ns = 0;
        ret->short_count = 0;
        return;
    }
    free(s->rows);
    s->rows = read.rows;
    s->count = read.count;
    if (s->count)
        qsort(s->rows, s->count, sizeof(*s->rows), by_key);
    if (s->began_ns)
        fill_top(s, now_ns, cpus, ret);
    drop_quiet(s);
    s->began_ns = now_ns;
}
