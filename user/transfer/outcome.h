/* How an attempt ended, as far as it matters to whoever might try again. */
#ifndef MOONWATCH_TRANSFER_OUTCOME_H
#define MOONWATCH_TRANSFER_OUTCOME_H

#include <stdint.h>

enum outcome_class {
    OUTCOME_OK,
    OUTCOME_RETRYABLE, /* refused, reset, timed out, 5xx: the next attempt may well succeed */
    OUTCOME_THROTTLED, /* the server asks for fewer calls: 429, or 503 with Retry-After */
    OUTCOME_PERMANENT, /* the same request will fail again: 4xx, a bad certificate or address */
};

#define OUTCOME_CLASSES 4

struct outcome {
    enum outcome_class class;
    uint64_t retry_after_ns; /* what the server asked for; 0: nothing */
};

const char *outcome_class_name(enum outcome_class class); /* "ok", "retryable", ... */
/* What an HTTP status means; 1xx and no status (0) are retryable, 2xx and 3xx ok. */
enum outcome_class outcome_of_http(unsigned status);
/* SMTP: 4xx is transient, 5xx is not (RFC 5321, 4.2.1). */
enum outcome_class outcome_of_smtp(unsigned status);

#endif
