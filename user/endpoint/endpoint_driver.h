/* How each type of check is made. Inside this layer only. */
#ifndef MOONWATCH_ENDPOINT_ENDPOINT_DRIVER_H
#define MOONWATCH_ENDPOINT_ENDPOINT_DRIVER_H

#include "endpoint/endpoint_checks.h"

/* `address` only until start() returns, the rest until the run ends. */
struct endpoint_target {
    const struct config_check *config;
    const char *url;                        /* of the run, which for further paths is another one */
    const struct config_expect *expect;     /* NULL: nothing in particular */
    const struct resolved_address *address; /* of drivers that want one; NULL: a local socket */
    uint16_t port;
};

struct endpoint_report {
    bool ok;
    char reason[ENDPOINT_REASON_BYTES];
    uint64_t latency_ns;
    struct outcome outcome;
    unsigned http_status;
    int certificate_days;
    struct endpoint_connections connections;
    /* HTTP: gone when the callback returns. */
    const char *content_type, *body;
    size_t body_bytes;
    bool body_cut;
};

/* Called once, from the loop, never from within start(). */
typedef void endpoint_done_fn(void *ctx, const struct endpoint_report *report);

struct endpoint_driver {
    /* Where to connect, for libraries that would look names up and block. Returns 0 with the host
     * ("" when there is none to look up), or -EINVAL with the reason. NULL: the driver looks names
     * up. */
    int (*host)(const struct config_check *config, char host[256], uint16_t *port,
                char reason[ENDPOINT_REASON_BYTES]);
    /* `*ret` is good until `fn` is called. A negative errno with the reason. */
    int (*start)(void **ret, const struct endpoint_check_sources *sources,
                 const struct endpoint_target *target, endpoint_done_fn *fn, void *ctx,
                 char reason[ENDPOINT_REASON_BYTES]);
    void (*cancel)(void *run); /* `fn` is not called */
};

extern const struct endpoint_driver endpoint_driver_http, endpoint_driver_tcp,
    endpoint_driver_postgres, endpoint_driver_redis;

/* Whether an answer is as expected; else the reason. `expect` NULL: any 2xx or 3xx. */
bool endpoint_expect(const struct config_expect *expect, const struct http_result *result,
                     char reason[ENDPOINT_REASON_BYTES]);

#endif
