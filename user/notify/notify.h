/* Delivery of what the alert manager has to say: log, webhook, Slack, Discord, e-mail and
 * Alertmanager.
 *
 * A notification is rendered for its channel at once and put into the outbox (store/outbox.h), from
 * where it is sent: at least once, across crashes, always with the same idempotency key. Each
 * receiver (one per channel; of Alertmanager one per peer) has its own queue, retries and breaker,
 * so that a dead one delays no other, and is told in order. A message is given up when the receiver
 * refuses what it says or when it is too old; a receiver that cannot be reached, trusted or logged
 * in to keeps its messages waiting. The log is written at once.
 *
 * All functions are for the loop's thread; none blocks.
 */
#ifndef MOONWATCH_NOTIFY_NOTIFY_H
#define MOONWATCH_NOTIFY_NOTIFY_H

#include "abi/slots.h"
#include "alert/alert.h"
#include "base/log.h"
#include "base/loop.h"
#include "store/outbox.h"

struct notify;

struct notify_config {
    const struct config *config; /* borrowed until destruction or notify_tell() of another */
    const char *outbox_path;     /* "/var/lib/moonwatch/outbox.sqlite"; its directory exists */
    const char *host;            /* what this host is called in messages */
    uint64_t outbox_bytes;       /* 0: OUTBOX_BYTES_DEFAULT */
    /* A note that the agent before left, oldest first; NULL: nobody cares. */
    void (*noted)(void *ctx, const char *note, size_t bytes);
    void *ctx;
};

/* Whether the channels of a configuration that was loaded can work as far as this host knows:
 * templates that make no sense are errors, -EINVAL; files that cannot be read are warnings, since
 * they may come later. Until then such a channel is NOTIFY_MISCONFIGURED. */
int notify_check(const struct config *config, struct config_errors *errors);

/* `loop`, `clock` and `log` are borrowed. What the agent before has left undelivered is sent. */
int notify_create(struct notify **ret, const struct notify_config *config, struct loop *loop,
                  const struct clock *clock, struct log *log);
/* A reload, as struct config_part says. Messages for a channel that is gone are given up; the
 * others go on, and what was held back by a mistake in the configuration is tried again. */
int notify_stage(struct notify *n, const struct config *config);
void notify_unstage(struct notify *n);
void notify_commit(struct notify *n);
void notify_tell(struct notify *n);
/* What was not delivered stays in the outbox. NULL is fine. */
void notify_destroy(struct notify *n);

/* What is said from notify_begin() to notify_end() and the note about it get to the disk together,
 * before any of it is sent: killed at any moment, the next agent knows what was said. A note is
 * kept until notify_forget_notes() with its number, or a later one; numbers rise, across restarts
 * too. */
void notify_begin(struct notify *n);
void notify_note(struct notify *n, uint64_t number, const char *note, size_t bytes);
void notify_end(struct notify *n);
void notify_forget_notes(struct notify *n, uint64_t number);
/* Whether anything was said since notify_begin() that is sent by the outbox. */
bool notify_has_said(const struct notify *n);
/* Hands over the notes that the agent before has left; waits for a slow disk, but not for long. */
void notify_recover(struct notify *n);

/* For alert_ops.notify. What cannot be kept is counted (dropped_total) and logged. */
void notify_send(struct notify *n, const struct notification *notification);
/* After alert_manager_tick(): reminds Alertmanager of what still fires. `now_ns` is monotonic. */
void notify_tick(struct notify *n, const struct alert_manager *alerts, uint64_t now_ns);

/* For alert_ops.waits. */
bool notify_waits(const struct notify *n, const struct config_channel *channel,
                  uint64_t told_realtime_ns);

enum notify_state {
    NOTIFY_OK,
    NOTIFY_FAILING,       /* the last attempt failed */
    NOTIFY_OPEN,          /* so many did that its breaker waits before the next */
    NOTIFY_MISCONFIGURED, /* it takes a person to mend it: a certificate, a secret, an address */
    NOTIFY_STATE_COUNT,
};

extern const char *const notify_state_names[]; /* "ok" ..., NULL */
const char *notify_state_text(enum notify_state state);

struct notify_channel_view {
    const char *name; /* valid until the next notify_commit(); so are the others */
    const char *type; /* "log" ... */
    const char *peer; /* of Alertmanager: its URL; else "" */
    enum notify_state state;
    const char *error;         /* of the last attempt that failed; "" when the state is ok */
    size_t queued;             /* messages not delivered yet */
    uint64_t sent_total;       /* messages */
    uint64_t failed_total;     /* attempts */
    uint64_t retried_total;    /* attempts after the first */
    uint64_t dropped_total;    /* messages given up */
    uint64_t heartbeats_total; /* delivered, beside the messages */
    struct latency latency;    /* from notify_send() to the receiver's yes; of recovered ones not */
    uint64_t last_success_ns;  /* real time; 0: never */
    uint64_t oldest_queued_ns; /* real time; 0: none is queued */
    uint64_t next_attempt_ns;  /* real time; 0: none waits for one */
};

size_t notify_channel_count(const struct notify *n);
/* `index` below the count. */
void notify_channel_view(const struct notify *n, size_t index, struct notify_channel_view *ret);
/* For what is kept beside the messages; borrowed. */
struct outbox *notify_outbox(const struct notify *n);
void notify_outbox_view(const struct notify *n, struct outbox_view *ret);

#endif
