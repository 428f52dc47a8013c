/* What was held back since the last digest: how many different alerts of which rule. Exact up to
 * HELD_MAX of them, in bounded memory.
 */
#ifndef MOONWATCH_ALERT_HELD_H
#define MOONWATCH_ALERT_HELD_H

#include "config/alerting.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 4 MiB of fingerprints when all are there; given back with the digest. */
#define HELD_MAX 262144
#define HELD_ROWS_MAX 64
#define HELD_NAME_BYTES 64

struct held_row {
    char rule[HELD_NAME_BYTES];
    enum severity severity;
    uint64_t count;
};

/* All zero is empty. */
struct held {
    uint64_t *set; /* open addressing, 0 is free */
    size_t capacity, set_count;
    uint64_t total;
    size_t row_count;
    struct held_row *rows;
};

/* False when that alert was counted already. */
bool held_add(struct held *held, const char *rule, uint64_t fingerprint, enum severity severity);
void held_clear(struct held *held);

/* For reading a saved state: counts without an alert, and none at all. */
void held_add_row(struct held *held, const char *rule, enum severity severity, uint64_t count);
void held_reset_rows(struct held *held);

#endif
