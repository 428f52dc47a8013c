/* Active checks: each service and upstream that has one is asked on its interval, and what came of
 * it is kept. Nothing blocks; the libraries are loaded by the first check that needs them. */
#ifndef MOONWATCH_ENDPOINT_ENDPOINT_CHECKS_H
#define MOONWATCH_ENDPOINT_ENDPOINT_CHECKS_H

#include "base/loop.h"
#include "config/config.h"
#include "transfer/http.h"
#include "transfer/random.h"
#include "transfer/resolve.h"
#include "transfer/responder.h"
#include <stdbool.h>
#include <stddef.h>

#define ENDPOINT_REASON_BYTES 256
/* What is read of an answer at most. */
#define ENDPOINT_ANSWER_BYTES_MAX (1 << 20)

enum endpoint_owner {
    ENDPOINT_SERVICE,
    ENDPOINT_UPSTREAM,
    ENDPOINT_FALLBACK, /* an alternative endpoint of an upstream: does it take connections? */
    ENDPOINT_OWNER_COUNT,
};
enum endpoint_status { ENDPOINT_UNKNOWN, ENDPOINT_OK, ENDPOINT_FAILED, ENDPOINT_STATUS_COUNT };

/* "service" ..., "unknown", "ok", "failed"; NULL ends the tables. */
extern const char *const endpoint_owner_names[], *const endpoint_status_names[];
const char *endpoint_status_name(enum endpoint_status status);

/* A database's client connections against its limit. */
struct endpoint_connections {
    bool known;        /* `total` and what is below */
    bool states_known; /* PostgreSQL: by state; Redis: `blocked` alone */
    bool limit_known;
    char reason[ENDPOINT_REASON_BYTES]; /* why anything of it is not known; "" otherwise */
    unsigned total, limit;
    unsigned active, idle, idle_in_transaction, other, blocked;
};

struct endpoint_check_view {
    const char *name; /* of the service or upstream; like `url` good until the next configuration */
    enum endpoint_owner owner;
    size_t index; /* ENDPOINT_FALLBACK: in the fallback's endpoints */
    enum check_type type;
    const char *url;
    enum endpoint_status status;
    const char *reason; /* why it failed or is not known; "" when ok; until the next result */
    uint64_t since_ns;  /* monotonic, when `status` began */
    uint64_t last_ns, next_ns; /* of the last result (0: none), of the next attempt */
    unsigned consecutive;      /* results in a row that said `status` */
    uint64_t latency_ns;       /* of the last success; 0: there was none */
    unsigned http_status;      /* 0: none */
    int certificate_days;      /* HTTP_CERTIFICATE_DAYS_UNKNOWN: none */
    enum outcome_class outcome;
    uint64_t runs_total, failed_total;
    struct endpoint_connections connections; /* postgres, redis */
};

/* Called from the loop. Each may be NULL. */
struct endpoint_check_ops {
    void (*on_result)(void *ctx, const struct endpoint_check_view *view);
    void (*on_answer)(void *ctx, const struct upstream_answer *answer);
    void *ctx;
};

struct endpoint_checks;

/* All is borrowed. */
struct endpoint_check_sources {
    struct loop *loop;
    const struct clock *clock;
    const struct random_source *random;
    struct http *http;
    struct resolver *resolver;
};

int endpoint_checks_create(struct endpoint_checks **ret,
                           const struct endpoint_check_sources *sources,
                           const struct endpoint_check_ops *ops);
void endpoint_checks_destroy(struct endpoint_checks *checks);

/* `config` is borrowed until the next call. Checks that are as before keep their results; what is
 * under way is broken off and begun again. On failure (-ENOMEM) there are no checks. Not from a
 * callback. */
int endpoint_checks_stage(struct endpoint_checks *checks, const struct config *config);
void endpoint_checks_unstage(struct endpoint_checks *checks);
void endpoint_checks_commit(struct endpoint_checks *checks);

size_t endpoint_check_count(const struct endpoint_checks *checks);
void endpoint_check_view(const struct endpoint_checks *checks, size_t index,
                         struct endpoint_check_view *ret);

#endif
