#include "alert/plan.h"
#include "alert/alert.h"
#include "base/clock.h"
#include "base/file.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCAL_TIME "/etc/localtime"

static const struct config_channel log_channel = {
    .name = (char *)"log",
    .type = CHANNEL_LOG,
    .minimum_severity = SEVERITY_INFO,
};

static const struct config_route every_channel = {
    .group_wait_seconds = NAN,
    .group_interval_seconds = 300,
    .repeat_interval_seconds = 14400,
};

const struct config_channel *alert_channels(const struct config *config, size_t *ret_count)
{
    *ret_count = config->alert_manager.channels.count;
    if (*ret_count)
        return config->alert_manager.channels.items;
    *ret_count = 1;
    return &log_channel;
}

/* `list` and `key` name the place in the configuration. */
static int compile_matchers(struct matchers **ret, const struct config_map *map,
                            const struct config_strings *texts, const char *list, size_t index,
                            const char *key, struct config_errors *errors)
{
    char error[MATCHER_ERROR_BYTES], pointer[96];
    size_t bad = 0;
    int r = matchers_create(ret, map, texts, &bad, error);

    if (r == -EINVAL) {
        snprintf(pointer, sizeof(pointer), "/alert_manager/%s/%zu/%s/%zu", list, index, key, bad);
        config_error_add(errors, pointer, "%s", error);
    }
    return r;
}

static channel_set set_of(const struct plan *plan, const struct config_strings *names)
{
    channel_set set = 0;

    for (size_t i = 0; i < names->count; i++)
        for (size_t c = 0; c < plan->channel_count; c++)
            if (strcmp(plan->channels[c].name, names->items[i]) == 0)
                set |= (channel_set)1 << c;
    return set;
}

static int compile_channels(struct plan *plan, const struct config *config,
                            struct config_errors *errors)
{
    plan->channels = alert_channels(config, &plan->channel_count);
    if (config->alert_manager.channels.count > CHANNELS_MAX) {
        config_error_add(errors, "/alert_manager/channels", "has %zu items (allowed: at most %d)",
                         config->alert_manager.channels.count, CHANNELS_MAX);
        return -EINVAL;
    }
    return 0;
}

static int compile_routes(struct plan *plan, const struct config *config,
                          struct config_errors *errors)
{
    size_t count = config->alert_manager.routes.count;
    const struct config_route *from = config->alert_manager.routes.items;
    int r = 0;

    if (count == 0) {
        from = &every_channel;
        count = 1;
    }
    plan->routes = calloc(count, sizeof(*plan->routes));
    if (!plan->routes)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        struct compiled_route *route = &plan->routes[plan->route_count++];
        int one;

        *route = (struct compiled_route){
            .config = &from[i],
            .channels = set_of(plan, &from[i].channels),
            .escalate_to = set_of(plan, &from[i].escalate_to),
            .paced = isnan(from[i].group_wait_seconds),
            .group_wait_ns = isnan(from[i].group_wait_seconds)
                                 ? 0
                                 : (int64_t)clock_ns_of_seconds(from[i].group_wait_seconds),
            .group_interval_ns = (int64_t)clock_ns_of_seconds(from[i].group_interval_seconds),
            .repeat_interval_ns = (int64_t)clock_ns_of_seconds(from[i].repeat_interval_seconds),
        };
        if (from == &every_channel)
            route->channels = UINT64_MAX >> (64 - plan->channel_count);
        for (size_t c = 0; c < plan->channel_count; c++)
            if (channel_kinds[plan->channels[c].type].local)
                route->log |= route->channels & (channel_set)1 << c;
        one = compile_matchers(&route->match, &from[i].match, &from[i].matchers, "routes", i,
                               "matchers", errors);
        if (r == 0 || one == -ENOMEM)
            r = one;
    }
    return r;
}

static int compile_inhibits(struct plan *plan, const struct config *config,
                            struct config_errors *errors)
{
    size_t count = config->alert_manager.inhibit.count;
    int r = 0;

    plan->inhibits = calloc(count + 1, sizeof(*plan->inhibits));
    if (!plan->inhibits)
        return -ENOMEM;
    for (size_t i = 0; i < count && r != -ENOMEM; i++) {
        const struct config_inhibit *from = &config->alert_manager.inhibit.items[i];
        struct inhibit *inhibit = &plan->inhibits[plan->inhibit_count++];
        int source, target;

        inhibit->config = from;
        source = compile_matchers(&inhibit->source, &from->source, &from->source_matchers,
                                  "inhibit", i, "source_matchers", errors);
        target = compile_matchers(&inhibit->target, &from->target, &from->target_matchers,
                                  "inhibit", i, "target_matchers", errors);
        if (r == 0 || source == -ENOMEM)
            r = source;
        if (r == 0 || target == -ENOMEM)
            r = target;
    }
    return r;
}

static unsigned minute_of(const char *time_of_day)
{
    return (unsigned)((time_of_day[0] - '0') * 600 + (time_of_day[1] - '0') * 60 +
                      (time_of_day[3] - '0') * 10 + (time_of_day[4] - '0'));
}

static int open_zone(struct mute *mute, size_t index, struct config_errors *errors)
{
    const char *name = mute->config->time_zone;
    char path[sizeof(TIME_ZONE_DIRECTORY) + 128], pointer[64];
    int r;

    if (!name && mute->config->utc)
        return 0;
    snprintf(path, sizeof(path), "%s/%s", TIME_ZONE_DIRECTORY, name ? name : "");
    r = zone_open(&mute->zone, name ? path : LOCAL_TIME);
    /* A host without that file is on UTC, see localtime(5). */
    if (r == 0 || r == -ENOMEM || (!name && r == -ENOENT))
        return r == -ENOMEM ? r : 0;
    snprintf(pointer, sizeof(pointer), "/alert_manager/mute_windows/%zu/%s", index,
             name ? "time_zone" : "utc");
    config_error_add(errors, pointer, "cannot read the time zone %s: %s", name ? path : LOCAL_TIME,
                     file_error(r));
    return -EINVAL;
}

static int compile_mutes(struct plan *plan, const struct config *config,
                         struct config_errors *errors)
{
    size_t count = config->alert_manager.mute_windows.count;
    int r = 0;

    plan->mutes = calloc(count + 1, sizeof(*plan->mutes));
    if (!plan->mutes)
        return -ENOMEM;
    for (size_t i = 0; i < count && r != -ENOMEM; i++) {
        const struct config_mute_window *from = &config->alert_manager.mute_windows.items[i];
        struct mute *mute = &plan->mutes[plan->mute_count++];
        int one;

        mute->config = from;
        mute->start_minute = minute_of(from->start);
        mute->end_minute = minute_of(from->end);
        one = compile_matchers(&mute->match, &from->match, &from->matchers, "mute_windows", i,
                               "matchers", errors);
        if (one == 0)
            one = open_zone(mute, i, errors);
        if (r == 0 || one == -ENOMEM)
            r = one;
    }
    return r;
}

int plan_create(struct plan **ret, const struct config *config, struct config_errors *errors)
{
    static int (*const steps[])(struct plan *, const struct config *, struct config_errors *) = {
        compile_channels, compile_routes, compile_inhibits, compile_mutes};
    struct plan *plan = calloc(1, sizeof(*plan));
    int r, first;

    if (!plan)
        return -ENOMEM;
    plan->config = config;
    plan->cooldown_ns = (int64_t)clock_ns_of_seconds(config->alert_manager.cooldown_period_seconds);
    plan->escalation_delay_ns =
        (int64_t)clock_ns_of_seconds(config->alert_manager.escalation_delay_seconds);
    plan->flapping_window_ns =
        (int64_t)clock_ns_of_seconds(config->alert_manager.flapping_window_seconds);
    first = rule_set_create(&plan->rules, config, errors);
    for (size_t i = 0; first != -ENOMEM && i < sizeof(steps) / sizeof(steps[0]); i++) {
        r = steps[i](plan, config, errors);
        if (first == 0 || r == -ENOMEM)
            first = r;
    }
    if (first < 0) {
        plan_destroy(plan);
        return first;
    }
    *ret = plan;
    return 0;
}

void plan_destroy(struct plan *plan)
{
    if (!plan)
        return;
    for (size_t i = 0; i < plan->route_count; i++)
        matchers_destroy(plan->routes[i].match);
    for (size_t i = 0; i < plan->inhibit_count; i++) {
        matchers_destroy(plan->inhibits[i].source);
        matchers_destroy(plan->inhibits[i].target);
    }
    for (size_t i = 0; i < plan->mute_count; i++) {
        matchers_destroy(plan->mutes[i].match);
        zone_close(plan->mutes[i].zone);
    }
    free(plan->routes);
    free(plan->inhibits);
    free(plan->mutes);
    rule_set_destroy(plan->rules);
    free(plan);
}

int plan_route(const struct plan *plan, const struct labels *labels, enum severity severity)
{
    for (size_t i = 0; i < plan->route_count; i++)
        if (matchers_may_match(plan->routes[i].match, labels, severity_text(severity)))
            return (int)i;
    return -1;
}

bool mute_is_on(const struct mute *mute, uint64_t realtime_ns)
{
    unsigned days = mute->config->days, weekday, minute;
    bool today, yesterday;

    zone_wall_clock(mute->zone, (int64_t)(realtime_ns / NS_PER_SECOND), &weekday, &minute);
    today = days >> weekday & 1;
    yesterday = days >> (weekday + 6) % 7 & 1;
    if (mute->start_minute < mute->end_minute)
        return today && minute >= mute->start_minute && minute < mute->end_minute;
    return (today && minute >= mute->start_minute) || (yesterday && minute < mute->end_minute);
}
