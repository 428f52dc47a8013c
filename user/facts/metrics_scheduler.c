/* Run queues, uninterruptible sleep, reclaim: of the host, by class and by cgroup. */
#include "facts/class_rows.h"
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include "facts/tables.h"

void metrics_scheduler(struct metrics_page *page)
{
    const struct scheduler_snapshot *scheduler = &page->facts->snapshot->scheduler;
    struct class_row classes[PRIORITY_CLASS_COUNT];

    class_rows_take(classes, scheduler);
    metric_table(page->e, &class_table,
                 &(const struct metric_rows){classes, sizeof(*classes), PRIORITY_CLASS_COUNT, 0});
    metric_object(page->e, &waits_table, scheduler);
}

/* Every third bound: enough to see whose tail it is. */
#define CGROUP_STEP 3
/* Bounds, +Inf, sum and count; two counters each of sleeps and stalls. */
#define CGROUP_ROW_SERIES ((SLOT_COUNT - 2) / CGROUP_STEP + 1 + 3 + 4)

/* One counter of a struct latency per cgroup. */
static void add_cgroup_counter(struct exposition *e, const struct cgroup_rows *all,
                               const struct metric_family *family, size_t latency_at, bool seconds)
{
    exposition_family(e, family);
    for (size_t i = 0; i <= all->count; i++) {
        bool other = i == all->count;
        const char *path = other ? "other" : all->rows[i].path;
        const char *totals = (const char *)(other ? &all->other : &all->rows[i].now);
        const struct latency *latency = (const void *)(totals + latency_at);

        if (seconds)
            exposition_sample(e, LABELS({"cgroup", path}), (double)latency->sum_ns / NS_PER_SECOND);
        else
            exposition_count(e, LABELS({"cgroup", path}), latency->count);
    }
}

void metrics_cgroups(struct metrics_page *page)
{
    static const struct metric_family delay = {
        "moonwatch_cgroup_run_queue_delay_seconds", METRIC_HISTOGRAM,
        "Runnable tasks waiting for a CPU, of the cgroups that waited most. See "
        "moonwatch_run_queue_delay_seconds."};
    static const struct {
        struct metric_family families[2]; /* seconds, count */
        size_t at;
        size_t missing_at; /* in struct scheduler_snapshot */
    } rows[] = {
        {{{"moonwatch_cgroup_blocked_seconds", METRIC_COUNTER,
           "Time in uninterruptible sleep, by cgroup."},
          {"moonwatch_cgroup_blocked_sleeps", METRIC_COUNTER,
           "Uninterruptible sleeps, by cgroup."}},
         offsetof(struct cgroup_totals, blocked),
         offsetof(struct scheduler_snapshot, blocked_missing)},
        {{{"moonwatch_cgroup_reclaim_stall_seconds", METRIC_COUNTER,
           "Time stalled in memory reclaim, by cgroup."},
          {"moonwatch_cgroup_reclaim_stalls", METRIC_COUNTER,
           "Stalls in memory reclaim, by cgroup."}},
         offsetof(struct cgroup_totals, reclaim),
         offsetof(struct scheduler_snapshot, reclaim_missing)},
    };
    const struct scheduler_snapshot *scheduler = &page->facts->snapshot->scheduler;
    const struct cgroup_rows *all = &page->metrics->cgroups;
    size_t room;

    if (scheduler->cgroup_count == 0)
        return;
    /* The row `other` is one more. */
    room = metric_lists_rows(&page->metrics->lists, page->e, LIST_CGROUPS,
                             scheduler->cgroup_count + 1, CGROUP_ROW_SERIES, 0);
    cgroup_rows_update(&page->metrics->cgroups, scheduler, room > 0 ? room - 1 : 0);
    page->metrics->lists.omitted[LIST_CGROUPS] =
        all->count < scheduler->cgroup_count ? scheduler->cgroup_count - all->count : 0;
    METRIC_FAMILY(page->e, delay, "cgroup ", NEED_RUNQ);
    for (size_t i = 0; i < all->count && !scheduler->missing; i++)
        exposition_histogram(page->e, LABELS({"cgroup", all->rows[i].path}),
                             &all->rows[i].now.delay, CGROUP_STEP);
    if (!scheduler->missing)
        exposition_histogram(page->e, LABELS({"cgroup", "other"}), &all->other.delay, CGROUP_STEP);
    METRIC_DECLARE(rows[0].families, sizeof(rows[0].families[0]), 2, "cgroup ", NEED_RUNQ);
    METRIC_DECLARE(rows[1].families, sizeof(rows[1].families[0]), 2, "cgroup ", NEED_RECLAIM);
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        if (*(const char *const *)((const char *)scheduler + rows[r].missing_at))
            continue;
        add_cgroup_counter(page->e, all, &rows[r].families[0], rows[r].at, true);
        add_cgroup_counter(page->e, all, &rows[r].families[1], rows[r].at, false);
    }
}
