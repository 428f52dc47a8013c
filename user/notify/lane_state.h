/* What the parts of a lane share. Inside this layer only. */
#ifndef MOONWATCH_NOTIFY_LANE_STATE_H
#define MOONWATCH_NOTIFY_LANE_STATE_H

#include "abi/breaker.h"
#include "breaker/breaker.h"
#include "notify/lane.h"

#define LOGGER "alert_manager"
/* As much as the outbox has room for by default, and alerts make in a storm. */
#define LANE_BYTES_MAX (16 << 20)
#define LANE_ENTRIES_MAX 4096
/* All lanes, however many peers are dead. */
#define LANES_BYTES_MAX (64 << 20)
/* Of what is on the disk: bodies that a receiver which takes them has read ahead. */
#define LANE_BODIES_MAX 8
#define LANE_ERROR_BYTES 320
/* A disk that hangs must not silence the alert that says so. */
#define STORING_PATIENCE_NS (2 * NS_PER_SECOND)

struct lane_entry {
    struct lane_entry *next;
    const char *key;
    /* As in the outbox: a line that says what it is, then the payload. NULL: there alone. */
    char *body;
    size_t body_bytes; /* of what is here */
    size_t payload_at;
    enum severity severity;
    struct retry_call call;
    uint64_t created_ns;    /* real time */
    uint64_t queued_ns;     /* monotonic; 0: recovered */
    uint64_t not_before_ns; /* monotonic */
    bool begun;             /* the retry manager knows it */
    bool storing;           /* not in the outbox yet */
    bool in_outbox;         /* or on the way there */
    bool on_disk;           /* the body can be fetched */
    bool unread;            /* but it could not */
    uint64_t fetch_ns;      /* monotonic: when it was asked for; 0: it was not */
    bool reminder;
};

/* The agent before was killed after it stored a message and before it saved that it had: then the
 * same is said again, once the stored one was delivered. */
#define DELIVERED_KEYS_KEPT 64

/* A row that could not be removed yet. */
struct lane_removal {
    struct lane_removal *next;
    char key[];
};

struct lane {
    const struct lane_env *env;
    struct receiver receiver;
    char *id;
    const struct channel_driver *driver;
    struct lane_entry *first, *last; /* the first is the one being sent */
    size_t count, bytes;
    size_t bodies; /* here, of what is on the disk */
    struct lane_removal *removals;
    uint64_t delivered[DELIVERED_KEYS_KEPT]; /* hashes of the last keys, a ring by sent_total */
    struct http_transfer *transfer;          /* NULL: none is under way */
    struct loop_source *alarm;
    uint64_t alarm_ns; /* monotonic; 0: none */
    struct retry_destination *destination;
    uint64_t max_delay_ns;
    struct breaker *breaker;
    struct breaker_row row;
    struct breaker_ops breaker_ops;
    uint64_t epoch; /* of the breaker, when the attempt began */
    enum notify_state state;
    bool unready; /* a file it needs cannot be read; looked at again each tick */
    char error[LANE_ERROR_BYTES];
    uint64_t sent_total, failed_total, retried_total, dropped_total, reminded_total;
    uint64_t overflowed_total;
    struct latency latency;
    uint64_t last_success_ns;
};

/* lane_queue.c */
/* Takes the first entry out, and its row out of the outbox. */
void lane_forget_first(struct lane *lane);
struct lane_entry *lane_find(const struct lane *lane, const char *key);
/* The same of any, and says so. */
void lane_give_up(struct lane *lane, struct lane_entry *entry, const char *reason);
void lane_give_up_first(struct lane *lane, const char *reason);

void lane_note_delivered(struct lane *lane, const char *key);

/* lane_body.c */
/* A copy. -ENOMEM. Counted by lane_count_body(), when the entry is queued. */
int lane_set_body(struct lane_entry *entry, const char *head, const void *body, size_t bytes);
void lane_count_body(struct lane *lane, const struct lane_entry *entry);
/* It is on the disk, or does not matter any more. */
void lane_drop_body(struct lane *lane, struct lane_entry *entry);
/* All that are on the disk: their turn is not near. */
void lane_drop_bodies(struct lane *lane);
/* Asks for the first body, and for those that are next. When to look again. */
uint64_t lane_ask(struct lane *lane, uint64_t now_ns);
/* A body that the disk does not give, or not yet, keeps nothing waiting that is here. */
void lane_pass_unread(struct lane *lane, uint64_t now_ns);

/* lane_send.c */
/* Logs it when it changes. */
void lane_set_state(struct lane *lane, enum notify_state state, const char *error);
/* Whether a request could be made: what is missing is seen before it is needed. */
void lane_look(struct lane *lane);
/* Sends the first entry if it may be sent now, else sets the alarm for when. */
void lane_pump(struct lane *lane);
void lane_on_alarm(void *ctx, uint64_t now_ns);

#endif
