#include "facts/breaker_entry.h"
#include <string.h>

static struct transition_entry entry_of(const struct facts *facts,
                                        const struct breaker_transition *t)
{
    return (struct transition_entry){
        .from = breaker_state_name(t->from),
        .to = breaker_state_name(t->to),
        .cause = breaker_cause_name(t->cause),
        .transition = t,
        .at_realtime_ns = facts_realtime_ns(facts, t->at_ns),
        .retry_realtime_ns = facts_realtime_ns(facts, t->retry_ns),
    };
}

static void fill_storms(const struct facts *facts, const struct retry_storms *retries,
                        struct breaker_entry *entry)
{
    struct retry_client_view clients[BREAKER_STORMS_SHOWN];
    size_t count = retry_storms_view(retries, clients, BREAKER_STORMS_SHOWN);

    entry->storming = count;
    entry->storms_total = retry_storms_total(retries);
    while (entry->storm_count < count && entry->storm_count < BREAKER_STORMS_SHOWN) {
        struct storm_entry *storm = &entry->storms[entry->storm_count];

        storm->client = clients[entry->storm_count++];
        storm->cgroup = *storm->client.cgroup ? storm->client.cgroup : NULL;
        storm->since_realtime_ns = facts_realtime_ns(facts, storm->client.since_ns);
    }
}

void breaker_entry_fill(const struct facts *facts, const struct upstream_view *view,
                        struct breaker_entry *ret)
{
    *ret = (struct breaker_entry){
        .name = view->config->name,
        .state = breaker_state_name(view->breaker.state),
        .mode = breaker_mode_name(view->breaker.mode),
        .not_enforced = view->not_enforced,
        .enforced = !view->not_enforced,
        .since_realtime_ns = facts_realtime_ns(facts, view->breaker.since_ns),
        .retry_realtime_ns = facts_realtime_ns(facts, view->breaker.retry_ns),
        .breaker = view->breaker,
        .fallback = fallback_offer_name(view->fallback.choice.offer),
        .fallback_endpoint = view->fallback_endpoint,
        .fallback_refusal = view->fallback.choice.refusal,
    };
    memcpy(ret->switches_total, view->fallback.switches_total, sizeof(ret->switches_total));
    for (int i = 0; i < FALLBACK_OFFER_COUNT; i++)
        ret->fallback_switches_total += ret->switches_total[i];
    while (ret->address_count < view->config->addresses.count &&
           ret->address_count < BREAKER_ADDRESSES_SHOWN) {
        ret->addresses[ret->address_count] = view->config->addresses.items[ret->address_count];
        ret->address_count++;
    }
    if (view->breaker.transitions_total)
        ret->last = entry_of(facts, &ret->breaker.last);
    else
        ret->no_transition = "none since the agent started";
    fill_storms(facts, view->retries, ret);
}

bool breaker_detail_take(const struct facts *facts, const char *name, struct breaker_detail *ret)
{
    size_t upstream = facts->services ? services_find_upstream(facts->services, name) : SIZE_MAX;
    uint64_t now_ns = clock_monotonic_ns(facts->clock);
    struct upstream_view view;

    if (upstream == SIZE_MAX)
        return false;
    ret->realtime_ns = facts_realtime_ns(facts, now_ns);
    services_upstream(facts->services, upstream, now_ns, &view);
    breaker_entry_fill(facts, &view, &ret->entry);
    ret->history_count = services_breaker_history(facts->services, upstream, ret->transitions);
    for (size_t i = 0; i < ret->history_count; i++)
        ret->history[i] = entry_of(facts, &ret->transitions[i]);
    return true;
}

const char *breaker_entries_missing(const struct facts *facts)
{
    if (!facts->services)
        return facts->services_missing ? facts->services_missing : "this agent has no breakers";
    if (facts->breaker_count)
        return NULL;
    return services_upstream_count(facts->services) ? "there was no memory for them"
                                                    : "no upstreams are configured";
}
