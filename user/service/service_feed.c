/* What comes in between two reloads, and what is asked. */
#include "service/services_state.h"
#include <errno.h>
#include <string.h>

static const char not_measured[] = "nothing was measured yet";

/* Why there are no figures. */
static const char *unmeasured(const struct services *s)
{
    return s->rows_missing ? s->rows_missing : not_measured;
}

void services_feed_service(struct services *s, size_t service, uint64_t now_ns,
                           const struct traffic *total)
{
    performance_feed(s->services[service]->performance, now_ns, total);
    s->services[service]->is_fed = true;
}

void services_feed_upstream(struct services *s, size_t upstream, uint64_t now_ns,
                            const struct traffic *total, uint64_t slow_total)
{
    upstream_feed(s->upstreams[upstream], now_ns, total, slow_total);
}

void services_set_service_figures(struct services *s, size_t service, uint64_t now_ns,
                                  const struct call_figures *figures)
{
    s->services[service]->figures = *figures;
    s->services[service]->counted = true;
    transport_feed(&s->services[service]->transport, s->window_seconds, now_ns, &figures->stats);
}

void services_set_upstream_figures(struct services *s, size_t upstream, uint64_t now_ns,
                                   const struct call_figures *figures)
{
    s->upstreams[upstream]->figures = *figures;
    s->upstreams[upstream]->counted = true;
    transport_feed(&s->upstreams[upstream]->transport, s->window_seconds, now_ns, &figures->stats);
}

void services_standby(const struct services *s, size_t upstream, uint64_t now_ns,
                      struct fallback_choice *ret)
{
    upstream_standby(s->upstreams[upstream], now_ns, ret);
}

void services_feed_attempts(struct services *s, uint64_t now_ns,
                            const struct connect_client_key *client,
                            const struct connect_client *total)
{
    size_t upstream = services_upstream_of_row(s, client->upstream);

    if (upstream != SIZE_MAX)
        retry_storms_feed(s->upstreams[upstream]->retries, now_ns, client, total);
}

uint64_t services_epoch(const struct services *s, size_t upstream)
{
    return breaker_epoch(s->upstreams[upstream]->breaker);
}

void services_call(struct services *s, size_t upstream, uint64_t now_ns, uint64_t epoch,
                   bool failed, bool slow, const char *address)
{
    breaker_call(s->upstreams[upstream]->breaker, now_ns, epoch, failed, slow, address);
}

void services_kernel_opened(struct services *s, size_t upstream, uint64_t now_ns, uint64_t epoch,
                            const char *address)
{
    breaker_kernel_opened(s->upstreams[upstream]->breaker, now_ns, epoch, address);
    upstream_tick(s->upstreams[upstream], now_ns);
}

void services_set_endpoint(struct services *s, size_t upstream, size_t endpoint,
                           enum endpoint_state state)
{
    if (endpoint < s->upstreams[upstream]->endpoint_count)
        s->upstreams[upstream]->endpoints[endpoint] = state;
}

void services_set_cached(struct services *s, size_t upstream, uint64_t at_ns)
{
    s->upstreams[upstream]->cached_ns = at_ns;
}

uint64_t services_tick(struct services *s, uint64_t now_ns)
{
    uint64_t next_ns = UINT64_MAX;

    for (size_t i = 0; i < s->upstream_count; i++) {
        uint64_t one_ns;

        enforcement_say(s, s->upstreams[i], now_ns);
        upstream_tick(s->upstreams[i], now_ns);
        one_ns = breaker_next_ns(s->upstreams[i]->breaker);
        next_ns = one_ns < next_ns ? one_ns : next_ns;
    }
    return next_ns;
}

int services_reset(struct services *s, const char *name, uint64_t now_ns)
{
    size_t upstream = name ? services_find_upstream(s, name) : 0;

    if (upstream == SIZE_MAX)
        return -ENOENT;
    for (size_t i = name ? upstream : 0; i < (name ? upstream + 1 : s->upstream_count); i++) {
        breaker_reset(s->upstreams[i]->breaker, now_ns);
        upstream_tick(s->upstreams[i], now_ns);
    }
    return 0;
}

static int by_hand(struct services *s, const char *name, uint64_t now_ns,
                   int (*act)(struct breaker *, uint64_t))
{
    size_t upstream = services_find_upstream(s, name);
    int r;

    if (upstream == SIZE_MAX)
        return -ENOENT;
    r = act(s->upstreams[upstream]->breaker, now_ns);
    upstream_tick(s->upstreams[upstream], now_ns);
    return r;
}

int services_open(struct services *s, const char *name, uint64_t now_ns)
{
    return by_hand(s, name, now_ns, breaker_open);
}

int services_close(struct services *s, const char *name, uint64_t now_ns)
{
    return by_hand(s, name, now_ns, breaker_close);
}

size_t services_count(const struct services *s)
{
    return s->service_count;
}

void services_service(const struct services *s, size_t service, struct service_view *ret)
{
    const struct service *one = s->services[service];

    *ret =
        (struct service_view){.config = one->config, .missing = one->is_fed ? NULL : unmeasured(s)};
    performance_view(one->performance, &ret->performance);
    ret->calls = one->counted ? &one->figures : NULL;
    transport_view(&one->transport, &ret->transport);
}

size_t services_upstream_count(const struct services *s)
{
    return s->upstream_count;
}

void services_upstream(const struct services *s, size_t upstream, uint64_t now_ns,
                       struct upstream_view *ret)
{
    const struct upstream *u = s->upstreams[upstream];
    struct enforcement_view enforcement;

    *ret = (struct upstream_view){.config = u->config, .missing = u->is_fed ? NULL : unmeasured(s)};
    performance_view(u->performance, &ret->performance);
    ret->calls = u->counted ? &u->figures : NULL;
    transport_view(&u->transport, &ret->transport);
    breaker_view(u->breaker, now_ns, &ret->breaker);
    fallback_view(u->fallback, &ret->fallback);
    if (ret->fallback.choice.offer == FALLBACK_OFFERS_ENDPOINT)
        ret->fallback_endpoint = u->config->fallback.endpoints.items[ret->fallback.choice.endpoint];
    ret->retries = u->retries;
    enforcement = enforcement_of(s, u, &ret->breaker, now_ns);
    ret->enforcement = enforcement.enforcement;
    ret->not_enforced = enforcement.why;
    ret->acts = enforcement.acts;
}

size_t services_breaker_history(const struct services *s, size_t upstream,
                                struct breaker_transition ret[BREAKER_HISTORY])
{
    return breaker_history(s->upstreams[upstream]->breaker, ret);
}

size_t services_find_upstream(const struct services *s, const char *name)
{
    for (size_t i = 0; i < s->upstream_count; i++)
        if (strcmp(s->upstreams[i]->name, name) == 0)
            return i;
    return SIZE_MAX;
}
