/* What the parts of struct services share. Inside this layer only. */
#ifndef MOONWATCH_SERVICE_SERVICES_STATE_H
#define MOONWATCH_SERVICE_SERVICES_STATE_H

#include "service/service.h"
#include "service/upstream.h"

struct service {
    const struct config_service *config;
    char *name;
    struct performance *performance;
    bool is_fed;
    bool counted; /* `figures` are there */
    struct call_figures figures;
    struct transport transport;
};

/* What is staged: those that keep their name, and the others fresh. */
struct services_next {
    const struct config *config; /* NULL: nothing */
    struct service **services;
    struct upstream **upstreams;
};

struct services {
    struct services_ops ops;
    double window_seconds;    /* performance_tracker.window_size */
    const char *rows_missing; /* why nothing is enforced */
    uint64_t lease_ns;        /* until when anything is */
    struct breaker_row *rows, *own_rows;
    size_t service_count, upstream_count;
    struct service **services;
    struct upstream **upstreams;
    struct services_next next;
};

struct enforcement_view {
    enum enforcement enforcement;
    bool acts;       /* also when it is not wholly in force */
    const char *why; /* NULL when it is active */
};

/* enforcement.c */
struct enforcement_view enforcement_of(const struct services *s, const struct upstream *u,
                                       const struct breaker_view *breaker, uint64_t now_ns);
/* Tells of a change, once. */
void enforcement_say(const struct services *s, struct upstream *u, uint64_t now_ns);

#endif
