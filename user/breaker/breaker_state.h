/* What the parts of the breaker share: its state, and how it moves. Inside this layer only. */
#ifndef MOONWATCH_BREAKER_BREAKER_STATE_H
#define MOONWATCH_BREAKER_BREAKER_STATE_H

#include "breaker/breaker.h"
#include "breaker/recovery.h"
#include "breaker/row.h"
#include <math.h>

struct breaker {
    struct config_breaker rules;
    struct recovery_rule recovery_rule;
    char address[BREAKER_ADDRESS_BYTES];
    char failed_address[BREAKER_ADDRESS_BYTES]; /* of the last failure in this epoch; "": unknown */
    struct breaker_row *row;
    struct breaker_ops ops;
    struct call_window *window;
    struct config_breaker next_rules;
    struct call_window *next_window; /* NULL: the same goes on */
    struct recovery recovery;
    __u64 word; /* as last seen */
    bool begun; /* the row was taken over */
    uint64_t since_ns, retry_ns;
    bool by_hand;
    uint64_t opened_total, transitions_total;
    struct breaker_transition history[BREAKER_HISTORY]; /* a ring by transitions_total */
};

static inline enum breaker_state state_of(const struct breaker *b)
{
    return BREAKER_STATE_OF(b->word);
}

static inline double percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : NAN;
}

static inline bool mode_decides(const struct breaker *b)
{
    return b->rules.mode == BREAKER_MODE_DISABLED || b->rules.mode == BREAKER_MODE_FORCED_OPEN;
}

/* Notices what the kernel did, or whoever else wrote the row. */
void breaker_notice(struct breaker *b, uint64_t now_ns);
/* False when the kernel was faster. */
bool breaker_move(struct breaker *b, enum breaker_state to, enum breaker_cause cause,
                  uint64_t now_ns);
/* Until it is done: the kernel may be faster, but only once. */
void breaker_force(struct breaker *b, enum breaker_state to, enum breaker_cause cause,
                   uint64_t now_ns);
void breaker_read_figures(const struct breaker *b, uint64_t now_ns, struct breaker_figures *ret);
/* The state has changed to that of `word`: remembers and reports it. */
void breaker_enter(struct breaker *b, __u64 word, uint64_t at_ns, struct breaker_transition *t);
/* When the kernel's transition happened; the stamp may not be there yet when the state is. */
uint64_t breaker_opened_at(const struct breaker *b, uint64_t now_ns);
/* Where `mode` puts a breaker that has nothing against it. */
enum breaker_state breaker_state_of_mode(enum breaker_mode mode);

#endif
