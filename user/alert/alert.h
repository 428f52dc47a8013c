/* The alert manager: rules over each tick's input, alerts with their states, and what has to be
 * said about them to whom. Pure: it knows no network, no files and no clock.
 *
 * An alert is pending while its rule's `for` runs, fires, goes on firing for `keep_firing_for`
 * after it is over, and is resolved. Durations are measured on monotonic time, which neither jumps
 * nor runs in suspend; silences and mute windows are on real time. A series that is gone or unknown
 * changes nothing for five minutes and then resolves its alert.
 *
 * Noise is taken away in this order: the same alert once (fingerprint), flapping, cooldown,
 * silences, mute windows, inhibition, grouping, and at last max_alerts_per_hour, which sums up in a
 * digest what it held back. Flapping, cooldown and max_alerts_per_hour never hold back what got
 * worse, and the latter two no CRITICAL.
 */
#ifndef MOONWATCH_ALERT_ALERT_H
#define MOONWATCH_ALERT_ALERT_H

#include "alert/input.h"
#include "alert/known.h"
#include "alert/notification.h"
#include "config/config.h"
#include <cjson/cJSON.h>

struct alert_manager;

struct alert_ops {
    /* Something is to be sent; valid during the call, which is made inside alert_manager_tick(). */
    void (*notify)(void *ctx, const struct notification *notification);
    /* Whether what was told to the channel at that real time has not reached its receiver, and will
     * not soon. NULL: all arrives. */
    bool (*waits)(void *ctx, const struct config_channel *channel, uint64_t told_realtime_ns);
    void *ctx;
};

/* Whether a configuration that was loaded is one an alert manager accepts: matchers, labels in
 * sentences, time zones. 0, or -EINVAL with the errors added. What is accepted and would page
 * nobody is a warning. */
int alert_check(const struct config *config, const struct alert_known *known,
                struct config_errors *errors);

/* `config` is borrowed until destruction or alert_manager_commit(). */
int alert_manager_create(struct alert_manager **ret, const struct config *config,
                         const struct alert_ops *ops, struct config_errors *errors);
void alert_manager_destroy(struct alert_manager *m); /* NULL is fine */
/* A reload, as struct config_part says: new rules and routes, same alerts: those of a rule that is
 * gone are resolved. */
int alert_manager_stage(struct alert_manager *m, const struct config *config,
                        struct config_errors *errors);
void alert_manager_unstage(struct alert_manager *m);
void alert_manager_commit(struct alert_manager *m);

void alert_manager_tick(struct alert_manager *m, const struct alert_input *input);

/* Whether any rule wants samples of the metric: the others need not be in the input. */
bool alert_manager_wants(const struct alert_manager *m, const char *metric);
/* Whether any rule wants samples of a metric that is not `known`. */
bool alert_manager_wants_more(const struct alert_manager *m, bool (*known)(const char *metric));
/* Remembers a change (a reload, a deployment, an action taken) that alerts which begin to fire in
 * the next ten minutes mention. */
void alert_manager_note_change(struct alert_manager *m, const char *what);

/* Alerts in no order. */
size_t alert_manager_count(const struct alert_manager *m);
/* Calls `fn` for each; the views and what they point to are valid during the call. */
void alert_manager_each(const struct alert_manager *m,
                        void (*fn)(void *ctx, const struct alert_view *view), void *ctx);
/* False when there is no alert with the id. The view is valid until the next tick. */
bool alert_manager_find(const struct alert_manager *m, const char *id, struct alert_view *ret);

/* The channels of a configuration; without any there is one, "log". */
const struct config_channel *alert_channels(const struct config *config, size_t *ret_count);
/* As alert_manager_each(), but only what fires and this channel has been told of. */
void alert_manager_each_told(const struct alert_manager *m, const char *channel,
                             void (*fn)(void *ctx, const struct alert_view *view), void *ctx);

/* Episodes that are over, up to HISTORY_MAX of alert/engine.h; 0 is the newest. The view is valid
 * until the next tick. */
size_t alert_manager_history_count(const struct alert_manager *m);
void alert_manager_history_at(const struct alert_manager *m, size_t index, struct alert_view *ret);

/* Stops repeats and escalation of a firing alert for `for_seconds`, or until it is resolved when 0.
 * -ENOENT: no such alert; -EALREADY: it does not fire. Both texts are copied. */
int alert_manager_ack(struct alert_manager *m, const char *id, const char *by, const char *comment,
                      double for_seconds);

struct silence_view {
    char id[24]; /* "s1" ... */
    const char *matchers;
    const char *creator, *comment;
    uint64_t start_realtime_ns, end_realtime_ns;
    bool active;
};

#define SILENCES_MAX 256
#define SILENCE_TEXT_BYTES 256

/* `text` is a list of matchers, of which one has to want a value. The id is written to `ret_id`.
 * -EINVAL with `error`; -ENOSPC when there are SILENCES_MAX. */
int alert_manager_silence(struct alert_manager *m, const char *text, uint64_t start_realtime_ns,
                          uint64_t end_realtime_ns, const char *creator, const char *comment,
                          char ret_id[24], char error[160]);
int alert_manager_unsilence(struct alert_manager *m, const char *id); /* -ENOENT */
size_t alert_manager_silence_count(const struct alert_manager *m);
void alert_manager_silence_at(const struct alert_manager *m, size_t index,
                              struct silence_view *ret);

/* Since creation. */
struct alert_counters {
    uint64_t evaluated;    /* series, conditions and events judged by a rule */
    uint64_t fired;        /* pending to firing */
    uint64_t resolved;     /* firing to resolved */
    uint64_t deduplicated; /* active again while it fires already */
    uint64_t flapping;     /* began to flap */
    uint64_t silenced, muted, inhibited, cooled_down; /* alerts, each time it begins */
    uint64_t held_back;                               /* alerts, by max_alerts_per_hour */
    uint64_t overflowed; /* alerts beyond those there is room for; they are in the digest */
    uint64_t unrouted;   /* alerts that no route matches */
    uint64_t escalated;
    uint64_t undecided; /* regular expressions that did not say, in queries too */
    uint64_t notifications[NOTICE_KIND_COUNT];
};
void alert_manager_counters(const struct alert_manager *m, struct alert_counters *ret);

/* Grows with every change that an export would lose if it had been made before. That an alert was
 * seen again is none. */
uint64_t alert_manager_revision(const struct alert_manager *m);

/* The whole state as a new JSON document; NULL when out of memory. `boot_id` tells whether the
 * monotonic clock goes on when it is imported: the kernel's, or NULL. */
cJSON *alert_manager_export(const struct alert_manager *m, const char *boot_id);
/* What was told since the call before, right after the tick, as a note to be kept until a whole
 * state is saved; NULL: nothing, or out of memory. */
cJSON *alert_manager_export_told(struct alert_manager *m, const char *boot_id);
/* After alert_manager_import(), note by note in their order: what was told since the state was
 * saved. -EINVAL. */
int alert_manager_import_told(struct alert_manager *m, const cJSON *json, const char *boot_id,
                              uint64_t monotonic_ns, uint64_t realtime_ns);
/* Into a manager that has not ticked. Takes what it understands and leaves the rest out; -EINVAL
 * when it is no such document at all. The time between export and import counts for all durations,
 * from the monotonic clock in the same boot, else from the real one; but not for a rule's `for`,
 * nor for how long a series is gone. A `for` that is no longer than that time, and after an hour
 * any, begins anew. */
int alert_manager_import(struct alert_manager *m, const cJSON *json, const char *boot_id,
                         uint64_t monotonic_ns, uint64_t realtime_ns);

#endif
