#include "collect/oom_capsule.h"
#include "collect/event_path.h"
#include <stdio.h>
#include <string.h>

void oom_capsule_begin(struct oom_capsule *c, struct cgroup_paths *memory_cgroups, uint64_t now_ns)
{
    const struct record_oom *record = &c->record;

    c->global = record->limit_cgroup_id == 0;
    event_path(c->cgroup_path, memory_cgroups, record->cgroup_id, now_ns);
    event_path(c->limit_path, memory_cgroups, record->limit_cgroup_id, now_ns);
}

struct scope {
    const struct oom_capsule *capsule;
    struct cgroup_paths *memory_cgroups;
    const char *limit; /* path of the cgroup that was at its limit; NULL: not known */
    uint64_t now_ns;
};

/* In the cgroup that was at its limit, or below it. */
static bool is_inside(void *ctx, uint64_t memory_cgroup_id)
{
    const struct scope *scope = ctx;
    const struct record_oom *record = &scope->capsule->record;
    size_t len = scope->limit ? strlen(scope->limit) : 0;
    const char *path;

    if (memory_cgroup_id == record->limit_cgroup_id || memory_cgroup_id == record->cgroup_id)
        return true;
    path = cgroup_paths_find(scope->memory_cgroups, memory_cgroup_id, scope->now_ns).path;
    return path && len > 0 && strncmp(path, scope->limit, len) == 0 && path[len] == '/';
}

/* The victim's row if the snapshots have it, else what the record says. */
static struct process_row victim_row(const struct record_oom *record,
                                     const struct task_table *tasks)
{
    const struct reading unseen = reading_missing("it began after the last task snapshot");
    struct process_row row;

    if (!tasks || !task_table_find(tasks, record->pid, &row) ||
        strncmp(row.comm, record->comm, COMM_BYTES) != 0) {
        row = (struct process_row){
            .pid = record->pid,
            .oom_score_adj = record->oom_score_adj,
            .rss_bytes_per_second = unseen,
            .cpu_percent = unseen,
            .short_children_cpu_percent = unseen,
            .run_delay_percent = unseen,
            .blocked_percent = unseen,
            .read_bytes_per_second = unseen,
            .written_bytes_per_second = unseen,
        };
        memcpy(row.comm, record->comm, sizeof(row.comm));
    }
    /* At the kill; the snapshots are from before it, or from when it was dying. */
    row.rss_bytes = record->anon_rss_bytes + record->file_rss_bytes;
    return row;
}

static void remove_row(struct oom_capsule *c, uint32_t pid)
{
    for (size_t i = 0; i < c->top_count; i++) {
        if (c->top[i].pid != pid)
            continue;
        c->top_count--;
        memmove(&c->top[i], &c->top[i + 1], (c->top_count - i) * sizeof(c->top[0]));
        return;
    }
}

/* By size; the smallest goes when there is no room, never the victim itself. */
static void insert_row(struct oom_capsule *c, const struct process_row *row)
{
    size_t at = c->top_count < TOP_COUNT ? c->top_count : TOP_COUNT - 1;

    c->top_count = at + 1;
    for (; at > 0 && c->top[at - 1].rss_bytes < row->rss_bytes; at--)
        c->top[at] = c->top[at - 1];
    c->top[at] = *row;
}

void oom_capsule_complete(struct oom_capsule *c, const struct task_table *tasks,
                          struct cgroup_paths *memory_cgroups, uint64_t now_ns)
{
    struct scope scope = {.capsule = c, .memory_cgroups = memory_cgroups, .now_ns = now_ns};
    const struct task_query query = {
        .order = TOP_RSS,
        .with_ended = true,
        .inside = c->global ? NULL : is_inside,
        .ctx = &scope,
    };
    struct process_row victim = victim_row(&c->record, tasks);

    if (!c->global)
        scope.limit = cgroup_paths_find(memory_cgroups, c->record.limit_cgroup_id, now_ns).path;
    c->top_count = tasks ? task_table_top(tasks, &query, c->top, TOP_COUNT) : 0;
    remove_row(c, victim.pid);
    insert_row(c, &victim);
    c->snapshot_age_ns = 0;
    if (tasks && task_table_taken_ns(tasks) < c->record.head.time_ns)
        c->snapshot_age_ns = c->record.head.time_ns - task_table_taken_ns(tasks);
}
