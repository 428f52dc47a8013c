/* The way to one receiver: its queue, its retries, its breaker. Inside this layer only. */
#ifndef MOONWATCH_NOTIFY_LANE_H
#define MOONWATCH_NOTIFY_LANE_H

#include "notify/channel_driver.h"
#include "notify/notify.h"
#include "transfer/retry.h"

/* What all lanes share; borrowed. */
struct lane_env {
    struct loop *loop;
    const struct clock *clock;
    struct log *log;
    const struct random_source *random;
    struct http *http;
    struct outbox *outbox;
    struct retry *retry;
    size_t *bytes; /* of what waits in all lanes; theirs to write */
};

struct lane;

/* `receiver` and what it points to are borrowed until the next lane_configure(). */
int lane_create(struct lane **ret, const struct lane_env *env, const struct receiver *receiver,
                const struct config *config);
/* Leaves the outbox as it is; NULL is fine. */
void lane_destroy(struct lane *lane);
void lane_configure(struct lane *lane, const struct receiver *receiver,
                    const struct config *config);
/* Tries at once what waits. */
void lane_resume(struct lane *lane);
bool lane_leads_to(const struct lane *lane, const struct receiver *receiver);
const struct receiver *lane_receiver(const struct lane *lane);
/* What the outbox calls it: "NAME", or "NAME PEER". */
const char *lane_id(const struct lane *lane);

/* Stores a message and queues it; it is sent when it is stored, or cannot be. A key that is queued
 * already, or was delivered lately, is left as it is. -ENOMEM: it is counted as dropped. */
int lane_put(struct lane *lane, const struct notification *n, const struct text *payload);
/* From the outbox: it may be sent now. `recovered`: the agent before has put it. */
void lane_ready(struct lane *lane, const struct outbox_entry *entry, bool durable, bool recovered);
/* What was to be read again for its turn; `error` as in outbox_ops.fetched. */
void lane_fetched(struct lane *lane, const struct outbox_entry *entry, int error);
/* Without the outbox and without a second attempt, and only when nothing waits. */
bool lane_is_idle(const struct lane *lane);
int lane_remind(struct lane *lane, const struct text *payload);
/* Of all that the channel was told and that still fires. */
void lane_remind_all(struct lane *lane, const struct alert_manager *alerts, const char *host);
/* A receiver that takes messages at once. */
void lane_count_sent(struct lane *lane);
void lane_count_dropped(struct lane *lane, const char *key, const char *reason);
/* The receiver is gone from the configuration. */
void lane_give_up_all(struct lane *lane, const char *reason);
/* Once per tick. */
void lane_tick(struct lane *lane);
void lane_view(const struct lane *lane, struct notify_channel_view *ret);
/* Real time of the oldest message that a receiver which fails has not got; 0: none. */
uint64_t lane_waits_since(const struct lane *lane);

#endif
