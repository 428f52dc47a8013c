/* GET /breakers, GET /breakers/NAME, POST /admin/circuit-breaker/... */
#include "base/cleanup.h"
#include "http/breakers.h"
#include "http/error.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

uint64_t realtime_of(const struct body_env *env, uint64_t monotonic_ns)
{
    const struct clock *clock = env->sources->clock;

    if (!monotonic_ns)
        return 0;
    return clock_realtime_ns(clock) - (clock_monotonic_ns(clock) - monotonic_ns);
}

static void fill_history(const struct body_env *env, struct breaker_entry *entry)
{
    for (size_t i = 0; i < entry->breaker.history_count; i++) {
        const struct breaker_transition *t = entry->breaker.history[i];

        entry->history[i] = (struct transition_entry){
            .from = breaker_state_name(t->from),
            .to = breaker_state_name(t->to),
            .cause = breaker_cause_name(t->cause),
            .transition = t,
            .at_realtime_ns = realtime_of(env, t->at_ns),
            .retry_realtime_ns = realtime_of(env, t->retry_ns),
        };
    }
    entry->no_transition = entry->breaker.history_count ? NULL : "none since the agent started";
}

static void fill_storms(const struct body_env *env, const struct retry_storms *retries,
                        struct breaker_entry *entry)
{
    struct retry_client_view clients[BREAKER_STORMS_SHOWN];
    size_t count = retry_storms_view(retries, clients, BREAKER_STORMS_SHOWN);

    entry->storms_total = retry_storms_total(retries);
    while (entry->storm_count < count && entry->storm_count < BREAKER_STORMS_SHOWN) {
        struct storm_entry *storm = &entry->storms[entry->storm_count];

        storm->client = clients[entry->storm_count++];
        storm->cgroup = *storm->client.cgroup ? storm->client.cgroup : NULL;
        storm->since_realtime_ns = realtime_of(env, storm->client.since_ns);
    }
}

static void fill(const struct body_env *env, size_t upstream, struct breaker_entry *ret)
{
    struct upstream_view view;

    services_upstream(env->sources->services, upstream, clock_monotonic_ns(env->sources->clock),
                      &view);
    *ret = (struct breaker_entry){
        .name = view.config->name,
        .state = breaker_state_name(view.breaker.state),
        .mode = breaker_mode_name(view.breaker.mode),
        .not_enforced = view.not_enforced,
        .enforced = !view.not_enforced,
        .since_realtime_ns = realtime_of(env, view.breaker.since_ns),
        .retry_realtime_ns = realtime_of(env, view.breaker.retry_ns),
        .breaker = view.breaker,
        .fallback = fallback_offer_name(view.fallback.choice.offer),
        .fallback_endpoint = view.fallback_endpoint,
        .fallback_refusal = view.fallback.choice.refusal,
    };
    for (int i = 0; i < FALLBACK_OFFER_COUNT; i++)
        ret->fallback_switches_total += view.fallback.switches_total[i];
    while (ret->address_count < view.config->addresses.count &&
           ret->address_count < BREAKER_ADDRESSES_SHOWN) {
        ret->addresses[ret->address_count] = view.config->addresses.items[ret->address_count];
        ret->address_count++;
    }
    fill_history(env, ret);
    fill_storms(env, view.retries, ret);
}

int breakers_gather(const struct body_env *env, struct breaker_entry **ret, size_t *ret_count)
{
    size_t count = env->sources->services ? services_upstream_count(env->sources->services) : 0;
    struct breaker_entry *entries = count ? calloc(count, sizeof(*entries)) : NULL;

    if (count && !entries)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        fill(env, i, &entries[i]);
    *ret = entries;
    *ret_count = count;
    return 0;
}

const char *breakers_missing(const struct body_env *env, size_t count)
{
    if (!env->sources->services)
        return env->sources->services_missing ? env->sources->services_missing
                                              : "this agent has no breakers";
    return count ? NULL : "no upstreams are configured";
}

int body_breakers(const struct body_env *env, struct body *ret)
{
    CLEANUP_FREE struct breaker_entry *entries = NULL;
    struct breakers_body body = {.realtime_ns = env->snapshot->realtime_ns};
    int r = breakers_gather(env, &entries, &body.count);

    if (r < 0)
        return r;
    body.entries = entries;
    body.missing = breakers_missing(env, body.count);
    return body_render(ret, 200, &breakers_table, &body, NULL);
}

static int no_such(const struct body_env *env, const char *name, struct body *ret)
{
    char message[ROUTE_NAME_BYTES + 96];

    if (!env->sources->services)
        return error_body(ret, 503, "unavailable", breakers_missing(env, 0));
    snprintf(message, sizeof(message), "there is no upstream \"%.*s\"; GET /breakers lists them",
             ROUTE_NAME_BYTES, name);
    return error_body(ret, 404, "not_found", message);
}

int body_breaker(const struct body_env *env, struct body *ret)
{
    size_t upstream = env->sources->services
                          ? services_find_upstream(env->sources->services, env->param)
                          : SIZE_MAX;
    struct breaker_entry entry;

    if (upstream == SIZE_MAX)
        return no_such(env, env->param, ret);
    fill(env, upstream, &entry);
    return body_render(ret, 200, &breaker_detail_table,
                       &(struct breaker_detail){.realtime_ns = env->snapshot->realtime_ns,
                                                .entry = &entry,
                                                .history_count = entry.breaker.history_count,
                                                .history = entry.history},
                       NULL);
}

static int render_one(const struct body_env *env, const char *name, struct body *ret)
{
    struct breakers_body body = {.realtime_ns = clock_realtime_ns(env->sources->clock), .count = 1};
    struct breaker_entry entry;

    fill(env, services_find_upstream(env->sources->services, name), &entry);
    body.entries = &entry;
    return body_render(ret, 200, &breakers_table, &body, NULL);
}

static int act(const struct body_env *env, struct body *ret,
               int (*action)(struct services *, const char *, uint64_t))
{
    char message[ROUTE_NAME_BYTES + 128];
    int r = env->sources->services ? action(env->sources->services, env->param,
                                            clock_monotonic_ns(env->sources->clock))
                                   : -ENOENT;

    if (r == -ENOENT)
        return no_such(env, env->param, ret);
    if (r == 0)
        return render_one(env, env->param, ret);
    snprintf(message, sizeof(message),
             "the configured mode of \"%.*s\" decides: change its breaker.mode (or "
             "circuit_breaker.enabled) and reload",
             ROUTE_NAME_BYTES, env->param);
    return error_body(ret, 422, "mode_decides", message);
}

int body_breaker_open(const struct body_env *env, struct body *ret)
{
    return act(env, ret, services_open);
}

int body_breaker_close(const struct body_env *env, struct body *ret)
{
    return act(env, ret, services_close);
}

static void cleanup_json(cJSON **json)
{
    cJSON_Delete(*json);
}

/* {"name": "..."}, {} or nothing. False when it is something else. */
static bool read_name(const struct body_env *env, cJSON *json, const char **ret)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(json, "name");

    *ret = NULL;
    if (!env->request_len)
        return true;
    if (!cJSON_IsObject(json) || (name && !cJSON_IsString(name)) ||
        cJSON_GetArraySize(json) != (name ? 1 : 0))
        return false;
    *ret = cJSON_GetStringValue(name);
    return true;
}

int body_breaker_reset(const struct body_env *env, struct body *ret)
{
    __attribute__((cleanup(cleanup_json))) cJSON *json =
        env->request_len ? cJSON_ParseWithLength(env->request, env->request_len) : NULL;
    const char *name;
    int r;

    if (!read_name(env, json, &name))
        return error_body(ret, 400, "bad_body",
                          "the body is none of: nothing, {}, {\"name\": \"UPSTREAM\"}");
    if (!env->sources->services)
        return no_such(env, "", ret);
    r = services_reset(env->sources->services, name, clock_monotonic_ns(env->sources->clock));
    if (r == -ENOENT)
        return no_such(env, name, ret);
    return name ? render_one(env, name, ret) : body_breakers(env, ret);
}
