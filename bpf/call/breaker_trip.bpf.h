/* Outcomes of calls, as the breakers take them: what opens one, and what lets the agent close it.
 */
#ifndef MOONWATCH_CALL_BREAKER_TRIP_BPF_H
#define MOONWATCH_CALL_BREAKER_TRIP_BPF_H

#include "abi/call.h"
#include "lib/breaker_row.bpf.h"

/* What happened, for the records. `call` is borrowed. */
struct breaker_outcome {
    const struct record_call *call;
    u64 probe_epoch; /* 0: not a probe */
    u64 age_ns;
    u32 reason;
};

static __always_inline void emit_breaker(const struct breaker_outcome *outcome,
                                         const struct breaker_row *row, u32 from, u64 word)
{
    struct record_breaker *record = emit_reserve(RECORD_BREAKER, sizeof(*record));

    if (!record)
        return;
    record->call = *outcome->call;
    record->epoch = BREAKER_EPOCH_OF(word);
    record->consecutive_failures = row->consecutive_failures;
    record->from = from;
    record->to = BREAKER_STATE_OF(word);
    record->reason = outcome->reason;
    record->pad = 0;
    emit_submit(record, EMIT_URGENT);
}

static __always_inline void emit_call_failed(const struct breaker_outcome *outcome, u64 word,
                                             bool is_probe)
{
    struct record_call_failed *record = emit_reserve(RECORD_CALL_FAILED, sizeof(*record));

    if (!record)
        return;
    record->call = *outcome->call;
    record->epoch = BREAKER_EPOCH_OF(word);
    record->age_ns = outcome->age_ns;
    record->reason = outcome->reason;
    record->is_probe = is_probe;
    emit_submit(record, EMIT_URGENT);
}

static __always_inline void trip(const struct breaker_outcome *outcome, struct breaker_row *row,
                                 u64 word)
{
    u64 open = BREAKER_WORD(BREAKER_EPOCH_OF(word) + 1, BREAKER_OPEN);

    /* Before the state: who sees that it is open must see since when. */
    row->opened_ns = bpf_ktime_get_ns();
    if (__sync_val_compare_and_swap(&row->word, word, open) == word)
        emit_breaker(outcome, row, BREAKER_STATE_OF(word), open);
}

static __noinline int breaker_failed(const struct breaker_outcome *outcome)
{
    struct breaker_row *row;
    bool is_probe;
    u64 word;

    if (!outcome || !outcome->call)
        return 0;
    row = breaker_row_of(outcome->call->upstream);
    if (!row)
        return 0;
    word = breaker_word(row);
    if (BREAKER_STATE_OF(word) == BREAKER_CLOSED) {
        u64 failures = __sync_fetch_and_add(&row->consecutive_failures, 1) + 1;

        emit_call_failed(outcome, word, false);
        if (row->failure_threshold && failures >= row->failure_threshold)
            trip(outcome, row, word);
    } else if (BREAKER_STATE_OF(word) == BREAKER_HALF_OPEN) {
        is_probe = outcome->probe_epoch == BREAKER_EPOCH_OF(word);
        if (!is_probe)
            return 0;
        __sync_fetch_and_add(&row->half_open_failures, 1);
        emit_call_failed(outcome, word, true);
        trip(outcome, row, word);
    }
    return 0;
}

static __always_inline void breaker_succeeded(const struct record_call *call, u64 probe_epoch)
{
    struct breaker_row *row = breaker_row_of(call->upstream);
    u64 word, successes;

    if (!row)
        return;
    /* Read first: a write by every call would bounce the line between CPUs. */
    if (row->consecutive_failures)
        row->consecutive_failures = 0;
    word = breaker_word(row);
    if (!probe_epoch || word != BREAKER_WORD(probe_epoch, BREAKER_HALF_OPEN))
        return;
    successes = __sync_fetch_and_add(&row->half_open_successes, 1) + 1;
    if (successes == row->success_threshold) {
        struct breaker_outcome outcome = {.call = call, .reason = CALL_PROBES_SUCCEEDED};

        emit_breaker(&outcome, row, BREAKER_HALF_OPEN, word);
    }
}

#endif
