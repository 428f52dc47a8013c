/* What the upstreams may not be to each other: the same address twice, a fallback in a circle. */
#include "config/address_cover.h"
#include "config/config.h"
#include "config/key.h"
#include "config/reader.h"
#include <stdio.h>
#include <stdlib.h>

static bool same_address(const char *a, const char *b)
{
    struct address x, y;

    return address_parse(&x, a) == 0 && address_parse(&y, b) == 0 && address_covers(&x, &y) &&
           address_covers(&y, &x);
}

/* Who has the address before upstream `end`, or before the `address`-th of that one. */
static const struct config_upstream *earlier_owner(const struct config *config, size_t end,
                                                   size_t address)
{
    const char *wanted = config->upstreams.items[end].addresses.items[address];

    for (size_t u = 0; u <= end; u++) {
        const struct config_upstream *upstream = &config->upstreams.items[u];
        size_t count = u == end ? address : upstream->addresses.count;

        for (size_t a = 0; a < count; a++)
            if (same_address(upstream->addresses.items[a], wanted))
                return upstream;
    }
    return NULL;
}

static void check_addresses(struct reader *reader, const struct config *config)
{
    for (size_t u = 0; u < config->upstreams.count; u++) {
        const struct config_upstream *upstream = &config->upstreams.items[u];

        for (size_t a = 0; a < upstream->addresses.count; a++) {
            const struct config_upstream *owner = earlier_owner(config, u, a);
            char below[96];

            if (!owner)
                continue;
            snprintf(below, sizeof(below), "upstreams/%zu/address/%zu", u, a);
            reader_error(reader, below,
                         "\"%s\" is an address of upstream \"%s\" already (allowed: each address "
                         "once; networks may overlap, the narrower one wins)",
                         upstream->addresses.items[a], owner->name);
        }
    }
}

/* Whose breaker a connect to the endpoint meets; -1: nobody's. */
static int owner_of(const struct config *config, const char *endpoint)
{
    struct address wanted, address;
    unsigned narrowest = 0;
    int owner = -1;

    if (address_parse(&wanted, endpoint) < 0)
        return -1;
    for (size_t u = 0; u < config->upstreams.count; u++) {
        const struct config_strings *addresses = &config->upstreams.items[u].addresses;

        for (size_t a = 0; a < addresses->count; a++) {
            if (address_parse(&address, addresses->items[a]) < 0 ||
                !address_covers(&address, &wanted) ||
                (owner >= 0 && address_narrowness(&address) <= narrowest))
                continue;
            owner = (int)u;
            narrowest = address_narrowness(&address);
        }
    }
    return owner;
}

static bool redirects(const struct config_upstream *upstream)
{
    return upstream->fallback.given && upstream->fallback.strategy == FALLBACK_ALTERNATIVE;
}

/* Whether one fallback after the other leads from `from` to `to`. */
static bool leads_to(const struct config *config, int from, int to, bool *seen)
{
    const struct config_upstream *upstream = &config->upstreams.items[from];

    if (from == to)
        return true;
    if (seen[from] || !redirects(upstream))
        return false;
    seen[from] = true;
    for (size_t e = 0; e < upstream->fallback.endpoints.count; e++) {
        int next = owner_of(config, upstream->fallback.endpoints.items[e]);

        /* A circle is reported once, where it meets the first upstream in it. */
        if (next >= to && leads_to(config, next, to, seen))
            return true;
    }
    return false;
}

static void check_fallback_of(struct reader *reader, const struct config *config, size_t u)
{
    const struct config_upstream *upstream = &config->upstreams.items[u];

    for (size_t e = 0; e < upstream->fallback.endpoints.count; e++) {
        const char *endpoint = upstream->fallback.endpoints.items[e];
        int owner = owner_of(config, endpoint);
        char below[96];
        bool *seen;

        snprintf(below, sizeof(below), "upstreams/%zu/fallback/endpoints/%zu", u, e);
        if (owner == (int)u) {
            reader_error(reader, below,
                         "\"%s\" is the upstream's own address (allowed: one that is not)",
                         endpoint);
            continue;
        }
        if (owner < (int)u)
            continue;
        seen = calloc(config->upstreams.count, sizeof(*seen));
        if (!seen) {
            reader->out_of_memory = true;
            return;
        }
        if (leads_to(config, owner, (int)u, seen))
            reader_error(reader, below,
                         "\"%s\" is upstream \"%s\", whose fallback leads back to \"%s\" (allowed: "
                         "fallbacks that do not go in a circle)",
                         endpoint, config->upstreams.items[owner].name, upstream->name);
        free(seen);
    }
}

void check_upstreams(struct reader *reader, void *base)
{
    const struct config *config = base;

    check_addresses(reader, config);
    for (size_t u = 0; u < config->upstreams.count; u++)
        if (redirects(&config->upstreams.items[u]))
            check_fallback_of(reader, config, u);
}
