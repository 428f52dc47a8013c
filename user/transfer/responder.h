/* Answers in place of upstreams that are down, to clients whose connects are redirected here: the
 * last good answers of configured GETs (fallback `cached`), or one fixed answer (`reduced`). Plain
 * HTTP on loopback; each upstream has ports of its own, by which a redirected client finds the
 * right one.
 */
#ifndef MOONWATCH_TRANSFER_RESPONDER_H
#define MOONWATCH_TRANSFER_RESPONDER_H

#include "base/loop.h"
#include "config/config.h"
#include <stddef.h>

#define RESPONDER_REASON_BYTES 128
/* Of all kept answers together. */
#define RESPONDER_BYTES_MAX (8 << 20)

struct responder;

/* `loop` and `clock` are borrowed. */
int responder_create(struct responder **ret, struct loop *loop, const struct clock *clock);
void responder_destroy(struct responder *responder);

/* Opens ports for the upstreams whose fallback needs them, and closes the others. An upstream of
 * the same name keeps its ports and its answers. The configuration is not needed afterwards.
 * -ENOMEM; an upstream that cannot listen has the reason in its view. Not from a callback. */
int responder_stage(struct responder *responder, const struct config *config);
void responder_unstage(struct responder *responder);
void responder_commit(struct responder *responder);

/* The answer to a GET of an upstream whose fallback is `cached`. */
struct upstream_answer {
    const char *upstream;
    const char *path; /* with query, as in the request */
    bool good;        /* 2xx, whole, and as the check expects; else the rest is not set */
    unsigned status;
    const char *content_type;
    const char *body;
    size_t body_bytes;
};

/* As it comes from the checks, see endpoint/endpoint_checks.h. Of other upstreams nothing is kept.
 */
void responder_keep(struct responder *responder, const struct upstream_answer *answer);

struct responder_view {
    const char *upstream;          /* until the next configuration */
    uint16_t ipv4_port, ipv6_port; /* on 127.0.0.1 and ::1; 0: there is none */
    const char *reason;            /* why a port is missing; "" otherwise */
    size_t answers;                /* that are kept; reduced: 1 */
    size_t answers_fresh;          /* that are within cache_ttl and would be served */
    uint64_t requests_total, served_total;
};

size_t responder_count(const struct responder *responder);
void responder_view(const struct responder *responder, size_t index, struct responder_view *ret);
/* -ENOENT when this upstream has no responder. */
int responder_find(const struct responder *responder, const char *upstream,
                   struct responder_view *ret);

#endif
