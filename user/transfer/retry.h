/* The retry manager: whether and when a failed call may be tried again. It sends nothing itself.
 *
 * Delays grow as base * 2^n up to a maximum, with jitter ("Exponential Backoff And Jitter", AWS
 * Architecture Blog, 2015); each destination has a budget, see transfer/budget.h, so that retries
 * cannot multiply an outage; what the server asks for in Retry-After is kept to exactly.
 */
#ifndef MOONWATCH_TRANSFER_RETRY_H
#define MOONWATCH_TRANSFER_RETRY_H

#include "base/clock.h"
#include "config/config.h"
#include "transfer/outcome.h"
#include "transfer/random.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct retry_policy {
    unsigned max_attempts; /* the first included */
    uint64_t base_delay_ns, max_delay_ns;
    uint64_t max_elapsed_ns; /* no attempt starts later than this after the first; 0: no limit */
    enum retry_jitter jitter;
    double budget_share;      /* retries per call, 0..1 */
    double budget_per_second; /* beside these */
    /* A call that must not be lost for want of budget or an open breaker: it goes on, without
     * budget after max_delay_ns, and whoever made it waits for the breaker. */
    bool patient;
};

struct retry_policy retry_policy_of(const struct config *config);

/* The delay before attempt `attempt` + 1 when `attempt` (from 1) have failed. */
uint64_t retry_delay_ns(const struct retry_policy *policy, unsigned attempt,
                        const struct random_source *random);

enum retry_decision {
    RETRY_DONE,           /* it succeeded */
    RETRY_AGAIN,          /* after the delay */
    RETRY_STOP_PERMANENT, /* it would fail again */
    RETRY_STOP_ATTEMPTS,  /* the last attempt allowed has failed */
    RETRY_STOP_ELAPSED,   /* the next one would come too late */
    RETRY_STOP_OPEN,      /* the destination's breaker is open */
    RETRY_STOP_BUDGET,    /* the destination has had its share of retries */
};

#define RETRY_DECISIONS 7

const char *
retry_decision_name(enum retry_decision decision); /* "done", "again", "attempts", ... */

struct retry_ops {
    /* Whether the breaker of the destination is open. NULL: there are no breakers. */
    bool (*is_open)(void *ctx, const char *destination);
    void *ctx;
};

struct retry;
struct retry_destination;

/* `clock`, `random` and what `ops` points at are borrowed. */
int retry_create(struct retry **ret, const struct retry_policy *policy, const struct retry_ops *ops,
                 const struct clock *clock, const struct random_source *random);
void retry_destroy(struct retry *retry); /* with the destinations that are left */
/* For the calls that are under way too. */
void retry_set_policy(struct retry *retry, const struct retry_policy *policy);

/* Those who call one destination share its budget. Each joins once and leaves once. -ENOMEM;
 * -ENOSPC beyond RETRY_DESTINATIONS_MAX. */
#define RETRY_DESTINATIONS_MAX 1024
int retry_join(struct retry *retry, struct retry_destination **ret, const char *name);
void retry_leave(struct retry_destination *destination); /* NULL is fine */
/* A policy of its own, for the calls under way too; retry_set_policy() does not change it any
 * more. */
void retry_set_own_policy(struct retry_destination *destination, const struct retry_policy *policy);

/* One call, kept by who makes it: plain data, may be stored and restored. */
struct retry_call {
    unsigned attempts;   /* that have ended */
    uint64_t started_ns; /* of the first, monotonic */
};

/* The first attempt begins: it earns its share of a retry. */
void retry_begin(struct retry_destination *destination, struct retry_call *call);
/* A call begun `age_ns` ago by the process before, of which `attempts` have failed: whatever its
 * age, it has one more. It earns nothing. */
void retry_resume(struct retry_destination *destination, struct retry_call *call, unsigned attempts,
                  uint64_t age_ns);
/* An attempt has ended. With RETRY_AGAIN the next is paid for and may start after `*ret_delay_ns`.
 */
enum retry_decision retry_after(struct retry_destination *destination, struct retry_call *call,
                                const struct outcome *outcome, uint64_t *ret_delay_ns);
/* Whether an attempt whose delay is over may still be sent: the breaker may have opened meanwhile.
 * A call that may not is over. */
bool retry_may_send(struct retry_destination *destination);

struct retry_destination_view {
    const char *name; /* until the destination is left by all */
    uint64_t calls_total;
    uint64_t attempts_total[OUTCOME_CLASSES];
    uint64_t decisions_total[RETRY_DECISIONS];
    double budget_balance; /* retries it could make now */
    uint64_t delay_ns;     /* the last one given */
};

size_t retry_destination_count(const struct retry *retry);
/* In the order in which they were joined; `index` below the count. */
void retry_view(const struct retry *retry, size_t index, struct retry_destination_view *ret);

#endif
