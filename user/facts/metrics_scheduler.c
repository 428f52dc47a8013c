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

static struct cgroup_waits row_of(const char *path, const struct cgroup_totals *totals,
                                  const struct cgroup_waits *like)
{
    return (struct cgroup_waits){
        .path = path,
        .delay = totals->delay,
        .blocked = totals->blocked,
        .reclaim = totals->reclaim,
        .missing = like->missing,
        .reclaim_missing = like->reclaim_missing,
    };
}

void metrics_cgroups(struct metrics_page *page)
{
    const struct scheduler_snapshot *scheduler = &page->facts->snapshot->scheduler;
    const struct cgroup_rows *all = &page->metrics->cgroups;
    struct cgroup_waits rows[CGROUP_ROWS_MAX + 1];
    size_t room;

    if (scheduler->cgroup_count == 0)
        return;
    /* The row `other` is one more. */
    room =
        metric_lists_rows(&page->metrics->lists, page->e, LIST_CGROUPS, scheduler->cgroup_count + 1,
                          metric_table_series(&cgroup_waits_table, 0), 0);
    cgroup_rows_update(&page->metrics->cgroups, scheduler, room > 0 ? room - 1 : 0);
    page->metrics->lists.omitted[LIST_CGROUPS] =
        all->count < scheduler->cgroup_count ? scheduler->cgroup_count - all->count : 0;
    for (size_t i = 0; i < all->count; i++)
        rows[i] = row_of(all->rows[i].path, &all->rows[i].now, scheduler->cgroups);
    rows[all->count] = row_of("other", &all->other, scheduler->cgroups);
    metric_table(page->e, &cgroup_waits_table,
                 &(const struct metric_rows){rows, sizeof(*rows), all->count + 1, 0});
}
