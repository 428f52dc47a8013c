/* How the state is written: names of fields, shared by writing and reading. Inside this layer only.
 *
 * A time is written as its age in nanoseconds (negative: later) at a moment that stays the same
 * from export to export, "base_ns", so that what did not change is the same text; a double holds it
 * exactly for a hundred days; null is never, "now" the moment of export. Real times are nanoseconds
 * since 1970 in decimal, as text. Lists are oldest first, and what changes in place has an "id".
 *
 * In version 1 the moment is that of the export, and the lists of alerts and groups are newest
 * first.
 */
#ifndef MOONWATCH_ALERT_STATE_H
#define MOONWATCH_ALERT_STATE_H

#include "alert/engine.h"

#define STATE_VERSION 2
#define STATE_VERSION_AGES 1
#define STATE_NOW "now"
/* More fingerprints of what was held back are not written: after a restart in the middle of such a
 * storm an alert may be counted twice in the digest. */
#define STATE_HELD_MAX 16384

struct state_time {
    const char *name;
    size_t offset; /* of an int64_t */
    bool goes_on;
};

/* In the monotonic time of now. */
struct state_base {
    int64_t at;   /* the export */
    int64_t from; /* what a time in the document is counted back from */
    int64_t now;
};

/* Left out: NEVER, and 0. */
void state_add_time(cJSON *to, const char *name, int64_t from, int64_t at);
void state_add_u64(cJSON *to, const char *name, uint64_t value);
/* A time that has been: nothing is later than now. NEVER: there is none, or one of no sense. */
int64_t state_past_of(const cJSON *json, const struct state_base *base);
unsigned state_number_of(const cJSON *json, unsigned below); /* else 0 */
uint64_t state_u64_of(const cJSON *json);

/* state_pace.c */
void state_add_paces(cJSON *to, const struct alert_manager *m);
void state_add_rests(cJSON *to, const struct alert_manager *m);
/* Of what was sent at `since` or later. */
void state_add_budget(cJSON *to, const struct alert_manager *m, int64_t since);
void state_read_paces(struct alert_manager *m, const cJSON *json, const struct state_base *base);
void state_read_rests(struct alert_manager *m, const cJSON *json, const struct state_base *base);
/* Added to what is there. */
void state_read_budget(struct alert_manager *m, const cJSON *json, const struct state_base *base);

/* Of what was told of an alert; two that differ were not the same. */
uint64_t state_told_hash(const struct alert *alert);

/* Of an alert. */
extern const struct state_time state_alert_times[];
extern const size_t state_alert_time_count;

#endif
