/* Before and after the agent: taking a row over, the rules, what survives a restart. */
#include "base/clock.h"
#include "breaker/breaker_state.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum breaker_state breaker_state_of_mode(enum breaker_mode mode)
{
    if (mode == BREAKER_MODE_DISABLED)
        return BREAKER_OFF;
    return mode == BREAKER_MODE_FORCED_OPEN ? BREAKER_FORCED_OPEN : BREAKER_CLOSED;
}

/* The state that the mode asks for, when it is not one the machine may be in. */
static void apply_mode(struct breaker *b, uint64_t now_ns)
{
    enum breaker_state asked = breaker_state_of_mode(b->rules.mode), state;

    breaker_notice(b, now_ns);
    state = state_of(b);
    if (state == asked)
        return;
    if (mode_decides(b))
        b->by_hand = false;
    else if (state < BREAKER_FORCED_OPEN || (state == BREAKER_FORCED_OPEN && b->by_hand))
        return;
    breaker_force(b, asked, BREAKER_CAUSE_MODE, now_ns);
}

static int create_window(struct call_window **ret, const struct config_breaker *rules)
{
    return rules->window_type == BREAKER_WINDOW_CALLS
               ? call_window_create(ret, CALL_WINDOW_COUNT, (uint64_t)rules->window)
               : call_window_create(ret, CALL_WINDOW_TIME, clock_ns_of_seconds(rules->window));
}

int breaker_stage(struct breaker *b, const struct config_breaker *rules)
{
    struct call_window *window = NULL;
    int r = 0;

    if (!b->window || rules->window_type != b->rules.window_type ||
        rules->window != b->rules.window)
        r = create_window(&window, rules);
    if (r < 0)
        return r;
    breaker_unstage(b);
    b->next_window = window;
    b->next_rules = *rules;
    return 0;
}

void breaker_unstage(struct breaker *b)
{
    call_window_destroy(b->next_window);
    b->next_window = NULL;
}

static void tell_row(const struct breaker *b)
{
    row_store(&b->row->failure_threshold, b->rules.failure_threshold);
    row_store(&b->row->half_open_max, b->rules.half_open_max_calls);
    row_store(&b->row->success_threshold, b->rules.success_threshold);
    row_store(&b->row->enforce, b->rules.mode != BREAKER_MODE_OBSERVE && !b->rules.dry_run);
}

void breaker_commit(struct breaker *b, const char *address)
{
    const struct config_breaker *rules = &b->next_rules;

    if (b->next_window) {
        call_window_destroy(b->window);
        b->window = b->next_window;
        b->next_window = NULL;
    }
    b->rules = *rules;
    b->recovery_rule = (struct recovery_rule){
        .base_ns = clock_ns_of_seconds(rules->recovery_timeout_seconds),
        .max_ns = clock_ns_of_seconds(rules->max_recovery_timeout_seconds),
        .multiplier = rules->backoff_multiplier,
    };
    snprintf(b->address, sizeof(b->address), "%s", address);
    if (b->row)
        tell_row(b);
}

void breaker_place(struct breaker *b, struct breaker_row *row)
{
    b->row = row;
    b->word = row_load(&row->word);
    tell_row(b);
}

/* A row that was pinned goes on where it stood. */
static void adopt(struct breaker *b, uint64_t now_ns)
{
    struct breaker_transition t = {.cause = BREAKER_CAUSE_ADOPTED};

    b->begun = true;
    b->word = row_load(&b->row->word);
    if (state_of(b) == BREAKER_CLOSED) {
        b->since_ns = now_ns;
        recovery_closed(&b->recovery, now_ns);
        return;
    }
    breaker_read_figures(b, now_ns, &t.figures);
    b->by_hand = state_of(b) == BREAKER_FORCED_OPEN && b->rules.mode != BREAKER_MODE_FORCED_OPEN;
    if (state_of(b) == BREAKER_OPEN) {
        b->since_ns = breaker_opened_at(b, now_ns);
        b->retry_ns = b->since_ns + recovery_open(&b->recovery, &b->recovery_rule, now_ns,
                                                  b->ops.random(b->ops.ctx));
    }
    breaker_enter(b, b->word, state_of(b) == BREAKER_OPEN ? b->since_ns : now_ns, &t);
}

int breaker_create(struct breaker **ret, const struct config_breaker *rules, const char *address,
                   const struct breaker_ops *ops)
{
    struct breaker *b = calloc(1, sizeof(*b));
    int r;

    if (!b)
        return -ENOMEM;
    b->ops = *ops;
    r = breaker_stage(b, rules);
    if (r < 0) {
        free(b);
        return r;
    }
    breaker_commit(b, address);
    *ret = b;
    return 0;
}

void breaker_destroy(struct breaker *b)
{
    if (!b)
        return;
    breaker_unstage(b);
    call_window_destroy(b->window);
    free(b);
}

void breaker_tell(struct breaker *b, uint64_t now_ns)
{
    uint64_t longest_ns;

    if (!b->begun) {
        adopt(b, now_ns);
        apply_mode(b, now_ns);
        return;
    }
    longest_ns = b->since_ns + b->recovery_rule.max_ns;
    if (b->retry_ns > longest_ns)
        b->retry_ns = longest_ns;
    apply_mode(b, now_ns);
    breaker_tick(b, now_ns);
}

int breaker_configure(struct breaker *b, const struct config_breaker *rules, const char *address,
                      uint64_t now_ns)
{
    int r = breaker_stage(b, rules);

    if (r < 0)
        return r;
    breaker_notice(b, now_ns);
    breaker_commit(b, address);
    breaker_tell(b, now_ns);
    return 0;
}

void breaker_save(const struct breaker *b, uint64_t now_ns, struct breaker_saved *ret)
{
    *ret = (struct breaker_saved){
        .word = b->word,
        .retry_ns = state_of(b) == BREAKER_OPEN ? b->retry_ns : 0,
        .nominal_ns = b->recovery.nominal_ns,
        .next_ns = recovery_next_ns(&b->recovery, &b->recovery_rule, now_ns),
        .by_hand = b->by_hand,
    };
}

void breaker_restore(struct breaker *b, const struct breaker_saved *saved, bool row_is_new,
                     uint64_t now_ns)
{
    enum breaker_state state = BREAKER_STATE_OF(saved->word);

    if (b->word == saved->word && (!row_is_new || state == BREAKER_CLOSED)) {
        b->recovery.nominal_ns = saved->nominal_ns;
        b->recovery.next_ns = saved->next_ns;
        b->by_hand = saved->by_hand;
        if (state == BREAKER_OPEN)
            b->retry_ns = saved->retry_ns;
        apply_mode(b, now_ns);
        breaker_tick(b, now_ns);
        return;
    }
    if (row_is_new && state_of(b) == BREAKER_CLOSED && !mode_decides(b)) {
        b->by_hand = saved->by_hand;
        /* The opening below takes `next_ns` and grows it: that of last time, as it was. */
        b->recovery.next_ns = saved->nominal_ns;
        if (state == BREAKER_FORCED_OPEN && saved->by_hand)
            breaker_force(b, BREAKER_FORCED_OPEN, BREAKER_CAUSE_ADOPTED, now_ns);
        else if (state == BREAKER_OPEN || state == BREAKER_HALF_OPEN)
            breaker_force(b, BREAKER_OPEN, BREAKER_CAUSE_ADOPTED, now_ns);
    }
    b->recovery.next_ns = saved->next_ns;
}
