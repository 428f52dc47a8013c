/* Host names kept resolved, without blocking: c-ares on the event loop, no threads. It reads
 * /etc/resolv.conf and /etc/hosts; names that only other NSS modules know are not found.
 *
 * A name is asked for again every RESOLVE_INTERVAL_NS, sooner with growing delays while that fails;
 * the addresses it had are kept until there are others. */
#ifndef MOONWATCH_TRANSFER_RESOLVE_H
#define MOONWATCH_TRANSFER_RESOLVE_H

#include "base/loop.h"
#include "transfer/random.h"
#include <stddef.h>

#define RESOLVE_INTERVAL_NS (30 * NS_PER_SECOND)
#define RESOLVE_ADDRESSES_MAX 64
#define RESOLVE_REASON_BYTES 256

struct resolved_address {
    int family;              /* AF_INET, AF_INET6 */
    unsigned char bytes[16]; /* network order; IPv4 has 4 */
};

struct resolver;
struct resolver_name;

/* From the loop, never from within resolver_watch(): the addresses are others, or lookups have
 * begun to fail or to succeed again. May watch and unwatch. */
typedef void resolver_changed_fn(void *ctx);

/* Borrows what it is given. c-ares is loaded for the first name that is not an address. */
int resolver_create(struct resolver **ret, struct loop *loop, const struct clock *clock,
                    const struct random_source *random);
void resolver_destroy(struct resolver *resolver); /* with the names that are left */

/* "HOST:PORT,..." instead of those in /etc/resolv.conf; "" goes back to them. For tests, and for
 * hosts with a resolver of their own. */
int resolver_set_servers(struct resolver *resolver, const char *servers);

/* `host` without port and brackets; an IP address stands for itself. -ENOMEM. */
int resolver_watch(struct resolver *resolver, struct resolver_name **ret, const char *host,
                   resolver_changed_fn *fn, void *ctx);
void resolver_unwatch(struct resolver_name *name); /* NULL is fine */

struct resolver_view {
    const char *host;
    const struct resolved_address *addresses; /* sorted, IPv4 first; until the next change */
    size_t count;
    uint64_t resolved_ns; /* monotonic, of the last success; 0: never */
    uint64_t next_ns;     /* when it is asked for again */
    unsigned failures;    /* since the last success */
    const char *reason;   /* why the last lookup failed; "" when it did not */
    uint64_t lookups_total, failed_total, changes_total;
};
void resolver_view(const struct resolver_name *name, struct resolver_view *ret);

/* In text, e.g. for a log or a connection string. */
#define RESOLVED_TEXT_BYTES 46
void resolved_address_format(const struct resolved_address *address, char out[RESOLVED_TEXT_BYTES]);

#endif
