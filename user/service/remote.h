/* An address of a record as text. */
#ifndef MOONWATCH_SERVICE_REMOTE_H
#define MOONWATCH_SERVICE_REMOTE_H

#include <stdint.h>

#define REMOTE_BYTES 56

/* "10.0.0.1:443" or "[fd00::1]:443"; `addr` in network order, IPv4 as ::ffff:a.b.c.d. */
void remote_format(const uint8_t addr[16], uint16_t port, char ret[REMOTE_BYTES]);

#endif
