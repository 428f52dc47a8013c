/* Ports that only this program uses. The kernel side counts by port and address on the whole host
 * where a row is of any network namespace, so the ports of two programs must differ though each has
 * a namespace of its own.
 */
#ifndef MOONWATCH_TEST_OWN_PORTS_H
#define MOONWATCH_TEST_OWN_PORTS_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define OWN_PORTS 16
/* Below those that the kernel gives to clients. */
#define OWN_PORTS_FIRST 10000
#define OWN_PORTS_END 32000

/* Holds a port in the namespace the caller is in, until the program ends; 0: somebody has it. */
static inline uint16_t own_port_hold(uint16_t port)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t len = sizeof(any);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (bind(fd, (const struct sockaddr *)&any, len) < 0) {
        close(fd);
        return 0;
    }
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    return ntohs(any.sin_port);
}

/* The first of OWN_PORTS in a row, and one that a client may have as well. */
struct own_ports {
    uint16_t first, ephemeral;
};

static struct own_ports own_ports;

/* To be called in the host's namespace, where programs meet; later calls keep what there is. The
 * first port of a row stands for all of it. */
static inline void own_ports_hold(void)
{
    const unsigned rows = (OWN_PORTS_END - OWN_PORTS_FIRST) / OWN_PORTS;

    for (unsigned i = 0; i < rows && !own_ports.first; i++)
        own_ports.first = own_port_hold(
            (uint16_t)(OWN_PORTS_FIRST + ((unsigned)getpid() + i) % rows * OWN_PORTS));
    if (!own_ports.ephemeral)
        own_ports.ephemeral = own_port_hold(0);
    assert_true(own_ports.first && own_ports.ephemeral);
}

#endif
