#include "service/upstream_table.h"
#include "base/cleanup.h"
#include "config/address.h"
#include "probe/breaker_rows.h"
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96 /* of ::ffff:0:0/96 */

/* One configured HOST:PORT. */
struct place {
    struct upstream_table *table;
    size_t upstream, index; /* in its addresses, or in its fallback's endpoints */
    bool is_endpoint;
    uint16_t port;
    uint32_t prefix_bits;       /* of an address, in IPv6 terms; 0: it is a name */
    uint8_t addr[16];           /* of an address */
    struct resolver_name *name; /* of a name */
};

struct upstream_table {
    struct upstream_table_sources sources;
    struct place *places;
    size_t count;
    struct place *next; /* NULL: nothing is staged */
    size_t next_count;
    int told; /* what the kernel said of them last */
};

int upstream_table_create(struct upstream_table **ret, const struct upstream_table_sources *sources)
{
    struct upstream_table *table = calloc(1, sizeof(*table));

    if (!table)
        return -ENOMEM;
    table->sources = *sources;
    *ret = table;
    return 0;
}

static void free_places(struct place *places, size_t count)
{
    for (size_t i = 0; i < count; i++)
        resolver_unwatch(places[i].name);
    free(places);
}

void upstream_table_destroy(struct upstream_table *table)
{
    if (!table)
        return;
    upstream_table_unstage(table);
    free_places(table->places, table->count);
    free(table);
}

static void map_ipv4(uint8_t addr[16], const void *ipv4)
{
    memset(addr, 0, 10);
    memset(addr + 10, 0xff, 2);
    memcpy(addr + 12, ipv4, 4);
}

static void take_resolved(uint8_t addr[16], const struct resolved_address *from)
{
    if (from->family == AF_INET)
        map_ipv4(addr, from->bytes);
    else
        memcpy(addr, from->bytes, 16);
}

static size_t addresses_of(const struct place *place)
{
    struct resolver_view view;

    if (place->prefix_bits)
        return 1;
    resolver_view(place->name, &view);
    return view.count;
}

static size_t add_addresses(const struct place *place, uint32_t row, struct upstream_address *ret)
{
    struct upstream_address one = {
        .prefix_bits = place->prefix_bits ? place->prefix_bits : 128,
        .port = place->port,
        .upstream = row,
        .address = (uint32_t)place->index,
    };
    struct resolver_view view;

    if (place->prefix_bits) {
        memcpy(one.addr, place->addr, sizeof(one.addr));
        *ret = one;
        return 1;
    }
    resolver_view(place->name, &view);
    for (size_t i = 0; i < view.count; i++) {
        take_resolved(one.addr, &view.addresses[i]);
        ret[i] = one;
    }
    return view.count;
}

static int tell(const struct upstream_table *table)
{
    CLEANUP_FREE struct upstream_address *list = NULL;
    size_t count = 0, known = 0;

    if (!table->sources.probe)
        return 0;
    for (size_t i = 0; i < table->count; i++)
        count += table->places[i].is_endpoint ? 0 : addresses_of(&table->places[i]);
    list = calloc(count ? count : 1, sizeof(*list));
    if (!list)
        return -ENOMEM;
    for (size_t i = 0; i < table->count; i++) {
        const struct place *place = &table->places[i];

        if (!place->is_endpoint)
            known += add_addresses(place,
                                   (uint32_t)services_row(table->sources.services, place->upstream),
                                   list + known);
    }
    return probe_upstreams_set(table->sources.probe, list, known);
}

int upstream_table_tell(struct upstream_table *table)
{
    table->told = tell(table);
    return table->told;
}

/* The old addresses stay in the kernel's table when the new ones do not fit. */
static void on_resolved(void *ctx)
{
    const struct place *place = ctx;

    if (!place->is_endpoint)
        upstream_table_tell(place->table);
}

static int add_place(struct upstream_table *table, size_t upstream, size_t index, bool is_endpoint,
                     const char *text)
{
    struct place *place = &table->next[table->next_count];
    struct address address;

    if (address_parse(&address, text) < 0)
        return -EINVAL;
    *place = (struct place){.table = table,
                            .upstream = upstream,
                            .index = index,
                            .is_endpoint = is_endpoint,
                            .port = address.port};
    if (address.kind == ADDRESS_NAME) {
        int r =
            resolver_watch(table->sources.resolver, &place->name, address.host, on_resolved, place);

        table->next_count += r == 0;
        return r;
    }
    if (address.kind == ADDRESS_IPV4) {
        struct in_addr ipv4;

        inet_pton(AF_INET, address.host, &ipv4);
        map_ipv4(place->addr, &ipv4);
        place->prefix_bits = MAPPED_BITS + address.prefix_bits;
    } else {
        inet_pton(AF_INET6, address.host, place->addr);
        place->prefix_bits = address.prefix_bits;
    }
    table->next_count++;
    return 0;
}

static int add_upstream(struct upstream_table *table, const struct config_upstream *upstream,
                        size_t index)
{
    const struct config_strings *endpoints = &upstream->fallback.endpoints;
    int r = 0;

    for (size_t i = 0; r == 0 && i < upstream->addresses.count; i++)
        r = add_place(table, index, i, false, upstream->addresses.items[i]);
    for (size_t i = 0; r == 0 && upstream->fallback.given && i < endpoints->count; i++)
        r = add_place(table, index, i, true, endpoints->items[i]);
    return r;
}

int upstream_table_stage(struct upstream_table *table, const struct config *config)
{
    size_t count = 0;
    int r = 0;

    upstream_table_unstage(table);
    for (size_t i = 0; i < config->upstreams.count; i++)
        count += config->upstreams.items[i].addresses.count +
                 config->upstreams.items[i].fallback.endpoints.count;
    table->next = calloc(count ? count : 1, sizeof(*table->next));
    if (!table->next)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < config->upstreams.count; i++)
        r = add_upstream(table, &config->upstreams.items[i], i);
    if (r < 0)
        upstream_table_unstage(table);
    return r;
}

void upstream_table_unstage(struct upstream_table *table)
{
    free_places(table->next, table->next_count);
    table->next = NULL;
    table->next_count = 0;
}

void upstream_table_commit(struct upstream_table *table)
{
    if (!table->next)
        return;
    free_places(table->places, table->count);
    table->places = table->next;
    table->count = table->next_count;
    table->next = NULL;
    table->next_count = 0;
}

bool upstream_table_endpoint(const struct upstream_table *table, size_t upstream, size_t endpoint,
                             struct breaker_fallback *ret)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct place *place = &table->places[i];
        struct resolver_view view;

        if (!place->is_endpoint || place->upstream != upstream || place->index != endpoint)
            continue;
        *ret = (struct breaker_fallback){.port = place->port};
        if (place->prefix_bits) {
            memcpy(ret->addr, place->addr, sizeof(ret->addr));
            return true;
        }
        resolver_view(place->name, &view);
        if (view.count > 0)
            take_resolved(ret->addr, &view.addresses[0]);
        return view.count > 0;
    }
    return false;
}

static const char *text_of(const struct place *place, char buffer[INET6_ADDRSTRLEN])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct resolver_view view;

    if (!place->prefix_bits) {
        resolver_view(place->name, &view);
        return view.host;
    }
    if (memcmp(place->addr, mapped, sizeof(mapped)) == 0)
        return inet_ntop(AF_INET, place->addr + sizeof(mapped), buffer, INET6_ADDRSTRLEN);
    return inet_ntop(AF_INET6, place->addr, buffer, INET6_ADDRSTRLEN);
}

static const char *name_of_row(const struct services *services, int row)
{
    struct upstream_view view;

    for (size_t i = 0; i < services_upstream_count(services); i++) {
        if (services_row(services, i) != (size_t)row)
            continue;
        services_upstream(services, i, 0, &view);
        return view.config->name;
    }
    return "?";
}

/* What the kernel makes of one configured address: whether it is this upstream's, wholly. */
static bool is_known(const struct upstream_table *table, const struct place *place,
                     struct upstream_reach *reach, char why[UPSTREAM_REACH_BYTES])
{
    int row = (int)services_row(table->sources.services, place->upstream);
    struct upstream_address list[RESOLVE_ADDRESSES_MAX];
    size_t count = add_addresses(place, (uint32_t)row, list);
    char buffer[INET6_ADDRSTRLEN];
    struct resolver_view view;

    if (count == 0) {
        resolver_view(place->name, &view);
        reach->pending = reach->pending || !*view.reason;
        snprintf(why, UPSTREAM_REACH_BYTES, "%.60s: %.120s", view.host,
                 *view.reason ? view.reason : "not resolved yet");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        int owner = probe_upstream_of(table->sources.probe, &list[i]);

        if (owner == row)
            continue;
        reach->lost = reach->lost || owner < 0;
        if (owner < 0)
            snprintf(why, UPSTREAM_REACH_BYTES, "%.60s: not in the kernel's table%s%.60s",
                     text_of(place, buffer), table->told < 0 ? ", which cannot be written: " : "",
                     table->told < 0 ? strerror(-table->told) : "");
        else
            snprintf(why, UPSTREAM_REACH_BYTES,
                     "%.60s: upstream \"%.60s\" has that address too, and its breaker decides",
                     text_of(place, buffer), name_of_row(table->sources.services, owner));
        return false;
    }
    return true;
}

void upstream_table_look(const struct upstream_table *table, size_t upstream,
                         struct upstream_reach *ret)
{
    char why[UPSTREAM_REACH_BYTES] = "";

    *ret = (struct upstream_reach){0};
    for (size_t i = 0; i < table->count; i++) {
        const struct place *place = &table->places[i];
        bool known;

        if (place->is_endpoint || place->upstream != upstream)
            continue;
        known = is_known(table, place, ret, why);
        ret->count++;
        ret->known += known;
        if (!known && !*ret->why)
            snprintf(ret->why, sizeof(ret->why), "%s", why);
    }
}
