/* The source's memory. Inside this layer only. */
#ifndef MOONWATCH_FACTS_ALERT_SOURCE_ROW_H
#define MOONWATCH_FACTS_ALERT_SOURCE_ROW_H

#include "facts/alert_source.h"

#define ROW_LABELS_MAX 5
#define ROW_VALUE_BYTES 288 /* a cgroup's or a mount's path */
#define ROW_REASON_BYTES 256
#define PROGRAMS_MAX 64

/* The labels and the sentence of one check or event. */
struct source_row {
    enum rule_event event;
    enum status status;
    double value;
    size_t label_count;
    struct label labels[ROW_LABELS_MAX];
    char values[ROW_LABELS_MAX][ROW_VALUE_BYTES];
    char reason[ROW_REASON_BYTES];
};

/* What the totals were in the tick before. */
struct source_totals {
    uint64_t dropped[RECORD_TYPE_COUNT];
    uint64_t shed[PROGRAMS_MAX];
};

struct alert_source {
    struct source_totals before, now;
    bool filled;       /* `before` is there */
    uint64_t first_ns; /* when it was filled first; monotonic */
    /* The numbers of the last events of each kind that were told, and those of this tick. */
    uint64_t told[RECORD_TYPE_COUNT], told_now[RECORD_TYPE_COUNT];
    struct source_row *rows;
    size_t row_count, row_capacity;
    struct alert_condition *conditions;
    size_t condition_capacity;
    struct alert_event *events;
    size_t event_capacity;
    struct sample *samples;
    size_t sample_capacity;
    /* Until the next tick; NULL: there was none yet. */
    struct source_row *transitions;
    size_t transition_count, transition_capacity;
    const struct snapshot *snapshot; /* for explaining */
};

/* The next row, empty; NULL when out of memory. Rows move until all are there. */
struct source_row *source_row_add(struct alert_source *source);
void source_row_label(struct source_row *row, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Rows for what happened since the tick before; false when out of memory. */
bool source_add_events(struct alert_source *source, const struct facts *facts);

/* The cgroup that an OOM kill is told of: the one at its limit, else the victim's; "": the host. */
const char *oom_place(const struct oom_capsule *oom);

void source_explain(void *ctx, const struct labels *alert, struct text *out);

#endif
