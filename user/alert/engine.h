/* The alert manager's insides, shared by the files of this layer. */
#ifndef MOONWATCH_ALERT_ENGINE_H
#define MOONWATCH_ALERT_ENGINE_H

#include "alert/alert.h"
#include "alert/held.h"
#include "alert/origin.h"
#include "alert/pace.h"
#include "alert/plan.h"
#include "alert/table.h"
#include "base/clock.h"

/* Room for alerts that are not CRITICAL: more than anybody reads, about 3 MiB. */
#define ALERTS_MAX 4096
#define CRITICALS_MAX 16384
/* As Prometheus' staleness: a series that is gone for so long is gone. */
#define STALE_NS (300 * (int64_t)NS_PER_SECOND)
/* Of the processor and a tick, for what silences match: thousands of alerts. */
#define SILENCES_CPU_NS (20 * NS_PER_MS)
#define FLAPPING_CHANGES_MAX 16
#define CHANGES_KEPT 16
#define CHANGE_BYTES 120
#define HISTORY_MAX 512
#define CHANGE_AGE_NS (600 * (int64_t)NS_PER_SECOND)
#define NEVER INT64_MIN

/* What was last said about an alert. HELD: it is in the digest. */
enum told { TOLD_NOTHING, TOLD_FIRING, TOLD_FLAPPING, TOLD_HELD, TOLD_RESOLVED, TOLD_COUNT };

/* Times are monotonic nanoseconds, negative for what was before the boot; NEVER. */
struct alert {
    struct table_node node; /* by fingerprint */
    struct alert *next, *previous;
    struct labels *labels;
    struct rule *rule; /* NULL: it is gone */
    enum alert_state state;
    enum severity severity;
    double value;
    int64_t active_since, last_active, last_seen;
    int64_t fired_at, resolved_at;
    uint64_t starts_realtime_ns, ends_realtime_ns;
    uint32_t episode; /* counts firings */
    /* Of an event rule with a count: when they were. */
    int64_t events[RULE_COUNT_MAX];
    /* When it fired or resolved; a ring. */
    int64_t changes[FLAPPING_CHANGES_MAX];
    uint32_t change_count;
    bool flapping;
    char *summary, *reason, *offenders, *changed; /* NULL: "" */
    char *latest_reason; /* NULL: the same; it becomes the reason when there is something to say */
    char *acked_by, *ack_comment;
    int64_t acked_until; /* NEVER: not acked; INT64_MAX: until resolved */
    /* Notification. */
    struct group *group;
    struct alert *next_in_group, *previous_in_group;
    enum told told;
    enum severity told_severity;
    int64_t told_at; /* firing, flapping or held back */
    /* Since when it is less severe than it was told; NEVER: it is not. */
    int64_t eased_at;
    bool flapping_told;
    enum severity logged_severity;
    channel_set told_channels;
    uint64_t told_noted;  /* hash of what the last note told of it */
    int64_t escalated_at; /* the last step, or where its clock begins; NEVER: does not run */
    unsigned step;
    enum suppression suppressed;
};

/* Alerts of one route with equal values of its group_by labels. */
struct group {
    struct table_node node;
    struct group *next, *previous;
    unsigned route;
    struct labels *labels;
    struct alert *alerts;
    int64_t flushed_at; /* NEVER */
    uint64_t sequence;  /* of flushes */
};

struct silence {
    uint64_t number;
    struct matchers *matchers;
    char *text, *creator, *comment;
    uint64_t start_ns, end_ns; /* real time */
};

/* An episode that is over. The texts may be NULL: "". */
struct past {
    struct labels *labels;
    enum severity severity;
    unsigned step;
    double value;
    uint64_t starts_realtime_ns, ends_realtime_ns;
    char *summary, *reason, *offenders, *changed;
    char *acked_by, *ack_comment;
};

struct change {
    int64_t at;
    uint64_t source; /* 0: nobody's */
    char text[CHANGE_BYTES];
};

/* A notification that was counted against max_alerts_per_hour. */
struct sent {
    int64_t at;
    uint64_t source;
    enum severity severity;
};

/* What a route without group_wait has to say and may not say at once: since when, NEVER: nothing.
 */
struct rest {
    int64_t since[SEVERITY_COUNT], good_since, again_since;
    int64_t told_at; /* the last rest; NEVER */
};

struct alert_manager {
    struct plan *plan;
    struct alert_ops ops;
    const struct alert_input *input; /* during a tick */
    int64_t now;
    int64_t saved_from; /* what saved times are counted from, so that they stand still */
    uint64_t realtime_ns;
    bool ticked;
    bool full; /* no room could be made in this tick */
    struct table table;
    struct alert *alerts; /* newest first */
    size_t count, critical_count;
    struct table group_table;
    struct group *groups;
    struct pace *paces; /* of each channel */
    struct rest *rests; /* of each route */
    size_t silence_count;
    uint64_t silences_made;
    struct silence silences[SILENCES_MAX];
    struct sent *sent; /* of the last hour, oldest first */
    size_t sent_count, sent_capacity;
    struct held held;
    int64_t held_since;  /* NEVER */
    int64_t digested_at; /* NEVER */
    channel_set held_channels;
    uint64_t digests, digests_noted; /* sent; as the last note has it */
    struct change recent[CHANGES_KEPT];
    size_t recent_count;            /* ever */
    struct past *past[HISTORY_MAX]; /* a ring */
    size_t past_count;              /* ever */
    uint64_t revision;              /* counts what is worth saving */
    int64_t imported_at;            /* when the state was saved that it went on from; NEVER */
    struct alert_counters counters;
    /* Per inhibit rule the hashes of the `equal` labels of what fires, sorted; made when needed. */
    struct {
        uint64_t *hashes;
        size_t count, capacity;
    } * sources;
    bool sources_ready;
    uint64_t silence_left_ns; /* for the regular expressions of silences, in this tick */
    struct plan *next_plan;   /* NULL: nothing is staged */
    void *next_sources;
    struct rest *next_rests;
    struct pace *next_paces;
};

/* evaluate.c */
void evaluate_input(struct alert_manager *m);

/* registry.c: the alerts there are */
struct alert *registry_find(const struct alert_manager *m, const struct labels *labels);
/* NULL when there is no room: what does not fit is counted. Takes a reference of the labels. */
struct alert *registry_add(struct alert_manager *m, struct rule *rule, struct labels *labels,
                           enum severity severity);
void registry_remove(struct alert_manager *m, struct alert *alert);
void registry_set_severity(struct alert_manager *m, struct alert *alert, enum severity severity);

/* lifecycle.c */
void lifecycle_advance(struct alert_manager *m);
bool lifecycle_acked(const struct alert_manager *m, const struct alert *alert);
const char *alert_name(const struct alert *alert);
/* With the steps of escalation. */
enum severity alert_severity(const struct alert *alert);
void alert_fill_view(const struct alert_manager *m, const struct alert *alert,
                     struct alert_view *ret);

/* annotate.c */
void annotate_set_reason(struct alert *alert, const char *reason); /* NULL: as before */
void annotate_take_reason(struct alert *alert);
/* The texts of one that begins to fire, and anew as of now. */
void annotate_begin(struct alert_manager *m, struct alert *alert);
void annotate_again(struct alert_manager *m, struct alert *alert);

/* changes.c */
void changes_note(struct alert_manager *m, uint64_t source, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void changes_note_alert(struct alert_manager *m, const struct alert *alert, const char *what);
/* Newest first, with their age when the alert began to fire. */
void changes_list(const struct alert_manager *m, const struct alert *alert, struct text *out);

/* history.c: takes copies of what the view points to */
void history_add(struct alert_manager *m, const struct alert_view *view);
void history_clear(struct alert_manager *m);

/* suppress.c */
/* What keeps an alert from being told at all. */
enum suppression suppress_reason(struct alert_manager *m, const struct alert *alert);
/* Why nobody knows of it yet, whatever the reason: for people. */
enum suppression suppress_shown(const struct alert_manager *m, const struct alert *alert);
void suppress_prepare(struct alert_manager *m); /* once per tick */
void silences_expire(struct alert_manager *m);
void silence_release(struct silence *silence);

/* group.c */
int group_join(struct alert_manager *m, struct alert *alert);
void group_leave(struct alert *alert);
void groups_free(struct alert_manager *m);
/* -ENOMEM. */
int group_take(struct alert_manager *m, unsigned route, struct labels *labels, struct group **ret);
void group_collect(struct alert_manager *m); /* removes the empty ones */

/* flush.c */
/* Which lists a flush has; a firing and a resolved alert go into one notification. */
enum list { LIST_CHANGED, LIST_FLAPPING, LIST_ESCALATED, LIST_COUNT };

struct flush {
    struct group *group; /* on whose account it goes */
    bool joint;          /* of all groups of the route */
    bool repeats;
    size_t member_count;
    size_t counts[LIST_COUNT];
    struct alert **lists[LIST_COUNT]; /* each has room for twice the members: deliver() needs it */
    struct alert **memory;
};

/* Room for the members; false: out of memory, nothing is marked as told, the next tick tries again.
 */
bool flush_open(struct flush *flush);
void flush_add(const struct alert_manager *m, struct flush *flush, struct alert *alert);
void flush_send(struct alert_manager *m, struct flush *flush); /* and closes */
/* Whether the alert makes noise: good news is not counted, and follows only what was told. */
bool flush_is_news(enum list list, const struct alert *alert);

/* What is due of a group. */
struct due {
    bool any, repeats;
    bool again; /* repeats and escalations */
    bool news;
    enum severity worst; /* of the news */
    uint64_t rule;       /* the worst's */
    size_t member_count;
};

/* rest.c: several groups in one notification */
/* Whether the group may say now what is due; else it is part of the rest. */
bool rest_lets(struct alert_manager *m, const struct group *group, const struct due *due);
/* What the channels `told` got, of `list`, is on their account. */
void rest_count(struct alert_manager *m, const struct flush *flush, enum list list,
                struct alert *const *alerts, size_t count, channel_set told);
void rest_send(struct alert_manager *m); /* of each route, when it is due */
void rest_reset(struct alert_manager *m);

/* journal.c: channels of type log, which never wait */
void journal_group(struct alert_manager *m, struct group *group);

/* tell.c */
void notify_all(struct alert_manager *m);

/* want.c */
enum want {
    WANT_NOTHING,
    WANT_FIRING,
    WANT_REPEAT,
    WANT_RESOLVED,
    WANT_FLAPPING,
    WANT_ESCALATION,
};
enum want want_of(const struct alert_manager *m, const struct alert *alert);
/* It flaps, which is told instead of what it does. */
bool want_is_flapping(const struct alert *alert);
/* It was told, and is worse than was told. */
bool want_is_rise(const struct alert *alert);
/* Whoever was told that it fires has to be told that it is over. */
bool want_is_owed(const struct alert_manager *m, const struct alert *alert);
/* Whether what the alert wants may be told now, as far as its group is concerned. */
bool want_is_ready(const struct alert_manager *m, const struct alert *alert, enum want want);

/* deliver.c: alerts into notifications, per channel and part */
struct delivery {
    enum notice_kind kind;
    const struct group *group;
    uint64_t sequence;
    struct alert **alerts; /* sorted by deliver_sort() */
    size_t count;
    bool limit_reached;
};
void deliver_sort(struct alert **alerts, size_t count);
/* To the channels of `to`, and to those that know of the alerts that are resolved now. Each alert
 * remembers who was told. Returns who got something. */
channel_set deliver(struct alert_manager *m, const struct delivery *delivery, channel_set to);

/* limit.c: how many notifications in the last hour, per severity and source; of CRITICAL any */
bool limit_full(const struct alert_manager *m, enum severity severity, uint64_t source);
bool limit_reached(const struct alert_manager *m, enum severity severity); /* for any source */
void limit_count(struct alert_manager *m, enum severity severity, uint64_t source);
void limit_add(struct alert_manager *m, const struct sent *added); /* oldest first */

/* digest.c */
void digest_hold(struct alert_manager *m, const char *rule, uint64_t fingerprint,
                 enum severity severity, channel_set channels);
void digest_send(struct alert_manager *m); /* when it is due */

#endif
