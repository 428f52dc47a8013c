/* Single lookups with c-ares on the event loop. Inside this layer only. */
#ifndef MOONWATCH_TRANSFER_CARES_QUERY_H
#define MOONWATCH_TRANSFER_CARES_QUERY_H

#include "base/loop.h"
#include "transfer/resolve.h"

struct cares_channel;
struct cares_query;

/* No addresses: `reason` says why. The array may be changed; it is gone when this returns. */
typedef void cares_answer_fn(void *ctx, struct resolved_address *addresses, size_t count,
                             const char *reason);

int cares_create(struct cares_channel **ret, struct loop *loop, const struct clock *clock);
/* Ends the queries without calling anybody. NULL is fine. */
void cares_destroy(struct cares_channel *channel);
int cares_set_servers(struct cares_channel *channel, const char *servers);
/* `*query` is good until `fn` is called, which may be before this returns: then it is left alone. A
 * negative errno with the reason when c-ares cannot be used. */
int cares_start(struct cares_channel *channel, struct cares_query **query, const char *host,
                cares_answer_fn *fn, void *ctx, char reason[RESOLVE_REASON_BYTES]);
void cares_forget(struct cares_query *query); /* `fn` is not called; NULL is fine */

#endif
