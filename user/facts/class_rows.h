/* The kernel's priority classes as rows: do they get the CPU when they want it? */
#ifndef MOONWATCH_FACTS_CLASS_ROWS_H
#define MOONWATCH_FACTS_CLASS_ROWS_H

#include "abi/slots.h"
#include "facts/field.h"
#include "model/scheduler.h"

/* A wait is called starvation from here up: a slot's lower bound, so that the count is exact. A
 * second is an order beyond what the kernel means any runnable task of nice 0 to wait. */
#define CLASS_STARVED_SLOT 21
#define CLASS_STARVED_NS (1ULL << (CLASS_STARVED_SLOT + SLOT_SHIFT - 1))

extern const struct field_table class_table;

struct class_row {
    const char *name;
    const struct runq_stats *stats;
    const struct latency *recent_delay;
    const char *missing;
    uint64_t starved_recent, starved_total;
    struct reading wait_percent;
};

/* They point into `scheduler`. */
void class_rows_take(struct class_row ret[PRIORITY_CLASS_COUNT],
                     const struct scheduler_snapshot *scheduler);

#endif
