/* One attempt after the other: the first message that waits, until it is delivered or given up. */
#include "notify/lane_state.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No receiver keeps a message of this agent waiting longer, whatever its Retry-After says. */
#define RETRY_AFTER_MAX_NS (3600 * NS_PER_SECOND)
#define ANSWER_SHOWN_BYTES 120

void lane_set_state(struct lane *lane, enum notify_state state, const char *error)
{
    enum notify_state before = lane->state;

    lane->state = state;
    snprintf(lane->error, sizeof(lane->error), "%s", error);
    if (state == before)
        return;
    if (state == NOTIFY_OK)
        LOG_INFO(lane->env->log, LOGGER, "Notification channel works again",
                 LOG_STRING("channel", lane->receiver.channel->name),
                 LOG_STRING("peer", lane->receiver.peer));
    else
        LOG_AT(lane->env->log, state == NOTIFY_MISCONFIGURED ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
               LOGGER, "Notification channel fails",
               LOG_STRING("channel", lane->receiver.channel->name),
               LOG_STRING("peer", lane->receiver.peer),
               LOG_STRING("state", notify_state_text(state)), LOG_STRING("error", error),
               LOG_U64("queued", lane->count));
}

void lane_look(struct lane *lane)
{
    static const struct message nothing = {.key = "", .payload = ""};
    char reason[SECRET_REASON_BYTES] = "";
    struct attempt attempt = {0};
    int r;

    if (!lane->driver->prepare)
        return;
    r = lane->driver->prepare(&attempt, &lane->receiver, &nothing, reason);
    attempt_end(&attempt);
    if (r < 0 && r != -ENOMEM) {
        lane->unready = true;
        lane_set_state(lane, NOTIFY_MISCONFIGURED, reason);
    } else if (lane->unready) {
        lane->unready = false;
        lane_set_state(lane, NOTIFY_OK, "");
    }
}

static void set_alarm(struct lane *lane, uint64_t at_ns)
{
    lane->alarm_ns = at_ns;
    loop_set_alarm(lane->alarm, at_ns);
}

void lane_on_alarm(void *ctx, uint64_t now_ns)
{
    struct lane *lane = ctx;

    (void)now_ns;
    lane->alarm_ns = 0;
    lane_pump(lane);
}

static void on_success(struct lane *lane, const char *note)
{
    struct lane_entry *entry = lane->first;
    uint64_t now_ns = clock_monotonic_ns(lane->env->clock), latency_ns;

    breaker_call(lane->breaker, now_ns, lane->epoch, false, false, NULL);
    lane->last_success_ns = clock_realtime_ns(lane->env->clock);
    if (entry->reminder) {
        lane->reminded_total++;
    } else {
        static const struct outcome ok = {.class = OUTCOME_OK};
        uint64_t delay_ns;

        retry_after(lane->destination, &entry->call, &ok, &delay_ns);
        lane_note_delivered(lane, entry->key);
        if (entry->queued_ns) {
            latency_ns = now_ns - entry->queued_ns;
            lane->latency.count++;
            lane->latency.sum_ns += latency_ns;
            lane->latency.slots[slot_of_ns(latency_ns)]++;
        }
    }
    lane->unready = false;
    /* Delivered, but not to everybody. */
    if (*note)
        lane_set_state(lane, NOTIFY_MISCONFIGURED, note);
    else
        lane_set_state(lane, NOTIFY_OK, "");
    lane_forget_first(lane);
}

static void try_again(struct lane *lane, const struct outcome *outcome, const char *reason)
{
    struct lane_entry *entry = lane->first;
    struct outcome counted = *outcome;
    enum retry_decision decision;
    uint64_t delay_ns = 0;
    char why[LANE_ERROR_BYTES + 64];

    /* What a person has to mend is not the message's fault. */
    if (counted.class == OUTCOME_PERMANENT)
        counted.class = OUTCOME_RETRYABLE;
    if (counted.retry_after_ns > RETRY_AFTER_MAX_NS)
        counted.retry_after_ns = RETRY_AFTER_MAX_NS;
    decision = retry_after(lane->destination, &entry->call, &counted, &delay_ns);
    if (decision != RETRY_AGAIN) {
        snprintf(why, sizeof(why), "%s after %u attempts: %s",
                 decision == RETRY_STOP_ATTEMPTS ? "max_attempts" : "max_elapsed",
                 entry->call.attempts, reason);
        lane_give_up_first(lane, why);
        return;
    }
    entry->not_before_ns = clock_monotonic_ns(lane->env->clock) + delay_ns;
    lane_drop_bodies(lane);
    /* If it does not get there, the next start tries once more than it would. */
    if (entry->in_outbox)
        outbox_retry(lane->env->outbox, lane->id, entry->key,
                     clock_realtime_ns(lane->env->clock) + delay_ns);
}

static void on_failure(struct lane *lane, const struct outcome *outcome, bool rejected,
                       const char *reason)
{
    uint64_t now_ns = clock_monotonic_ns(lane->env->clock);

    lane->failed_total++;
    lane->unready = false;
    lane_set_state(lane,
                   outcome->class == OUTCOME_PERMANENT && !rejected ? NOTIFY_MISCONFIGURED
                                                                    : NOTIFY_FAILING,
                   reason);
    /* One that throttles or refuses what is said is alive. */
    if (outcome->class != OUTCOME_THROTTLED)
        breaker_call(lane->breaker, now_ns, lane->epoch, !rejected, false, NULL);
    if (lane->first->reminder) {
        /* The next ones are newer. */
        while (lane->first && lane->first->reminder)
            lane_forget_first(lane);
    } else if (rejected) {
        lane_give_up_first(lane, reason);
    } else {
        try_again(lane, outcome, reason);
    }
}

/* The beginning of the answer too, which says what is wrong better than the status. */
static void say_reason(const struct http_result *result, char reason[LANE_ERROR_BYTES])
{
    char shown[ANSWER_SHOWN_BYTES + 1];
    size_t n = strnlen(result->body, ANSWER_SHOWN_BYTES);

    n = utf8_valid_prefix(result->body, n);
    for (size_t i = 0; i < n; i++)
        shown[i] = (char)((unsigned char)result->body[i] < ' ' ? ' ' : result->body[i]);
    shown[n] = '\0';
    if (result->outcome.class == OUTCOME_OK && result->status >= 300)
        snprintf(reason, LANE_ERROR_BYTES,
                 "HTTP status %u: redirects are not followed (give the final URL)", result->status);
    else
        snprintf(reason, LANE_ERROR_BYTES, "%.180s%s%s", result->reason, n ? ": " : "", shown);
}

static void on_done(void *ctx, const struct http_result *result)
{
    static const struct outcome misdirected = {.class = OUTCOME_PERMANENT};
    struct lane *lane = ctx;
    char reason[LANE_ERROR_BYTES];

    lane->transfer = NULL;
    if (result->outcome.class != OUTCOME_OK) {
        say_reason(result, reason);
        on_failure(lane, &result->outcome, result->rejected, reason);
    } else if (result->status >= 300) {
        say_reason(result, reason);
        on_failure(lane, &misdirected, false, reason);
    } else {
        reason[0] = '\0';
        if (result->refused_to)
            snprintf(reason, sizeof(reason), "%u recipient%s refused: %s", result->refused_to,
                     result->refused_to == 1 ? " is" : "s are", result->reason);
        on_success(lane, reason);
    }
    lane_pump(lane);
}

static int start(struct lane *lane, const struct lane_entry *entry, char reason[HTTP_ERROR_BYTES])
{
    const struct message message = {
        .key = entry->key,
        .payload = entry->body + entry->payload_at,
        .payload_bytes = entry->body_bytes - entry->payload_at,
        .now_realtime_ns = clock_realtime_ns(lane->env->clock),
    };
    struct attempt attempt = {0};
    int r;

    snprintf(reason, HTTP_ERROR_BYTES, "out of memory");
    r = lane->driver->prepare(&attempt, &lane->receiver, &message, reason);
    attempt.request.timeout_ns = clock_ns_of_seconds(lane->receiver.channel->timeout_seconds);
    if (r == 0)
        r = http_start(lane->env->http, &lane->transfer, &attempt.request, on_done, lane, reason);
    attempt_end(&attempt);
    return r;
}

/* When the first entry may be sent; 0: now. */
static uint64_t due_ns(struct lane *lane, const struct lane_entry *entry, uint64_t now_ns)
{
    struct breaker_view breaker;

    if (entry->storing && now_ns < entry->queued_ns + STORING_PATIENCE_NS)
        return entry->queued_ns + STORING_PATIENCE_NS;
    if (now_ns < entry->not_before_ns)
        return entry->not_before_ns;
    breaker_tick(lane->breaker, now_ns);
    breaker_view(lane->breaker, now_ns, &breaker);
    if (breaker.state == BREAKER_OPEN && breaker.retry_ns > now_ns)
        return breaker.retry_ns;
    return 0;
}

void lane_pump(struct lane *lane)
{
    uint64_t now_ns = clock_monotonic_ns(lane->env->clock), at_ns;
    char reason[HTTP_ERROR_BYTES];
    struct outcome outcome;
    int r;

    if (!lane->breaker)
        return; /* the log, which is never called */
    while (!lane->transfer && lane->first) {
        struct lane_entry *entry;

        lane_pass_unread(lane, now_ns);
        entry = lane->first;
        at_ns = due_ns(lane, entry, now_ns);
        if (!at_ns && !entry->body)
            at_ns = lane_ask(lane, now_ns);
        if (at_ns) {
            set_alarm(lane, at_ns);
            return;
        }
        lane->epoch = breaker_epoch(lane->breaker);
        if (!entry->reminder && !entry->begun) {
            retry_begin(lane->destination, &entry->call);
            entry->begun = true;
        }
        if (entry->call.attempts)
            lane->retried_total++;
        r = start(lane, entry, reason);
        if (r == 0)
            break;
        outcome = (struct outcome){.class = r == -ENOMEM ? OUTCOME_RETRYABLE : OUTCOME_PERMANENT};
        on_failure(lane, &outcome, false, reason);
    }
    set_alarm(lane, 0);
}
