/* The routes. Each is described beside its body, and has a row here: by these requests are
 * dispatched and /openapi.json is written. */
#ifndef MOONWATCH_HTTP_ROUTES_H
#define MOONWATCH_HTTP_ROUTES_H

#include "http/body.h"
#include "http/token.h"

/* What else than the snapshot a body depends on. */
enum route_varies {
    VARIES_NOT,
    VARIES_BY_CALLER, /* public callers get `reduced` */
    VARIES_BY_ACCEPT, /* text 0.0.4 or OpenMetrics */
};

/* A parameter of the query. */
struct route_query {
    const char *name, *about;
    const char *type;           /* in the schema: "string", "integer" */
    const char *const *choices; /* every value, NULL at the end; NULL: any */
};

struct route {
    const char *method; /* "GET" is also HEAD */
    const char *path;   /* a segment in braces stands for any: "/breakers/{name}" */
    enum role role;     /* the least that may call it */
    body_fn *body;
    bool acts;  /* it changes something: never cached */
    bool finds; /* it answers 404 when there is nothing of the path's name */
    bool needs_sample;
    enum route_varies varies;
    const char *type, *type_alternative; /* content types */
    const struct field_table *table;     /* of a JSON body, else NULL */
    const struct field_table *reduced;
    const struct route_query *queries; /* a row without a name at the end; NULL: any are ignored */
    const struct field_table *takes;   /* the JSON body it may be sent; NULL: it takes none */
    const char *id, *summary, *answer; /* for /openapi.json */
};

#define ROUTE_JSON "application/json; charset=utf-8"
#define ROUTE_HTML "text/html; charset=utf-8"

/* ROW(name): `const struct route route_name`. In this order they are listed and looked for. */
#define ROUTE_ROWS(ROW)                                                                            \
    ROW(index)                                                                                     \
    ROW(health)                                                                                    \
    ROW(resources)                                                                                 \
    ROW(scheduler)                                                                                 \
    ROW(performance)                                                                               \
    ROW(priority)                                                                                  \
    ROW(services)                                                                                  \
    ROW(breakers)                                                                                  \
    ROW(breaker)                                                                                   \
    ROW(alerts)                                                                                    \
    ROW(silences)                                                                                  \
    ROW(metrics)                                                                                   \
    ROW(openapi)                                                                                   \
    ROW(reload)                                                                                    \
    ROW(breaker_reset)                                                                             \
    ROW(breaker_open)                                                                              \
    ROW(breaker_close)                                                                             \
    ROW(alert_ack)                                                                                 \
    ROW(silence)                                                                                   \
    ROW(unsilence)                                                                                 \
    ROW(unsilence_by_id)

#define ROUTE(name) extern const struct route route_##name;
ROUTE_ROWS(ROUTE)
#undef ROUTE
#define ROUTE(name) +1
enum { ROUTE_COUNT = ROUTE_ROWS(ROUTE) };
#undef ROUTE
extern const struct route *const routes[ROUTE_COUNT];
/* Its index in `routes`. */
size_t route_place(const struct route *route);

enum route_match { ROUTE_FOUND, ROUTE_NO_PATH, ROUTE_NO_METHOD };

#define ROUTE_PARAM_BYTES 128

/* Finds the row; HEAD is found as GET. `param` is what stands in the path for the segment in
 * braces,
 * "" for none; a longer one is not found. With ROUTE_NO_METHOD `allow` lists the methods there are.
 */
enum route_match route_find(const char *method, const char *path, const struct route **ret,
                            char allow[64], char param[ROUTE_PARAM_BYTES]);
/* Where the segment in braces begins in a route's path; NULL: there is none. */
const char *route_param(const struct route *route);

#endif
