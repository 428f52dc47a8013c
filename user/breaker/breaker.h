/* One circuit breaker: the agent's half of the protocol in abi/breaker.h, as a pure state machine.
 * Events and the time go in, the row and the record of transitions come out; nothing is read from
 * the host.
 *
 *   CLOSED     calls pass. Opens at `failure_threshold` consecutive failures (the kernel does that
 *              by itself), or when the window holds `minimum_calls` and its share of failed calls
 *              reaches `failure_rate`, or that of slow ones `slow_call_rate`.
 *   OPEN       until the recovery timeout is over (breaker/recovery.h), then HALF_OPEN.
 *   HALF_OPEN  `half_open_max_calls` pass. `success_threshold` successes close it, one failure
 *              opens it, and so does `half_open_timeout`: it never stays. If that came without a
 *              single probe, nobody called, and the recovery timeout does not grow.
 *   FORCED_OPEN, OFF  by mode, or opened by hand; never left by themselves.
 *
 * Observing is not a state: with `mode: observe` the same happens, and the row says not to enforce.
 *
 * The window holds the calls since it was closed. A slow call is not a failure. The agent's own
 * checks count as calls, and in HALF_OPEN need no ticket.
 *
 * Whatever the agent does to the state it does by compare-and-swap from the word it decided on.
 * When the kernel was faster, the machine takes note of that and decides again.
 */
#ifndef MOONWATCH_BREAKER_BREAKER_H
#define MOONWATCH_BREAKER_BREAKER_H

#include "abi/breaker.h"
#include "breaker/call_window.h"
#include "config/services.h"
#include "model/breaker_names.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct breaker;

enum breaker_cause {
    BREAKER_CAUSE_CONSECUTIVE,
    BREAKER_CAUSE_FAILURE_RATE,
    BREAKER_CAUSE_SLOW_RATE,
    BREAKER_CAUSE_RECOVERY_TIMEOUT, /* OPEN long enough */
    BREAKER_CAUSE_PROBE_FAILED,
    BREAKER_CAUSE_PROBES_SUCCEEDED,
    BREAKER_CAUSE_HALF_OPEN_TIMEOUT,
    BREAKER_CAUSE_MODE, /* the configuration says so */
    BREAKER_CAUSE_OPENED_BY_HAND,
    BREAKER_CAUSE_CLOSED_BY_HAND,
    BREAKER_CAUSE_RESET_BY_HAND,
    BREAKER_CAUSE_ADOPTED, /* found in a pinned row, or restored, when the agent started */
    BREAKER_CAUSE_COUNT,
};

/* NULL ends the table. */
extern const char *const breaker_cause_names[];
const char *breaker_cause_name(enum breaker_cause cause); /* "consecutive_failures" ... */
const char *breaker_mode_name(enum breaker_mode mode);    /* as in the configuration */

/* As they were at the moment of a transition. */
struct breaker_figures {
    uint64_t consecutive_failures;
    struct calls window;
    double failure_percent, slow_percent; /* of the window; NaN when it is empty */
    uint64_t probes, probe_successes, probe_failures;
    double threshold; /* the one that was reached, in the cause's unit; NaN: none */
};

#define BREAKER_ADDRESS_BYTES 96

struct breaker_transition {
    uint64_t epoch;    /* the one that began; counts transitions */
    uint64_t at_ns;    /* CLOCK_MONOTONIC */
    uint64_t retry_ns; /* to OPEN: when it turns HALF_OPEN; else 0 */
    enum breaker_state from, to;
    enum breaker_cause cause;
    bool by_kernel;
    bool not_enforced; /* nothing is refused for it; in `moved` only */
    struct breaker_figures figures;
    char address[BREAKER_ADDRESS_BYTES]; /* of the last failure; else the upstream's */
};

/* What happened and why, with the figures, as one sentence:
 * "opened: 5 failures in a row at 10.0.0.1:443 (failure_threshold 5); next try in 60 s". */
void breaker_say(const struct breaker_transition *t, uint64_t now_ns, char *out, size_t size);

struct breaker_ops {
    /* Uniform in [0, 1). */
    double (*random)(void *ctx);
    /* Each transition, once it is done; NULL: nobody wants to know. */
    void (*moved)(void *ctx, const struct breaker_transition *t);
    void *ctx;
};

/* `rules` and `address` (for people: where the upstream is) are copied. It is to be placed before
 * anything else. */
int breaker_create(struct breaker **ret, const struct config_breaker *rules, const char *address,
                   const struct breaker_ops *ops);
/* Gives it `row`, borrowed for the breaker's life, and the rules to the row. The first
 * breaker_tell() then takes it over: one that was pinned goes on where it stood, one of zeroes is
 * new. */
void breaker_place(struct breaker *b, struct breaker_row *row);
/* Leaves the row as it is. */
void breaker_destroy(struct breaker *b);
/* Other rules, in three steps: what is needed for them (-ENOMEM: everything is as it was); the
 * change itself, of which nobody hears; and what follows from it, with `moved`. */
int breaker_stage(struct breaker *b, const struct config_breaker *rules);
void breaker_unstage(struct breaker *b);
void breaker_commit(struct breaker *b, const char *address);
void breaker_tell(struct breaker *b, uint64_t now_ns);
/* All three. */
int breaker_configure(struct breaker *b, const struct config_breaker *rules, const char *address,
                      uint64_t now_ns);

/* `now_ns` is CLOCK_MONOTONIC and never before that of the last call. */

/* The epoch a call begins in, for breaker_call(). */
uint64_t breaker_epoch(const struct breaker *b);
/* The outcome of one of the agent's own checks. It counts only in the epoch it began in. `address`
 * may be NULL. */
void breaker_call(struct breaker *b, uint64_t now_ns, uint64_t epoch, bool failed, bool slow,
                  const char *address);
/* What the kernel counted since the last time, for the window: the kernel has looked after
 * consecutive failures and probes already. */
void breaker_calls(struct breaker *b, uint64_t now_ns, const struct calls *calls);
/* The kernel's record of a transition it made, to `epoch`. It may come before or after the row's
 * new state was noticed, and twice. */
void breaker_kernel_opened(struct breaker *b, uint64_t now_ns, uint64_t epoch, const char *address);
/* What the time brings. */
void breaker_tick(struct breaker *b, uint64_t now_ns);
/* When breaker_tick() has something to do; UINT64_MAX: nothing but what the kernel does. */
uint64_t breaker_next_ns(const struct breaker *b);

/* By hand. -EPERM when the mode is `disabled` or `forced_open`: the configuration decides. */
int breaker_open(struct breaker *b, uint64_t now_ns);
int breaker_close(struct breaker *b, uint64_t now_ns);
/* As new, and to the state that the mode says: the window and the growth of the timeout are
 * forgotten too. */
void breaker_reset(struct breaker *b, uint64_t now_ns);

/* For the disk: what the row does not hold, and the row's word in case it is lost. */
struct breaker_saved {
    uint64_t word;
    uint64_t retry_ns;   /* CLOCK_MONOTONIC of the same boot */
    uint64_t nominal_ns; /* see struct recovery */
    uint64_t next_ns;
    bool by_hand; /* opened by hand, not by its mode */
};

void breaker_save(const struct breaker *b, uint64_t now_ns, struct breaker_saved *ret);
/* Right after breaker_create(). If the row is the one that was saved, the times go on; if it is new
 * (a reboot, an orderly stop), what was open is open again, for as long as the last time. A row
 * that was taken over and has moved on since knows better than the disk. */
void breaker_restore(struct breaker *b, const struct breaker_saved *saved, bool row_is_new,
                     uint64_t now_ns);

#define BREAKER_HISTORY 16

struct breaker_view {
    enum breaker_state state;
    enum breaker_mode mode;
    uint64_t epoch;
    uint64_t since_ns; /* of the state; 0: since before it was adopted */
    uint64_t retry_ns; /* OPEN: when it turns HALF_OPEN; else 0 */
    bool enforced, by_hand, dry_run;
    struct breaker_figures figures; /* now */
    uint64_t recovery_timeout_ns;   /* of the next opening, before jitter */
    /* Since the agent started. */
    uint64_t opened_total, transitions_total;
    /* Monotonic, from the row. */
    uint64_t refused_total, redirected_total, probes_total, would_refuse_total;
    struct breaker_transition last; /* once there was one */
};

void breaker_view(const struct breaker *b, uint64_t now_ns, struct breaker_view *ret);
/* The last transitions, the newest first; returns how many there are. */
size_t breaker_history(const struct breaker *b, struct breaker_transition ret[BREAKER_HISTORY]);

#endif
