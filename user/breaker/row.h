/* The agent's side of a breaker's row (abi/breaker.h): words shared with the kernel's programs,
 * each read and changed by itself and atomically. The row may as well be plain memory. */
#ifndef MOONWATCH_BREAKER_ROW_H
#define MOONWATCH_BREAKER_ROW_H

#include "abi/breaker.h"
#include <stdbool.h>

static inline __u64 row_load(const __u64 *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void row_store(__u64 *word, __u64 value)
{
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

/* Returns the new value. */
static inline __u64 row_add(__u64 *word, __u64 value)
{
    return __atomic_add_fetch(word, value, __ATOMIC_SEQ_CST);
}

/* Which row is whose, over restarts and whatever their order in the configuration: 64-bit FNV-1a
 * (G. Fowler, L. C. Noll, K.-P. Vo). Never 0. */
static inline __u64 row_name_hash(const char *name)
{
    __u64 hash = 0xcbf29ce484222325;

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 0x100000001b3;
    return hash ? hash : 1;
}

/* From `seen` to `state` in the next epoch; false when somebody was faster. Whoever meets the new
 * state finds its counters ready. Before a lost swap it does no harm: they mean nothing in the
 * state that won. */
static inline bool row_move(struct breaker_row *row, __u64 seen, enum breaker_state state)
{
    if (state == BREAKER_HALF_OPEN) {
        row_store(&row->half_open_admitted, 0);
        row_store(&row->half_open_successes, 0);
        row_store(&row->half_open_failures, 0);
    } else if (state == BREAKER_CLOSED) {
        row_store(&row->consecutive_failures, 0);
    }
    return __atomic_compare_exchange_n(&row->word, &seen,
                                       BREAKER_WORD(BREAKER_EPOCH_OF(seen) + 1, state), false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

#endif
