/* Transitions: those the agent makes, and those it finds made. */
#include "breaker/breaker_state.h"
#include <stdio.h>
#include <string.h>

void breaker_read_figures(const struct breaker *b, uint64_t now_ns, struct breaker_figures *ret)
{
    const struct breaker_row *row = b->row;

    *ret = (struct breaker_figures){
        .consecutive_failures = row_load(&row->consecutive_failures),
        .probes = row_load(&row->half_open_admitted),
        .probe_successes = row_load(&row->half_open_successes),
        .probe_failures = row_load(&row->half_open_failures),
        .threshold = NAN,
    };
    /* Tickets are asked for beyond the last one too. */
    if (ret->probes > b->rules.half_open_max_calls)
        ret->probes = b->rules.half_open_max_calls;
    call_window_sum(b->window, now_ns, &ret->window);
    ret->failure_percent = percent(ret->window.failed, ret->window.count);
    ret->slow_percent = percent(ret->window.slow, ret->window.count);
}

static double threshold_of(const struct breaker *b, enum breaker_cause cause)
{
    switch (cause) {
    case BREAKER_CAUSE_CONSECUTIVE:
        return b->rules.failure_threshold;
    case BREAKER_CAUSE_FAILURE_RATE:
        return b->rules.failure_rate_percent;
    case BREAKER_CAUSE_SLOW_RATE:
        return b->rules.slow_call_rate_percent;
    case BREAKER_CAUSE_PROBES_SUCCEEDED:
        return b->rules.success_threshold;
    default:
        return NAN;
    }
}

void breaker_enter(struct breaker *b, __u64 word, uint64_t at_ns, struct breaker_transition *t)
{
    t->epoch = BREAKER_EPOCH_OF(word);
    t->at_ns = at_ns;
    t->retry_ns = BREAKER_STATE_OF(word) == BREAKER_OPEN ? b->retry_ns : 0;
    t->from = state_of(b);
    t->to = BREAKER_STATE_OF(word);
    snprintf(t->address, sizeof(t->address), "%s",
             *b->failed_address ? b->failed_address : b->address);
    *b->failed_address = '\0';
    b->word = word;
    b->since_ns = at_ns;
    b->opened_total += t->to == BREAKER_OPEN && t->cause != BREAKER_CAUSE_ADOPTED;
    if (t->to == BREAKER_CLOSED) {
        recovery_closed(&b->recovery, at_ns);
        call_window_clear(b->window);
    }
    b->history[b->transitions_total++ % BREAKER_HISTORY] = *t;
    if (b->ops.moved)
        b->ops.moved(b->ops.ctx, t);
}

uint64_t breaker_opened_at(const struct breaker *b, uint64_t now_ns)
{
    uint64_t stamp = row_load(&b->row->opened_ns);

    return stamp >= b->since_ns && stamp <= now_ns ? stamp : now_ns;
}

void breaker_notice(struct breaker *b, uint64_t now_ns)
{
    __u64 word = row_load(&b->row->word);
    struct breaker_transition t = {.by_kernel = true};
    bool expected = BREAKER_EPOCH_OF(word) == BREAKER_EPOCH_OF(b->word) + 1 &&
                    BREAKER_STATE_OF(word) == BREAKER_OPEN &&
                    (state_of(b) == BREAKER_CLOSED || state_of(b) == BREAKER_HALF_OPEN);
    uint64_t at_ns = now_ns;

    if (word == b->word)
        return;
    breaker_read_figures(b, now_ns, &t.figures);
    t.cause = BREAKER_CAUSE_ADOPTED;
    if (expected) {
        t.cause =
            state_of(b) == BREAKER_CLOSED ? BREAKER_CAUSE_CONSECUTIVE : BREAKER_CAUSE_PROBE_FAILED;
        /* A success may have ended the row of failures since. */
        if (t.cause == BREAKER_CAUSE_CONSECUTIVE &&
            t.figures.consecutive_failures < b->rules.failure_threshold)
            t.figures.consecutive_failures = b->rules.failure_threshold;
        t.figures.threshold = threshold_of(b, t.cause);
    }
    if (BREAKER_STATE_OF(word) == BREAKER_OPEN) {
        at_ns = breaker_opened_at(b, now_ns);
        b->retry_ns = at_ns + recovery_open(&b->recovery, &b->recovery_rule, at_ns,
                                            b->ops.random(b->ops.ctx));
    }
    breaker_enter(b, word, at_ns, &t);
}

bool breaker_move(struct breaker *b, enum breaker_state to, enum breaker_cause cause,
                  uint64_t now_ns)
{
    struct breaker_transition t = {.cause = cause};
    struct recovery recovery = b->recovery;
    __u64 word = BREAKER_WORD(BREAKER_EPOCH_OF(b->word) + 1, to);
    uint64_t wait_ns = 0;

    breaker_read_figures(b, now_ns, &t.figures);
    t.figures.threshold = threshold_of(b, cause);
    if (to == BREAKER_OPEN) {
        double draw = b->ops.random(b->ops.ctx);
        bool learnt = cause != BREAKER_CAUSE_HALF_OPEN_TIMEOUT || t.figures.probes ||
                      t.figures.probe_successes;

        wait_ns = learnt ? recovery_open(&recovery, &b->recovery_rule, now_ns, draw)
                         : recovery_reopen(&recovery, &b->recovery_rule, draw);
    }
    if (!row_move(b->row, b->word, to))
        return false;
    if (to == BREAKER_OPEN) {
        row_store(&b->row->opened_ns, now_ns);
        b->recovery = recovery;
        b->retry_ns = now_ns + wait_ns;
    }
    breaker_enter(b, word, now_ns, &t);
    return true;
}

void breaker_force(struct breaker *b, enum breaker_state to, enum breaker_cause cause,
                   uint64_t now_ns)
{
    do {
        breaker_notice(b, now_ns);
    } while (!breaker_move(b, to, cause, now_ns));
}
