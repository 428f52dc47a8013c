/* A retry budget as in Finagle's RetryBudget: each call earns a share of a retry, which lapses
 * after RETRY_BUDGET_TTL_NS, and beside that so many retries per second are free. */
#ifndef MOONWATCH_TRANSFER_BUDGET_H
#define MOONWATCH_TRANSFER_BUDGET_H

#include "base/clock.h"
#include <stdbool.h>
#include <stdint.h>

#define RETRY_BUDGET_SLOTS 10
#define RETRY_BUDGET_TTL_NS (RETRY_BUDGET_SLOTS * NS_PER_SECOND)

struct retry_budget {
    double share;                      /* of a retry, earned by a call: 0..1 */
    double per_second;                 /* 0 or more */
    double earned[RETRY_BUDGET_SLOTS]; /* by second, in a ring */
    uint64_t newest_slot;              /* seconds of the clock */
    double free;                       /* at most RETRY_BUDGET_FREE_MAX(per_second) */
    uint64_t refilled_ns;
};

/* A second's worth, and a whole retry where it is less. */
#define RETRY_BUDGET_FREE_MAX(per_second) ((per_second) > 0 && (per_second) < 1 ? 1 : (per_second))

/* Times are of one monotonic clock. */
void retry_budget_init(struct retry_budget *budget, double share, double per_second,
                       uint64_t now_ns);
/* What was earned is kept, at most what the new rate allows. */
void retry_budget_set(struct retry_budget *budget, double share, double per_second);
void retry_budget_earn(struct retry_budget *budget, uint64_t now_ns);
/* Takes one retry if there is one: what lapses soonest first. */
bool retry_budget_spend(struct retry_budget *budget, uint64_t now_ns);
/* How many there are. */
double retry_budget_balance(struct retry_budget *budget, uint64_t now_ns);

#endif
