#include "config/address_cover.h"
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define MAPPED_BITS 96

struct network {
    unsigned char bytes[16];
    unsigned bits;
};

static struct network network_of(const struct address *a)
{
    struct network n = {.bits = a->prefix_bits};

    if (a->kind == ADDRESS_IPV4) {
        n.bytes[10] = n.bytes[11] = 0xff;
        inet_pton(AF_INET, a->host, n.bytes + MAPPED_BITS / 8);
        n.bits += MAPPED_BITS;
    } else {
        inet_pton(AF_INET6, a->host, n.bytes);
    }
    return n;
}

static bool same_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned rest = bits % 8;

    if (memcmp(a, b, bits / 8) != 0)
        return false;
    return rest == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - rest)) == 0;
}

bool address_covers(const struct address *outer, const struct address *inner)
{
    struct network o, i;

    if (outer->port != inner->port)
        return false;
    if (outer->kind == ADDRESS_NAME || inner->kind == ADDRESS_NAME)
        return outer->kind == inner->kind && strcasecmp(outer->host, inner->host) == 0;
    o = network_of(outer);
    i = network_of(inner);
    return o.bits <= i.bits && same_bits(o.bytes, i.bytes, o.bits);
}

unsigned address_narrowness(const struct address *a)
{
    return a->kind == ADDRESS_NAME ? 0 : network_of(a).bits;
}
