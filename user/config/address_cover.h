/* Which addresses are the same, and which network holds which. Inside this layer only. */
#ifndef MOONWATCH_CONFIG_ADDRESS_COVER_H
#define MOONWATCH_CONFIG_ADDRESS_COVER_H

#include "config/address.h"
#include <stdbool.h>

/* Whether `inner` lies in `outer`, a network or a single host, at the same port. IPv4-mapped IPv6
 * is IPv4; names are only what they are called, in any case of letters: none is resolved. */
bool address_covers(const struct address *outer, const struct address *inner);
/* How narrow it is: of several that cover an address the one with the most decides. */
unsigned address_narrowness(const struct address *a);

#endif
