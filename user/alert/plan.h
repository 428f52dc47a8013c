/* The configuration of the alert manager, compiled: rules, channels, routes, inhibition, mute
 * windows. Inside this layer, but for the check. */
#ifndef MOONWATCH_ALERT_PLAN_H
#define MOONWATCH_ALERT_PLAN_H

#include "alert/rule.h"
#include "alert/zone.h"

#define CHANNELS_MAX 64

/* One bit per channel of the plan. */
typedef uint64_t channel_set;

struct compiled_route {
    const struct config_route *config;
    struct matchers *match;
    channel_set channels, escalate_to; /* escalate_to 0: the same channels */
    channel_set log;                   /* those of `channels` that never wait */
    bool paced;                        /* no group_wait: what is quiet is told at once */
    int64_t group_wait_ns, group_interval_ns, repeat_interval_ns;
};

struct inhibit {
    const struct config_inhibit *config;
    struct matchers *source, *target;
};

struct mute {
    const struct config_mute_window *config;
    struct matchers *match;
    struct zone *zone; /* NULL: UTC */
    unsigned start_minute, end_minute;
};

struct plan {
    const struct config *config;
    struct rule_set *rules;
    size_t channel_count, route_count, inhibit_count, mute_count;
    const struct config_channel *channels;
    struct compiled_route *routes;
    struct inhibit *inhibits;
    struct mute *mutes;
    int64_t cooldown_ns, escalation_delay_ns, flapping_window_ns;
};

/* `config` is borrowed until the plan is destroyed. -EINVAL: the errors are added. Without
 * channels there is one, "log"; without routes everything goes to every channel. */
int plan_create(struct plan **ret, const struct config *config, struct config_errors *errors);
void plan_destroy(struct plan *plan); /* NULL is fine */

/* The first route that matches; -1: none. */
int plan_route(const struct plan *plan, const struct labels *labels, enum severity severity);
bool mute_is_on(const struct mute *mute, uint64_t realtime_ns);

#endif
