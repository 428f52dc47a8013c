#include "notify/lane.h"
#include "config/choices.h"
#include "notify/lane_state.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double draw(void *ctx)
{
    const struct random_source *random = ctx;

    return (double)(random->next(random->ctx) >> 11) * 0x1p-53;
}

/* A message waits until it can be delivered or is too old, so one success closes the breaker, and
 * half open it waits for the next message, however long that takes. */
static struct config_breaker rules_of(const struct config_channel *channel,
                                      const struct config *config)
{
    double longest = channel->retry.max_delay_seconds;

    return (struct config_breaker){
        .mode = config->circuit_breaker.enabled ? BREAKER_MODE_ENFORCE : BREAKER_MODE_DISABLED,
        .failure_threshold = channel->breaker.failure_threshold,
        .recovery_timeout_seconds = channel->breaker.recovery_timeout_seconds,
        .success_threshold = 1,
        .timeout_seconds = channel->timeout_seconds,
        .window_type = BREAKER_WINDOW_CALLS,
        .window = 1,
        .minimum_calls = 10000,
        .failure_rate_percent = 100,
        .slow_call_rate_percent = 100,
        .half_open_max_calls = 1,
        .half_open_timeout_seconds = 86400,
        .backoff_multiplier = 2,
        .max_recovery_timeout_seconds = longest > channel->breaker.recovery_timeout_seconds
                                            ? longest
                                            : channel->breaker.recovery_timeout_seconds,
    };
}

static void set_policy(struct lane *lane, const struct config *config)
{
    const struct config_channel *channel = lane->receiver.channel;
    struct retry_policy policy = retry_policy_of(config);

    policy.max_attempts = channel->retry.max_attempts ? channel->retry.max_attempts : UINT_MAX;
    policy.base_delay_ns = clock_ns_of_seconds(channel->retry.base_delay_seconds);
    policy.max_delay_ns = clock_ns_of_seconds(channel->retry.max_delay_seconds);
    policy.max_elapsed_ns = clock_ns_of_seconds(channel->retry.max_elapsed_seconds);
    policy.jitter = RETRY_JITTER_FULL;
    policy.patient = true;
    retry_set_own_policy(lane->destination, &policy);
    lane->max_delay_ns = policy.max_delay_ns;
}

/* What a receiver that is called needs, and the log does not. */
static int create_calls(struct lane *lane, const struct config *config)
{
    struct config_breaker rules = rules_of(lane->receiver.channel, config);
    int r = retry_join(lane->env->retry, &lane->destination, lane->id);

    if (r < 0)
        return r;
    set_policy(lane, config);
    lane->breaker_ops =
        (struct breaker_ops){.random = draw, .ctx = (void *)(uintptr_t)lane->env->random};
    r = breaker_create(&lane->breaker, &rules, lane->id, &lane->breaker_ops);
    if (r < 0)
        return r;
    breaker_place(lane->breaker, &lane->row);
    breaker_tell(lane->breaker, clock_monotonic_ns(lane->env->clock));
    return loop_add_alarm(lane->env->loop, &lane->alarm, lane_on_alarm, lane);
}

int lane_create(struct lane **ret, const struct lane_env *env, const struct receiver *receiver,
                const struct config *config)
{
    struct lane *lane = calloc(1, sizeof(*lane));
    int r = 0;

    if (!lane)
        return -ENOMEM;
    lane->env = env;
    lane->receiver = *receiver;
    lane->driver = channel_drivers[receiver->channel->type];
    /* A blank is in no name and in no URL. */
    if (asprintf(&lane->id, "%s%s%s", receiver->channel->name, *receiver->peer ? " " : "",
                 receiver->peer) < 0) {
        lane->id = NULL;
        r = -ENOMEM;
    }
    if (r == 0 && lane->driver->render)
        r = create_calls(lane, config);
    if (r < 0) {
        lane_destroy(lane);
        return r;
    }
    *ret = lane;
    return 0;
}

void lane_destroy(struct lane *lane)
{
    struct lane_entry *entry;
    struct lane_removal *removal;

    if (!lane)
        return;
    http_cancel(lane->transfer);
    loop_remove(lane->alarm);
    *lane->env->bytes -= lane->bytes;
    while ((entry = lane->first)) {
        lane->first = entry->next;
        free(entry->body);
        free(entry);
    }
    while ((removal = lane->removals)) {
        lane->removals = removal->next;
        free(removal);
    }
    if (lane->breaker)
        breaker_destroy(lane->breaker);
    retry_leave(lane->destination);
    free(lane->id);
    free(lane);
}

void lane_configure(struct lane *lane, const struct receiver *receiver, const struct config *config)
{
    uint64_t now_ns = clock_monotonic_ns(lane->env->clock);
    struct config_breaker rules = rules_of(receiver->channel, config);

    lane->receiver = *receiver;
    if (!lane->breaker)
        return;
    set_policy(lane, config);
    /* Their window never changes, so that no memory is needed. */
    breaker_configure(lane->breaker, &rules, lane->id, now_ns);
    breaker_reset(lane->breaker, now_ns);
}

void lane_resume(struct lane *lane)
{
    if (!lane->breaker)
        return;
    if (lane->first)
        lane->first->not_before_ns = 0;
    lane_look(lane);
    lane_pump(lane);
}

bool lane_leads_to(const struct lane *lane, const struct receiver *receiver)
{
    return lane->driver == channel_drivers[receiver->channel->type] &&
           strcmp(lane->receiver.channel->name, receiver->channel->name) == 0 &&
           strcmp(lane->receiver.peer, receiver->peer) == 0;
}

const struct receiver *lane_receiver(const struct lane *lane)
{
    return &lane->receiver;
}

const char *lane_id(const struct lane *lane)
{
    return lane->id;
}

void lane_view(const struct lane *lane, struct notify_channel_view *ret)
{
    uint64_t now_ns = clock_monotonic_ns(lane->env->clock);
    uint64_t real_ns = clock_realtime_ns(lane->env->clock);
    struct breaker_view breaker = {.state = BREAKER_CLOSED};

    if (lane->breaker)
        breaker_view(lane->breaker, now_ns, &breaker);
    *ret = (struct notify_channel_view){
        .name = lane->receiver.channel->name,
        .type = channel_kinds[lane->receiver.channel->type].name,
        .peer = lane->receiver.peer,
        .state = lane->state == NOTIFY_FAILING && breaker.state == BREAKER_OPEN ? NOTIFY_OPEN
                                                                                : lane->state,
        .error = lane->error,
        .sent_total = lane->sent_total,
        .failed_total = lane->failed_total,
        .retried_total = lane->retried_total,
        .dropped_total = lane->dropped_total,
        .heartbeats_total = lane->reminded_total,
        .latency = lane->latency,
        .last_success_ns = lane->last_success_ns,
    };
    for (const struct lane_entry *entry = lane->first; entry; entry = entry->next) {
        if (entry->reminder)
            continue;
        ret->queued++;
        if (!ret->oldest_queued_ns || entry->created_ns < ret->oldest_queued_ns)
            ret->oldest_queued_ns = entry->created_ns;
    }
    if (lane->alarm_ns)
        ret->next_attempt_ns = real_ns + (lane->alarm_ns > now_ns ? lane->alarm_ns - now_ns : 0);
}

uint64_t lane_waits_since(const struct lane *lane)
{
    const struct lane_entry *entry = lane->first;

    return lane->state == NOTIFY_OK || !entry || entry->reminder ? 0 : entry->created_ns;
}
