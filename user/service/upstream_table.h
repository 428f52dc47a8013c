/* Where upstreams and the endpoints of their fallbacks are: addresses of the configuration, host
 * names kept resolved. The kernel's table `upstream_addr` follows.
 */
#ifndef MOONWATCH_SERVICE_UPSTREAM_TABLE_H
#define MOONWATCH_SERVICE_UPSTREAM_TABLE_H

#include "abi/breaker.h"
#include "config/config.h"
#include "probe/probe.h"
#include "service/service.h"
#include "transfer/resolve.h"

struct upstream_table;

/* All borrowed; `probe` may be NULL, and the kernel's table is then left out. */
struct upstream_table_sources {
    struct probe *probe;
    struct resolver *resolver;
    const struct services *services; /* says which row is whose */
};

int upstream_table_create(struct upstream_table **ret,
                          const struct upstream_table_sources *sources);
void upstream_table_destroy(struct upstream_table *table);

/* A reload, as struct config_part says. */
int upstream_table_stage(struct upstream_table *table, const struct config *config);
void upstream_table_unstage(struct upstream_table *table);
void upstream_table_commit(struct upstream_table *table);
/* After services_commit(). -ENOMEM, or what the kernel said of the table. */
int upstream_table_tell(struct upstream_table *table);

/* False while the endpoint's name has no address. */
bool upstream_table_endpoint(const struct upstream_table *table, size_t upstream, size_t endpoint,
                             struct breaker_fallback *ret);
#define UPSTREAM_REACH_BYTES 208

/* Which of an upstream's configured addresses the kernel knows for its own, read back. A name is
 * known when each of its addresses is. */
struct upstream_reach {
    size_t count, known;
    bool pending;                   /* some are being resolved for the first time */
    bool lost;                      /* some are not in the kernel's table, and should be */
    char why[UPSTREAM_REACH_BYTES]; /* of the first that is not known, "ADDRESS: reason"; else "" */
};

/* `probe` may not be NULL. */
void upstream_table_look(const struct upstream_table *table, size_t upstream,
                         struct upstream_reach *ret);

#endif
