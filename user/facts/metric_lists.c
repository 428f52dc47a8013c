#include "facts/metric_lists.h"

/* For the lines that count what was omitted. */
#define TRAILING_SERIES 16
/* What is configured may alone be more than the page's bound: the lists still get something. */
#define LISTS_SHARE_LEAST 3

static const struct {
    const char *name;
    unsigned weight;
} lists_table[METRIC_LIST_COUNT] = {
    [LIST_CHECKS] = {"check", 10},
    [LIST_FILESYSTEMS] = {"filesystem", 15},
    [LIST_INTERFACES] = {"interface", 10},
    [LIST_BLOCK_DEVICES] = {"block", 15},
    [LIST_THROTTLED] = {"throttled_cgroup", 5},
    [LIST_CGROUPS] = {"cgroup", 15},
    [LIST_PORTS] = {"port", 30},
};

const char *metric_list_name(enum metric_list list)
{
    return lists_table[list].name;
}

size_t metric_lists_share(const struct metric_lists *lists, const struct exposition *e,
                          enum metric_list list)
{
    size_t used = e->series + TRAILING_SERIES, weight = lists_table[list].weight;
    size_t left = used < lists->series_max ? lists->series_max - used : 0;
    size_t least = lists->series_max * lists_table[list].weight / LISTS_SHARE_LEAST / 100;

    for (int i = (int)list + 1; i < METRIC_LIST_COUNT; i++)
        weight += lists_table[i].weight;
    left = weight ? left * lists_table[list].weight / weight : 0;
    return left > least ? left : least;
}

size_t metric_lists_rows(struct metric_lists *lists, const struct exposition *e,
                         enum metric_list list, size_t count, size_t row_series,
                         size_t omitted_before)
{
    size_t shown = count, room;

    if (e->sink) {
        lists->omitted[list] = omitted_before;
        return count;
    }
    room = metric_lists_share(lists, e, list) / row_series;
    if (shown > room)
        shown = room;
    lists->omitted[list] = count - shown + omitted_before;
    return shown;
}
