/* How many rows each list gets on a page whose series are bounded. What is not cut short by the
 * host's size is written first; the lists share what is left, and what one of them does not need
 * goes to the next. */
#ifndef MOONWATCH_FACTS_METRIC_LISTS_H
#define MOONWATCH_FACTS_METRIC_LISTS_H

#include "facts/exposition.h"

/* In the order of the page: each takes its share of what the ones before left. */
enum metric_list {
    LIST_CHECKS,
    LIST_FILESYSTEMS,
    LIST_INTERFACES,
    LIST_BLOCK_DEVICES,
    LIST_THROTTLED,
    LIST_CGROUPS,
    LIST_PORTS,
    METRIC_LIST_COUNT,
};

#define METRIC_SERIES_DEFAULT 3000

struct metric_lists {
    size_t series_max; /* of the page */
    size_t omitted[METRIC_LIST_COUNT];
};

const char *metric_list_name(enum metric_list list);

/* How many of `count` rows of `row_series` each may be written; for a sink all, for a rule must
 * find its row wherever that stands. The rows beyond and `omitted_before`, which are not in the
 * snapshot, are counted as omitted. */
size_t metric_lists_rows(struct metric_lists *lists, const struct exposition *e,
                         enum metric_list list, size_t count, size_t row_series,
                         size_t omitted_before);
/* The list's share of what is left, in series. */
size_t metric_lists_share(const struct metric_lists *lists, const struct exposition *e,
                          enum metric_list list);

#endif
