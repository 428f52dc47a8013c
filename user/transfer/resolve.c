#include "transfer/resolve.h"
#include "transfer/cares_query.h"
#include "transfer/retry.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct retry_policy backoff = {
    .base_delay_ns = NS_PER_SECOND,
    .max_delay_ns = RESOLVE_INTERVAL_NS,
    .jitter = RETRY_JITTER_EQUAL,
};

struct resolver_name {
    struct resolver *resolver;
    struct resolver_name *next, *previous;
    char *host;
    resolver_changed_fn *fn;
    void *ctx;
    struct cares_query *query; /* NULL: none under way */
    struct resolved_address addresses[RESOLVE_ADDRESSES_MAX];
    char reason[RESOLVE_REASON_BYTES];
    struct resolver_view view;
};

struct resolver {
    const struct clock *clock;
    const struct random_source *random;
    struct loop_source *alarm;
    struct cares_channel *channel;
    struct resolver_name *names;
};

static void set_alarm(struct resolver *resolver)
{
    const struct resolver_name *name;
    uint64_t next_ns = 0;

    for (name = resolver->names; name; name = name->next)
        if (!name->query && (!next_ns || name->view.next_ns < next_ns))
            next_ns = name->view.next_ns;
    loop_set_alarm(resolver->alarm, next_ns);
}

static int by_family_and_bytes(const void *a, const void *b)
{
    const struct resolved_address *x = a, *y = b;

    if (x->family != y->family)
        return x->family == AF_INET ? -1 : 1;
    return memcmp(x->bytes, y->bytes, sizeof(x->bytes));
}

static size_t sort_and_unite(struct resolved_address *addresses, size_t count)
{
    size_t kept = 0;

    qsort(addresses, count, sizeof(*addresses), by_family_and_bytes);
    for (size_t i = 0; i < count; i++)
        if (!kept || by_family_and_bytes(&addresses[kept - 1], &addresses[i]) != 0)
            addresses[kept++] = addresses[i];
    return kept;
}

/* Returns whether anything is to be reported. */
static bool succeed(struct resolver_name *name, struct resolved_address *addresses, size_t count,
                    uint64_t now_ns)
{
    bool recovered = name->view.failures > 0, changed;

    count = sort_and_unite(addresses, count);
    changed = count != name->view.count ||
              memcmp(addresses, name->addresses, count * sizeof(*addresses)) != 0;
    memcpy(name->addresses, addresses, count * sizeof(*addresses));
    name->view.count = count;
    name->view.changes_total += changed;
    name->view.resolved_ns = now_ns;
    name->view.failures = 0;
    name->reason[0] = '\0';
    name->view.next_ns = now_ns + RESOLVE_INTERVAL_NS;
    return changed || recovered;
}

static bool fail(struct resolver_name *name, const char *reason, uint64_t now_ns)
{
    bool first = name->view.failures++ == 0;

    name->view.failed_total++;
    snprintf(name->reason, sizeof(name->reason), "%s", reason);
    name->view.next_ns =
        now_ns + retry_delay_ns(&backoff, name->view.failures, name->resolver->random);
    return first;
}

static void on_answer(void *ctx, struct resolved_address *addresses, size_t count,
                      const char *reason)
{
    struct resolver_name *name = ctx;
    uint64_t now_ns = clock_monotonic_ns(name->resolver->clock);
    bool report;

    name->query = NULL;
    name->view.lookups_total++;
    report = count ? succeed(name, addresses, count, now_ns) : fail(name, reason, now_ns);
    set_alarm(name->resolver);
    if (report)
        name->fn(name->ctx);
}

static void look_up(struct resolver_name *name)
{
    struct resolved_address address = {0};
    char reason[RESOLVE_REASON_BYTES];

    if (inet_pton(AF_INET, name->host, address.bytes) == 1)
        address.family = AF_INET;
    else if (inet_pton(AF_INET6, name->host, address.bytes) == 1)
        address.family = AF_INET6;
    if (address.family) {
        on_answer(name, &address, 1, NULL);
        return;
    }
    /* It may be answered at once, from /etc/hosts. */
    if (cares_start(name->resolver->channel, &name->query, name->host, on_answer, name, reason) < 0)
        on_answer(name, NULL, 0, reason);
}

/* The first that is due, and the rest by the alarm that then fires at once: a callback may change
 * the list. */
static void on_alarm(void *ctx, uint64_t now_ns)
{
    struct resolver *resolver = ctx;
    struct resolver_name *name;

    for (name = resolver->names; name; name = name->next)
        if (!name->query && name->view.next_ns <= now_ns)
            break;
    if (name)
        look_up(name);
    set_alarm(resolver);
}

int resolver_create(struct resolver **ret, struct loop *loop, const struct clock *clock,
                    const struct random_source *random)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    int r;

    if (!resolver)
        return -ENOMEM;
    resolver->clock = clock;
    resolver->random = random;
    r = cares_create(&resolver->channel, loop, clock);
    if (r == 0)
        r = loop_add_alarm(loop, &resolver->alarm, on_alarm, resolver);
    if (r < 0) {
        resolver_destroy(resolver);
        return r;
    }
    *ret = resolver;
    return 0;
}

void resolver_destroy(struct resolver *resolver)
{
    if (!resolver)
        return;
    while (resolver->names)
        resolver_unwatch(resolver->names); // NOLINT(clang-analyzer-unix.Malloc): it takes it out
    cares_destroy(resolver->channel);
    loop_remove(resolver->alarm);
    free(resolver);
}

int resolver_set_servers(struct resolver *resolver, const char *servers)
{
    return cares_set_servers(resolver->channel, servers);
}

int resolver_watch(struct resolver *resolver, struct resolver_name **ret, const char *host,
                   resolver_changed_fn *fn, void *ctx)
{
    struct resolver_name *name = calloc(1, sizeof(*name));

    if (name)
        name->host = strdup(host);
    if (!name || !name->host) {
        free(name);
        return -ENOMEM;
    }
    name->resolver = resolver;
    name->fn = fn;
    name->ctx = ctx;
    name->view.next_ns = clock_monotonic_ns(resolver->clock);
    name->next = resolver->names;
    if (name->next)
        name->next->previous = name;
    resolver->names = name;
    set_alarm(resolver);
    *ret = name;
    return 0;
}

void resolver_unwatch(struct resolver_name *name)
{
    if (!name)
        return;
    cares_forget(name->query);
    if (name->previous)
        name->previous->next = name->next;
    else
        name->resolver->names = name->next;
    if (name->next)
        name->next->previous = name->previous;
    set_alarm(name->resolver);
    free(name->host);
    free(name);
}

void resolver_view(const struct resolver_name *name, struct resolver_view *ret)
{
    *ret = name->view;
    ret->host = name->host;
    ret->addresses = name->addresses;
    ret->reason = name->reason;
}

void resolved_address_format(const struct resolved_address *address, char out[RESOLVED_TEXT_BYTES])
{
    inet_ntop(address->family, address->bytes, out, RESOLVED_TEXT_BYTES);
}
