/* The bodies of the routes: pure functions of what the agent knows at one moment. */
#ifndef MOONWATCH_HTTP_BODY_H
#define MOONWATCH_HTTP_BODY_H

#include "facts/facts.h"
#include "http/fields.h"
#include "http/server.h"

struct metrics;

/* All borrowed for the call. */
struct body_env {
    struct facts *facts;
    const struct server_sources *sources;
    struct metrics *metrics;
    double slow_wait_seconds; /* NaN: waits are not recorded */
    size_t metrics_series_max;
    bool reduced; /* the caller may see no detail of the host */
    bool openmetrics;
    const char *param; /* of the path, see route_find(); "": none */
    /* The value of a parameter of the query, NULL: it was not given. */
    const char *(*query)(void *ctx, const char *name);
    void *query_ctx;
    const char *request; /* the body that was sent, of a route that takes one */
    size_t request_len;
};

struct body {
    char *data; /* from malloc */
    size_t len;
    unsigned status; /* HTTP */
};

/* Returns 0 or a negative errno; then nothing is written. */
typedef int body_fn(const struct body_env *env, struct body *ret);

/* Renders `view` as the JSON body. */
int body_render(struct body *ret, unsigned status, const struct field_table *table,
                const void *view, const void *ctx);
/* Prints and deletes `json`, which may be NULL (-ENOMEM). */
int body_print(struct body *ret, unsigned status, cJSON *json);

/* What every judged part of a body begins with. The strings are borrowed from the health layer. */
#define SECTION_REASONS 8

struct section {
    enum status status;
    size_t reason_count;
    const char *reasons[SECTION_REASONS];
    double warning, critical; /* of the first check that has levels; NaN: none */
};

/* Judges a section by the checks called NAME or NAME:anything, for each of `names` (NULL at the
 * end). Without any such check the status is unknown, for the reason given. */
void section_judge(struct section *ret, const struct health *health, const char *const *names,
                   const char *unjudged);

extern const struct field_table thresholds_table;

/* The fields of a section, for the table of a TYPE that has it as its member `section`. */
#define SECTION_FIELDS                                                                             \
    {.key = "status",                                                                              \
     .kind = FIELD_STATUS,                                                                         \
     .offset = offsetof(TYPE, section.status),                                                     \
     .identity = true,                                                                             \
     .about = "the worst of the checks that judge this"},                                          \
        {.key = "reasons",                                                                         \
         .kind = FIELD_STRINGS,                                                                    \
         .offset = offsetof(TYPE, section.reasons),                                                \
         .count_offset = offsetof(TYPE, section.reason_count),                                     \
         .identity = true,                                                                         \
         .about = "why it is not healthy"},                                                        \
    {                                                                                              \
        .key = "thresholds", .kind = FIELD_OBJECT, .offset = offsetof(TYPE, section),              \
        .table = &thresholds_table, .identity = true                                               \
    }

#endif
