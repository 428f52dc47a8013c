#include "transfer/retry.h"
#include "base/array.h"
#include "transfer/budget.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct retry_destination {
    struct retry *retry;
    char *name;
    unsigned users;
    bool has_own_policy;
    struct retry_policy own_policy;
    struct retry_budget budget;
    struct retry_destination_view view;
};

struct retry {
    struct retry_policy policy;
    struct retry_ops ops;
    const struct clock *clock;
    const struct random_source *random;
    size_t count, capacity;
    struct retry_destination **destinations;
};

struct retry_policy retry_policy_of(const struct config *config)
{
    return (struct retry_policy){
        .max_attempts = config->retry.max_attempts,
        .base_delay_ns = clock_ns_of_seconds(config->retry.base_delay_seconds),
        .max_delay_ns = clock_ns_of_seconds(config->retry.max_delay_seconds),
        .max_elapsed_ns = clock_ns_of_seconds(config->retry.max_elapsed_seconds),
        .jitter = config->retry.jitter,
        .budget_share = config->retry.budget_percent / 100,
        .budget_per_second = config->retry.budget_per_second,
    };
}

uint64_t retry_delay_ns(const struct retry_policy *policy, unsigned attempt,
                        const struct random_source *random)
{
    uint64_t delay_ns = policy->base_delay_ns;

    while (attempt-- > 1 && delay_ns < policy->max_delay_ns)
        delay_ns *= 2;
    if (delay_ns > policy->max_delay_ns)
        delay_ns = policy->max_delay_ns;
    switch (policy->jitter) {
    case RETRY_JITTER_FULL:
        return random_up_to(random, delay_ns);
    case RETRY_JITTER_EQUAL:
        return delay_ns - random_up_to(random, delay_ns / 2);
    case RETRY_JITTER_NONE:
        break;
    }
    return delay_ns;
}

const char *retry_decision_name(enum retry_decision decision)
{
    static const char *const names[RETRY_DECISIONS] = {
        "done", "again", "permanent", "attempts", "elapsed", "open", "budget",
    };

    return names[decision];
}

static const struct retry_policy *policy_of(const struct retry_destination *destination)
{
    return destination->has_own_policy ? &destination->own_policy : &destination->retry->policy;
}

int retry_create(struct retry **ret, const struct retry_policy *policy, const struct retry_ops *ops,
                 const struct clock *clock, const struct random_source *random)
{
    struct retry *retry = calloc(1, sizeof(*retry));

    if (!retry)
        return -ENOMEM;
    retry->policy = *policy;
    retry->ops = *ops;
    retry->clock = clock;
    retry->random = random;
    *ret = retry;
    return 0;
}

static void free_destination(struct retry_destination *destination)
{
    free(destination->name);
    free(destination);
}

void retry_destroy(struct retry *retry)
{
    if (!retry)
        return;
    for (size_t i = 0; i < retry->count; i++)
        free_destination(retry->destinations[i]);
    free(retry->destinations);
    free(retry);
}

void retry_set_policy(struct retry *retry, const struct retry_policy *policy)
{
    retry->policy = *policy;
    for (size_t i = 0; i < retry->count; i++)
        if (!retry->destinations[i]->has_own_policy)
            retry_budget_set(&retry->destinations[i]->budget, policy->budget_share,
                             policy->budget_per_second);
}

void retry_set_own_policy(struct retry_destination *destination, const struct retry_policy *policy)
{
    destination->has_own_policy = true;
    destination->own_policy = *policy;
    retry_budget_set(&destination->budget, policy->budget_share, policy->budget_per_second);
}

static int make_room(struct retry *retry)
{
    if (retry->count >= RETRY_DESTINATIONS_MAX)
        return -ENOSPC;
    return ARRAY_GROW(retry->destinations, retry->capacity, retry->count + 1) ? 0 : -ENOMEM;
}

int retry_join(struct retry *retry, struct retry_destination **ret, const char *name)
{
    struct retry_destination *destination;
    int r;

    for (size_t i = 0; i < retry->count; i++) {
        if (strcmp(retry->destinations[i]->name, name) != 0)
            continue;
        retry->destinations[i]->users++;
        *ret = retry->destinations[i];
        return 0;
    }
    r = make_room(retry);
    if (r < 0)
        return r;
    destination = calloc(1, sizeof(*destination));
    if (destination)
        destination->name = strdup(name);
    if (!destination || !destination->name) {
        free(destination);
        return -ENOMEM;
    }
    destination->retry = retry;
    destination->users = 1;
    retry_budget_init(&destination->budget, retry->policy.budget_share,
                      retry->policy.budget_per_second, clock_monotonic_ns(retry->clock));
    retry->destinations[retry->count++] = destination;
    *ret = destination;
    return 0;
}

void retry_leave(struct retry_destination *destination)
{
    struct retry *retry;
    size_t i = 0;

    if (!destination || --destination->users)
        return;
    retry = destination->retry;
    while (retry->destinations[i] != destination)
        i++;
    retry->count--;
    memmove(&retry->destinations[i], &retry->destinations[i + 1],
            (retry->count - i) * sizeof(struct retry_destination *));
    free_destination(destination);
}

void retry_begin(struct retry_destination *destination, struct retry_call *call)
{
    uint64_t now_ns = clock_monotonic_ns(destination->retry->clock);

    *call = (struct retry_call){.started_ns = now_ns};
    destination->view.calls_total++;
    retry_budget_earn(&destination->budget, now_ns);
}

void retry_resume(struct retry_destination *destination, struct retry_call *call, unsigned attempts,
                  uint64_t age_ns)
{
    uint64_t now_ns = clock_monotonic_ns(destination->retry->clock);
    unsigned max_attempts = policy_of(destination)->max_attempts;

    if (attempts >= max_attempts)
        attempts = max_attempts - 1;
    *call = (struct retry_call){
        .attempts = attempts,
        /* Older than this boot is as old as it. */
        .started_ns = age_ns < now_ns ? now_ns - age_ns : 0,
    };
    destination->view.calls_total++;
}

bool retry_may_send(struct retry_destination *destination)
{
    const struct retry_ops *ops = &destination->retry->ops;

    return !ops->is_open || !ops->is_open(ops->ctx, destination->name);
}

/* The budget last: a call that ends for another reason must not spend it. */
static enum retry_decision decide(struct retry_destination *destination,
                                  const struct retry_call *call, const struct outcome *outcome,
                                  uint64_t *ret_delay_ns)
{
    const struct retry *retry = destination->retry;
    const struct retry_policy *policy = policy_of(destination);
    uint64_t now_ns = clock_monotonic_ns(retry->clock), elapsed_ns, delay_ns;

    if (outcome->class == OUTCOME_OK)
        return RETRY_DONE;
    if (outcome->class == OUTCOME_PERMANENT)
        return RETRY_STOP_PERMANENT;
    if (call->attempts >= policy->max_attempts)
        return RETRY_STOP_ATTEMPTS;
    delay_ns = outcome->retry_after_ns ? outcome->retry_after_ns
                                       : retry_delay_ns(policy, call->attempts, retry->random);
    elapsed_ns = now_ns > call->started_ns ? now_ns - call->started_ns : 0;
    if (policy->max_elapsed_ns &&
        (elapsed_ns > policy->max_elapsed_ns || delay_ns > policy->max_elapsed_ns - elapsed_ns))
        return RETRY_STOP_ELAPSED;
    if (!policy->patient && !retry_may_send(destination))
        return RETRY_STOP_OPEN;
    if (!retry_budget_spend(&destination->budget, now_ns)) {
        if (!policy->patient)
            return RETRY_STOP_BUDGET;
        if (delay_ns < policy->max_delay_ns)
            delay_ns = policy->max_delay_ns;
    }
    *ret_delay_ns = delay_ns;
    return RETRY_AGAIN;
}

enum retry_decision retry_after(struct retry_destination *destination, struct retry_call *call,
                                const struct outcome *outcome, uint64_t *ret_delay_ns)
{
    enum retry_decision decision;

    call->attempts++;
    destination->view.attempts_total[outcome->class]++;
    decision = decide(destination, call, outcome, ret_delay_ns);
    destination->view.decisions_total[decision]++;
    if (decision == RETRY_AGAIN)
        destination->view.delay_ns = *ret_delay_ns;
    return decision;
}

size_t retry_destination_count(const struct retry *retry)
{
    return retry->count;
}

void retry_view(const struct retry *retry, size_t index, struct retry_destination_view *ret)
{
    struct retry_destination *destination = retry->destinations[index];

    *ret = destination->view;
    ret->name = destination->name;
    ret->budget_balance =
        retry_budget_balance(&destination->budget, clock_monotonic_ns(retry->clock));
}
