/* Which ports have rows of their own on the metrics page. */
#ifndef MOONWATCH_FACTS_PORT_ROWS_H
#define MOONWATCH_FACTS_PORT_ROWS_H

#include "facts/told_rows.h"
#include "model/network.h"

/* The rows of the page, each role's `other` (port 0) last: `max` at most, but both `other`. The
 * caller frees them; NULL without memory. `told` has one element per role, and remembers. */
struct tcp_port *port_rows_choose(struct told_rows told[TCP_ROLE_COUNT],
                                  const struct network_snapshot *network, size_t max,
                                  size_t *ret_count);

#endif
