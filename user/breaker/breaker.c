#include "base/clock.h"
#include "breaker/breaker_state.h"
#include <errno.h>
#include <stdio.h>

static bool closed_is_over(const struct breaker *b, uint64_t now_ns, enum breaker_cause *ret)
{
    const struct config_breaker *rules = &b->rules;
    struct calls calls;

    /* The kernel opens on these by itself, except when the threshold was lowered below them. */
    if (row_load(&b->row->consecutive_failures) >= rules->failure_threshold) {
        *ret = BREAKER_CAUSE_CONSECUTIVE;
        return true;
    }
    call_window_sum(b->window, now_ns, &calls);
    if (calls.count == 0 || calls.count < rules->minimum_calls)
        return false;
    if (percent(calls.failed, calls.count) >= rules->failure_rate_percent)
        *ret = BREAKER_CAUSE_FAILURE_RATE;
    else if (rules->slow_call_ms > 0 &&
             percent(calls.slow, calls.count) >= rules->slow_call_rate_percent)
        *ret = BREAKER_CAUSE_SLOW_RATE;
    else
        return false;
    return true;
}

static uint64_t half_open_ends_ns(const struct breaker *b)
{
    return b->since_ns + clock_ns_of_seconds(b->rules.half_open_timeout_seconds);
}

/* What is to be done now, if anything. */
static bool is_due(const struct breaker *b, uint64_t now_ns, enum breaker_state *ret_to,
                   enum breaker_cause *ret_cause)
{
    switch (state_of(b)) {
    case BREAKER_CLOSED:
        *ret_to = BREAKER_OPEN;
        return closed_is_over(b, now_ns, ret_cause);
    case BREAKER_OPEN:
        *ret_to = BREAKER_HALF_OPEN;
        *ret_cause = BREAKER_CAUSE_RECOVERY_TIMEOUT;
        return now_ns >= b->retry_ns;
    case BREAKER_HALF_OPEN:
        *ret_to = BREAKER_OPEN;
        *ret_cause = BREAKER_CAUSE_PROBE_FAILED;
        if (row_load(&b->row->half_open_failures))
            return true;
        *ret_to = BREAKER_CLOSED;
        *ret_cause = BREAKER_CAUSE_PROBES_SUCCEEDED;
        if (row_load(&b->row->half_open_successes) >= b->rules.success_threshold)
            return true;
        *ret_to = BREAKER_OPEN;
        *ret_cause = BREAKER_CAUSE_HALF_OPEN_TIMEOUT;
        return now_ns >= half_open_ends_ns(b);
    default:
        return false;
    }
}

void breaker_tick(struct breaker *b, uint64_t now_ns)
{
    enum breaker_state to;
    enum breaker_cause cause;

    do {
        breaker_notice(b, now_ns);
    } while (is_due(b, now_ns, &to, &cause) && !breaker_move(b, to, cause, now_ns));
}

uint64_t breaker_next_ns(const struct breaker *b)
{
    switch (state_of(b)) {
    case BREAKER_OPEN:
        return b->retry_ns;
    case BREAKER_HALF_OPEN:
        return half_open_ends_ns(b);
    default:
        return UINT64_MAX;
    }
}

uint64_t breaker_epoch(const struct breaker *b)
{
    return BREAKER_EPOCH_OF(row_load(&b->row->word));
}

static void set_failed_address(struct breaker *b, const char *address)
{
    if (address)
        snprintf(b->failed_address, sizeof(b->failed_address), "%s", address);
}

void breaker_call(struct breaker *b, uint64_t now_ns, uint64_t epoch, bool failed, bool slow,
                  const char *address)
{
    breaker_notice(b, now_ns);
    if (epoch != BREAKER_EPOCH_OF(b->word))
        return;
    if (failed)
        set_failed_address(b, address);
    switch (state_of(b)) {
    case BREAKER_CLOSED:
    case BREAKER_OFF:
        call_window_add(b->window, now_ns, &(struct calls){1, failed, slow});
        if (failed)
            row_add(&b->row->consecutive_failures, 1);
        else
            row_store(&b->row->consecutive_failures, 0);
        break;
    case BREAKER_HALF_OPEN:
        row_add(failed ? &b->row->half_open_failures : &b->row->half_open_successes, 1);
        break;
    default:
        break;
    }
    breaker_tick(b, now_ns);
}

void breaker_calls(struct breaker *b, uint64_t now_ns, const struct calls *calls)
{
    breaker_notice(b, now_ns);
    if (state_of(b) == BREAKER_CLOSED || state_of(b) == BREAKER_OFF)
        call_window_add(b->window, now_ns, calls);
    breaker_tick(b, now_ns);
}

void breaker_kernel_opened(struct breaker *b, uint64_t now_ns, uint64_t epoch, const char *address)
{
    struct breaker_transition *last;

    if (epoch == BREAKER_EPOCH_OF(b->word) + 1)
        set_failed_address(b, address);
    breaker_notice(b, now_ns);
    /* The state was noticed before its record: only the record knows the address. */
    last = b->transitions_total ? &b->history[(b->transitions_total - 1) % BREAKER_HISTORY] : NULL;
    if (last && last->by_kernel && last->epoch == epoch && address)
        snprintf(last->address, sizeof(last->address), "%s", address);
    breaker_tick(b, now_ns);
}

int breaker_open(struct breaker *b, uint64_t now_ns)
{
    if (mode_decides(b))
        return -EPERM;
    b->by_hand = true;
    breaker_notice(b, now_ns);
    if (state_of(b) != BREAKER_FORCED_OPEN)
        breaker_force(b, BREAKER_FORCED_OPEN, BREAKER_CAUSE_OPENED_BY_HAND, now_ns);
    return 0;
}

int breaker_close(struct breaker *b, uint64_t now_ns)
{
    if (mode_decides(b))
        return -EPERM;
    b->by_hand = false;
    breaker_notice(b, now_ns);
    if (state_of(b) != BREAKER_CLOSED)
        breaker_force(b, BREAKER_CLOSED, BREAKER_CAUSE_CLOSED_BY_HAND, now_ns);
    return 0;
}

void breaker_reset(struct breaker *b, uint64_t now_ns)
{
    b->by_hand = false;
    b->recovery = (struct recovery){0};
    call_window_clear(b->window);
    row_store(&b->row->consecutive_failures, 0);
    breaker_force(b, breaker_state_of_mode(b->rules.mode), BREAKER_CAUSE_RESET_BY_HAND, now_ns);
    b->recovery.next_ns = 0;
}

void breaker_view(const struct breaker *b, uint64_t now_ns, struct breaker_view *ret)
{
    *ret = (struct breaker_view){
        .state = state_of(b),
        .mode = b->rules.mode,
        .epoch = BREAKER_EPOCH_OF(b->word),
        .since_ns = b->since_ns,
        .retry_ns = state_of(b) == BREAKER_OPEN ? b->retry_ns : 0,
        .enforced = row_load(&b->row->enforce) != 0,
        .by_hand = b->by_hand,
        .dry_run = b->rules.dry_run,
        .recovery_timeout_ns = recovery_next_ns(&b->recovery, &b->recovery_rule, now_ns),
        .opened_total = b->opened_total,
        .transitions_total = b->transitions_total,
        .refused_total = row_load(&b->row->refused_total),
        .redirected_total = row_load(&b->row->redirected_total),
        .probes_total = row_load(&b->row->probes_total),
        .would_refuse_total = row_load(&b->row->would_refuse_total),
    };
    breaker_read_figures(b, now_ns, &ret->figures);
    if (b->transitions_total)
        ret->last = b->history[(b->transitions_total - 1) % BREAKER_HISTORY];
}

size_t breaker_history(const struct breaker *b, struct breaker_transition ret[BREAKER_HISTORY])
{
    uint64_t count =
        b->transitions_total < BREAKER_HISTORY ? b->transitions_total : BREAKER_HISTORY;

    for (uint64_t i = 0; i < count; i++)
        ret[i] = b->history[(b->transitions_total - 1 - i) % BREAKER_HISTORY];
    return (size_t)count;
}
