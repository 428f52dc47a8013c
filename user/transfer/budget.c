#include "transfer/budget.h"
#include <string.h>

/* Five shares of 0.2 are a whole retry, whatever their sum in binary. */
#define ROUNDING 1e-9

void retry_budget_init(struct retry_budget *budget, double share, double per_second,
                       uint64_t now_ns)
{
    *budget = (struct retry_budget){
        .newest_slot = now_ns / NS_PER_SECOND,
        .free = RETRY_BUDGET_FREE_MAX(per_second),
        .refilled_ns = now_ns,
    };
    retry_budget_set(budget, share, per_second);
}

void retry_budget_set(struct retry_budget *budget, double share, double per_second)
{
    budget->share = share;
    budget->per_second = per_second;
    if (budget->free > RETRY_BUDGET_FREE_MAX(per_second))
        budget->free = RETRY_BUDGET_FREE_MAX(per_second);
}

static void advance(struct retry_budget *budget, uint64_t now_ns)
{
    uint64_t slot = now_ns / NS_PER_SECOND;
    double free_max = RETRY_BUDGET_FREE_MAX(budget->per_second);

    if (slot >= budget->newest_slot + RETRY_BUDGET_SLOTS) {
        memset(budget->earned, 0, sizeof(budget->earned));
        budget->newest_slot = slot;
    }
    while (budget->newest_slot < slot)
        budget->earned[++budget->newest_slot % RETRY_BUDGET_SLOTS] = 0;
    if (now_ns > budget->refilled_ns) {
        budget->free += budget->per_second * (double)(now_ns - budget->refilled_ns) / 1e9;
        if (budget->free > free_max)
            budget->free = free_max;
        budget->refilled_ns = now_ns;
    }
}

double retry_budget_balance(struct retry_budget *budget, uint64_t now_ns)
{
    double sum;

    advance(budget, now_ns);
    sum = budget->free;
    for (int i = 0; i < RETRY_BUDGET_SLOTS; i++)
        sum += budget->earned[i];
    return sum;
}

void retry_budget_earn(struct retry_budget *budget, uint64_t now_ns)
{
    advance(budget, now_ns);
    budget->earned[budget->newest_slot % RETRY_BUDGET_SLOTS] += budget->share;
}

static void take(double *from, double *wanted)
{
    double taken = *from < *wanted ? *from : *wanted;

    *from -= taken;
    *wanted -= taken;
}

bool retry_budget_spend(struct retry_budget *budget, uint64_t now_ns)
{
    double wanted = 1;

    if (retry_budget_balance(budget, now_ns) + ROUNDING < 1)
        return false;
    for (int i = 1; i <= RETRY_BUDGET_SLOTS; i++)
        take(&budget->earned[(budget->newest_slot + (uint64_t)i) % RETRY_BUDGET_SLOTS], &wanted);
    take(&budget->free, &wanted);
    return true;
}
