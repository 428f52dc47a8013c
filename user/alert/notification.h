/* What an alert looks like from outside, and what is to be sent. */
#ifndef MOONWATCH_ALERT_NOTIFICATION_H
#define MOONWATCH_ALERT_NOTIFICATION_H

#include "alert/labels.h"
#include "config/alerting.h"
#include <stdint.h>

enum alert_state { ALERT_PENDING, ALERT_FIRING, ALERT_RESOLVED, ALERT_STATE_COUNT };

/* Why an alert is not told at the moment. */
enum suppression {
    SUPPRESSED_NOT,
    SUPPRESSED_FLAPPING,
    SUPPRESSED_ACKED,
    SUPPRESSED_COOLDOWN,
    SUPPRESSED_SILENCE,
    SUPPRESSED_MUTE,
    SUPPRESSED_INHIBIT,
    SUPPRESSED_UNROUTED,
    SUPPRESSED_OFF,
    SUPPRESSED_GROUP,    /* it waits to be told together with others */
    SUPPRESSED_LIMIT,    /* max_alerts_per_hour: it comes in the digest */
    SUPPRESSED_CHANNEL,  /* no channel of its route takes its severity */
    SUPPRESSED_DELIVERY, /* it was told, and no receiver has it yet */
    SUPPRESSION_COUNT,
};

/* NULL ends the tables. What is not suppressed is called "", so the words begin at 1. */
extern const char *const alert_state_names[], *const suppression_names[];
const char *alert_state_text(enum alert_state s);
const char *suppression_text(enum suppression s);

#define ALERT_ID_BYTES 17

struct alert_view {
    char id[ALERT_ID_BYTES]; /* of its labels: the same for every episode */
    bool flapping;
    enum severity severity; /* with the steps of escalation */
    enum alert_state state;
    enum suppression suppressed;
    unsigned escalation_step;
    const struct labels *labels; /* with `alertname`, without `severity` */
    double value;                /* the last known; NaN: none */
    const char *summary;         /* "" when the rule has none; so are the others */
    const char *reason;          /* when it was told last, like the two below */
    const char *offenders;       /* who is behind it */
    const char *changed;         /* what changed shortly before */
    uint64_t starts_realtime_ns; /* of firing; 0: pending */
    uint64_t ends_realtime_ns;   /* 0: not resolved */
    const char *acked_by;        /* NULL: nobody */
    const char *ack_comment;
    uint64_t acked_until_realtime_ns; /* 0: until it is resolved */
};

enum notice_kind {
    NOTICE_FIRING,
    NOTICE_RESOLVED,
    NOTICE_FLAPPING,
    NOTICE_DIGEST,
    NOTICE_ESCALATION,
    NOTICE_KIND_COUNT,
};

const char *notice_kind_text(enum notice_kind k);

/* How many alerts were held back of one rule. */
struct digest_row {
    const char *rule;
    enum severity severity;
    uint64_t count;
};

#define NOTICE_KEY_BYTES 20
/* As many as a mail or chat message can hold. */
#define NOTICE_ALERTS_MAX 100

struct notification {
    /* The same when the same is sent again after a crash. */
    char key[NOTICE_KEY_BYTES];
    enum notice_kind kind;
    const struct config_channel *channel;
    const struct labels *group; /* the labels the group has in common; NULL for a digest */
    enum severity severity;     /* the worst of the alerts */
    uint64_t realtime_ns;
    /* NOTICE_FIRING may hold resolved ones too, after those that fire. */
    const struct alert_view *alerts;
    size_t count;
    /* Every CRITICAL is listed, in several parts if need be; of the others the last part may leave
     * some out. */
    size_t omitted;
    unsigned part, parts; /* from 1 */
    bool limit_reached;   /* more of this severity comes in a digest */
    /* NOTICE_DIGEST */
    const struct digest_row *rows; /* the largest first; what finds no room is in the total only */
    size_t row_count;
    uint64_t held_back; /* in all */
};

#endif
