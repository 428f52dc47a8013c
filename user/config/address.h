/* "HOST:PORT" and "NETWORK/BITS:PORT"; IPv6 in brackets: "[::1]:8000", "[fd00::/8]:443". */
#ifndef MOONWATCH_CONFIG_ADDRESS_H
#define MOONWATCH_CONFIG_ADDRESS_H

#include <stdint.h>

#define ADDRESS_HOST_BYTES 256

enum address_kind { ADDRESS_NAME, ADDRESS_IPV4, ADDRESS_IPV6 };

struct address {
    enum address_kind kind;
    char host[ADDRESS_HOST_BYTES]; /* without brackets and prefix */
    unsigned prefix_bits;          /* 32 or 128 for a single host, 0 for a name */
    uint16_t port;
};

/* Returns 0 or -EINVAL. The syntax only: a name is not resolved. */
int address_parse(struct address *ret, const char *text);
/* Of SCHEME://[USER@]HOST[:PORT][/...]. `default_port` 0: the port has to be there. */
int address_parse_url(struct address *ret, const char *url, uint16_t default_port);

#endif
