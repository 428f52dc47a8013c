/* Which of many counted things have rows of their own on the metrics page, and what the row `other`
 * counts.
 *
 * A counter may not go back, or Prometheus takes it for a restart and adds the whole value again.
 * So `other` is the total less what was counted in rows of their own *while* they had one: a thing
 * that gets a row leaves what it had before in `other`, and one that loses its row does not come
 * back into it.
 */
#ifndef MOONWATCH_FACTS_TOLD_ROWS_H
#define MOONWATCH_FACTS_TOLD_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct told_source {
    uint64_t key;
    uint64_t weight; /* who is told: the heaviest. A newcomer must weigh twice as much. */
    bool guest;      /* may have a quarter of the rows only */
    const void *counters;
};

struct told_row {
    uint64_t key, weight;
    bool guest, seen;
    uint64_t *now, *base; /* `base`: when it got its row */
};

struct told_rows {
    size_t counter_count; /* uint64_t each; set once */
    bool told;            /* there was an update before */
    size_t count, capacity;
    struct told_row *rows;
    uint64_t *memory; /* `departed`, `other` and a sum in the making */
};

/* `total` counts everything, also what is in no source. At most `max` rows. Sorts `sources`. False
 * without memory: then nothing is told. */
bool told_rows_update(struct told_rows *all, struct told_source *sources, size_t count, size_t max,
                      const void *total);
const void *told_rows_other(const struct told_rows *all);
void told_rows_free(struct told_rows *all);

#endif
