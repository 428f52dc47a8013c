#include "alert/held.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST 256

static bool put(uint64_t *set, size_t capacity, uint64_t fingerprint)
{
    size_t at = fingerprint & (capacity - 1);

    while (set[at] && set[at] != fingerprint)
        at = (at + 1) & (capacity - 1);
    if (set[at] == fingerprint)
        return false;
    set[at] = fingerprint;
    return true;
}

/* At most half full. */
static bool grow(struct held *held)
{
    size_t capacity = held->capacity ? 2 * held->capacity : CAPACITY_FIRST;
    uint64_t *set;

    if (held->set_count >= HELD_MAX)
        return false;
    set = calloc(capacity, sizeof(*set));
    if (!set)
        return false;
    for (size_t i = 0; i < held->capacity; i++)
        if (held->set[i])
            put(set, capacity, held->set[i]);
    free(held->set);
    held->set = set;
    held->capacity = capacity;
    return true;
}

void held_add_row(struct held *held, const char *rule, enum severity severity, uint64_t count)
{
    struct held_row *row;

    for (size_t i = 0; i < held->row_count; i++) {
        row = &held->rows[i];
        if (row->severity == severity && strcmp(row->rule, rule) == 0) {
            row->count += count;
            return;
        }
    }
    if (!held->rows)
        held->rows = calloc(HELD_ROWS_MAX, sizeof(*held->rows));
    if (!held->rows || held->row_count == HELD_ROWS_MAX)
        return;
    row = &held->rows[held->row_count++];
    snprintf(row->rule, sizeof(row->rule), "%s", rule);
    row->severity = severity;
    row->count = count;
}

bool held_add(struct held *held, const char *rule, uint64_t fingerprint, enum severity severity)
{
    bool room = 2 * held->set_count < held->capacity || grow(held);

    /* 0 marks a free place. Beyond the set an alert may be counted twice. */
    if (room) {
        if (!put(held->set, held->capacity, fingerprint ? fingerprint : 1))
            return false;
        held->set_count++;
    }
    held->total++;
    held_add_row(held, rule, severity, 1);
    return true;
}

void held_clear(struct held *held)
{
    free(held->set);
    free(held->rows);
    *held = (struct held){0};
}

void held_reset_rows(struct held *held)
{
    free(held->rows);
    held->rows = NULL;
    held->row_count = 0;
}
