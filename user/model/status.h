/* Health status, from good to bad, and the reasons for it. */
#ifndef MOONWATCH_MODEL_STATUS_H
#define MOONWATCH_MODEL_STATUS_H

#include <stdbool.h>
#include <stddef.h>

enum status { STATUS_HEALTHY, STATUS_UNKNOWN, STATUS_DEGRADED, STATUS_UNHEALTHY, STATUS_COUNT };

const char *status_name(enum status s); /* "healthy" ... */
/* The worse of the two; unknown is worse than healthy only. */
enum status status_worse(enum status a, enum status b);

#define REASON_BYTES 200
#define REASONS_MAX 16

/* A bounded list of sentences a person can act on. Beyond REASONS_MAX only a count is kept. */
struct reasons {
    size_t count;
    size_t suppressed;
    char text[REASONS_MAX][REASON_BYTES];
};

void reasons_clear(struct reasons *r);
void reasons_add(struct reasons *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
