/* Every sequence of events up to a depth, against a model that is built the other way round: not a
 * machine that counts, but questions to the whole history: from where the present state began,
 * which is the first event after which what followed adds up to its end? */
#include "breaker_fixture.h"
#include <math.h>
#include <stdio.h>

enum { CALL_GOOD, CALL_BAD, CHECK_GOOD, CHECK_BAD, WAIT_5, WAIT_10, OPEN, CLOSE, RESET, EVENTS };

#define TRAFFIC_EVENTS 6 /* those before OPEN */
#define DEPTH_TRAFFIC 8
#define DEPTH_ALL 6

#define FAILURES_IN_A_ROW 2
#define PROBES 1
#define SUCCESSES 2
#define WINDOW 4
#define MINIMUM 3
#define RATE 60
#define BASE 10
#define MULTIPLIER 2
#define LONGEST 40
#define HALF_OPEN_SECONDS 5

struct expected {
    enum breaker_state state;
    unsigned transitions;
    enum breaker_cause cause;
    bool by_kernel;
    int began, retry; /* seconds */
};

static int clock_after(const int *history, int n)
{
    int seconds = 0;

    for (int i = 0; i < n; i++)
        seconds += history[i] == WAIT_5 ? 5 : history[i] == WAIT_10 ? 10 : 0;
    return seconds;
}

static bool is_call(int event)
{
    return event <= CHECK_BAD;
}

static bool is_bad(int event)
{
    return event == CALL_BAD || event == CHECK_BAD;
}

/* Of the calls in history[from..to), the newest `most`: how many, and how many of them bad. */
static void look_back(const int *history, int from, int to, int most, int *calls, int *bad)
{
    *calls = *bad = 0;
    for (int i = to - 1; i >= from && *calls < most; i--) {
        if (is_call(history[i])) {
            *calls += 1;
            *bad += is_bad(history[i]);
        }
    }
}

static bool closed_ends(const int *history, int from, int to, struct expected *e)
{
    int calls, bad;

    look_back(history, from, to, FAILURES_IN_A_ROW, &calls, &bad);
    if (bad == FAILURES_IN_A_ROW) {
        e->cause = BREAKER_CAUSE_CONSECUTIVE;
        e->by_kernel = history[to - 1] == CALL_BAD;
        return true;
    }
    look_back(history, from, to, WINDOW, &calls, &bad);
    e->cause = BREAKER_CAUSE_FAILURE_RATE;
    e->by_kernel = false;
    return calls >= MINIMUM && bad * 100 >= RATE * calls;
}

/* The outcomes that count: those of checks, and those of the first calls. */
static int probe_outcomes(const int *history, int from, int to, bool bad)
{
    int outcomes = 0, calls = 0;

    for (int i = from; i < to; i++) {
        bool call = history[i] == CALL_GOOD || history[i] == CALL_BAD;

        if (is_call(history[i]) && (!call || calls < PROBES))
            outcomes += is_bad(history[i]) == bad;
        calls += call;
    }
    return outcomes;
}

static bool anybody_came(const int *history, int from, int to)
{
    for (int i = from; i < to; i++)
        if (is_call(history[i]))
            return true;
    return false;
}

static bool half_open_ends(const int *history, int from, int to, struct expected *e,
                           enum breaker_state *to_state)
{
    *to_state = BREAKER_OPEN;
    e->by_kernel = false;
    if (probe_outcomes(history, from, to, true)) {
        e->cause = BREAKER_CAUSE_PROBE_FAILED;
        e->by_kernel = history[to - 1] == CALL_BAD;
        return true;
    }
    if (probe_outcomes(history, from, to, false) == SUCCESSES) {
        *to_state = BREAKER_CLOSED;
        e->cause = BREAKER_CAUSE_PROBES_SUCCEEDED;
        return true;
    }
    e->cause = BREAKER_CAUSE_HALF_OPEN_TIMEOUT;
    return clock_after(history, to) - clock_after(history, from) >= HALF_OPEN_SECONDS;
}

/* With the draw at 0 an opening lasts half of its nominal time, at least the base. */
static int lasts(int nominal)
{
    return nominal / 2 > BASE ? nominal / 2 : BASE;
}

static bool by_hand(int event, enum breaker_state state, struct expected *e, enum breaker_state *to)
{
    e->by_kernel = false;
    *to = event == OPEN ? BREAKER_FORCED_OPEN : BREAKER_CLOSED;
    e->cause = event == OPEN    ? BREAKER_CAUSE_OPENED_BY_HAND
               : event == CLOSE ? BREAKER_CAUSE_CLOSED_BY_HAND
                                : BREAKER_CAUSE_RESET_BY_HAND;
    return event == RESET || ((event == OPEN || event == CLOSE) && state != *to);
}

static bool ends(const int *history, int from, int to, struct expected *e, enum breaker_state *next)
{
    struct expected found = *e;
    bool ended = false;

    if (by_hand(history[to - 1], e->state, &found, next)) {
        ended = true;
    } else if (e->state == BREAKER_CLOSED) {
        *next = BREAKER_OPEN;
        ended = closed_ends(history, from, to, &found);
    } else if (e->state == BREAKER_OPEN) {
        *next = BREAKER_HALF_OPEN;
        found.cause = BREAKER_CAUSE_RECOVERY_TIMEOUT;
        found.by_kernel = false;
        ended = clock_after(history, to) >= e->retry;
    } else if (e->state == BREAKER_HALF_OPEN) {
        ended = half_open_ends(history, from, to, &found, next);
    }
    if (ended)
        *e = found;
    return ended;
}

static struct expected expect(const int *history, int n)
{
    struct expected e = {.state = BREAKER_CLOSED};
    int from = 0, nominal = 0, next = BASE;

    for (int to = 1; to <= n; to++) {
        enum breaker_state state;
        int now = clock_after(history, to);

        if (!ends(history, from, to, &e, &state))
            continue;
        if (state == BREAKER_OPEN) {
            bool nobody = e.state == BREAKER_HALF_OPEN && !anybody_came(history, from, to);

            if (e.state == BREAKER_CLOSED)
                next = (int)fmax(BASE, next / pow(2, (now - e.began) / BASE));
            nominal = nobody ? nominal : next;
            next = nobody ? next : (int)fmin(LONGEST, nominal * MULTIPLIER);
            e.retry = now + lasts(nominal);
        }
        if (history[to - 1] == RESET)
            next = BASE;
        e.state = state;
        e.began = now;
        e.transitions++;
        from = to;
    }
    return e;
}

static void play(struct bench *b, int event)
{
    switch (event) {
    case CALL_GOOD:
    case CALL_BAD:
        bench_call(b, event == CALL_BAD);
        break;
    case CHECK_GOOD:
    case CHECK_BAD:
        bench_check(b, event == CHECK_BAD);
        break;
    case WAIT_5:
    case WAIT_10:
        bench_pass(b, (event == WAIT_5 ? 5 : 10) * SECOND);
        break;
    case OPEN:
        breaker_open(b->breaker, b->now_ns);
        break;
    case CLOSE:
        breaker_close(b->breaker, b->now_ns);
        break;
    default:
        breaker_reset(b->breaker, b->now_ns);
        break;
    }
}

static void compare(struct bench *b, const int *history, int n)
{
    static const char *const letters = "gbGBtTOCR";
    struct expected e = expect(history, n);
    struct breaker_view view = bench_view(b);
    char text[16] = "";

    if (view.state == e.state && view.epoch == e.transitions && b->moves == e.transitions &&
        BREAKER_EPOCH_OF(b->row.word) == e.transitions && bench_state(b) == e.state &&
        (!e.transitions || (b->last.cause == e.cause && b->last.by_kernel == e.by_kernel)) &&
        (e.state != BREAKER_OPEN || view.retry_ns == (1000 + (uint64_t)e.retry) * SECOND))
        return;
    for (int i = 0; i < n; i++)
        text[i] = letters[history[i]];
    fail_msg("%s: %s after %llu transitions, the last %s%s, retry at %llu; expected %s after %u, "
             "%s%s, %d",
             text, breaker_state_name(view.state), (unsigned long long)view.epoch,
             breaker_cause_name(b->last.cause), b->last.by_kernel ? " by the kernel" : "",
             (unsigned long long)(view.retry_ns / SECOND), breaker_state_name(e.state),
             e.transitions, breaker_cause_name(e.cause), e.by_kernel ? " by the kernel" : "",
             1000 + e.retry);
}

static void play_all(int events, int depth)
{
    int history[DEPTH_TRAFFIC] = {0};
    struct bench b = {.rules = bench_rules()};
    unsigned long sequences = 1;

    b.rules.failure_threshold = FAILURES_IN_A_ROW;
    b.rules.success_threshold = SUCCESSES;
    b.rules.half_open_max_calls = PROBES;
    b.rules.window = WINDOW;
    b.rules.minimum_calls = MINIMUM;
    b.rules.failure_rate_percent = RATE;
    b.rules.recovery_timeout_seconds = BASE;
    b.rules.backoff_multiplier = MULTIPLIER;
    b.rules.max_recovery_timeout_seconds = LONGEST;
    b.rules.half_open_timeout_seconds = HALF_OPEN_SECONDS;
    for (int i = 0; i < depth; i++)
        sequences *= (unsigned long)events;
    for (unsigned long s = 0; s < sequences; s++) {
        unsigned long rest = s;
        int changed = depth;

        /* The first event changes last: a prefix is compared once, by the first to have it. */
        for (int i = depth - 1; i >= 0; i--, rest /= (unsigned long)events) {
            int event = (int)(rest % (unsigned long)events);

            changed = history[i] != event || s == 0 ? i : changed;
            history[i] = event;
        }
        b.row = (struct breaker_row){0};
        b.now_ns = 1000 * SECOND;
        b.moves = 0;
        bench_create(&b);
        for (int i = 0; i < depth; i++) {
            play(&b, history[i]);
            if (i >= changed)
                compare(&b, history, i + 1);
        }
        breaker_destroy(b.breaker);
    }
}

static void every_sequence_of_traffic(void **state)
{
    play_all(TRAFFIC_EVENTS, DEPTH_TRAFFIC);
}

static void every_sequence_with_an_operator(void **state)
{
    play_all(EVENTS, DEPTH_ALL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_of_traffic),
        cmocka_unit_test(every_sequence_with_an_operator),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
