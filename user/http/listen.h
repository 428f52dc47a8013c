/* The listening socket, and how many connections this process can hold. */
#ifndef MOONWATCH_HTTP_LISTEN_H
#define MOONWATCH_HTTP_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct listen_address {
    struct sockaddr_storage address;
    socklen_t len;
};

/* "127.0.0.1:8000", "[::1]:8000", "localhost:8000"; port 0 lets the kernel choose. Names other
 * than localhost are not looked up. -EINVAL otherwise. */
int listen_parse(const char *text, struct listen_address *ret);
bool listen_is_loopback(const struct listen_address *a);

#define LISTEN_TEXT_BYTES 64

/* Binds and listens; `*ret_fd` does not block, `name` is the address really bound. A connection
 * that is sent something and takes none of it for ten times `idle_seconds` ends with an error.
 * Returns 0 or a negative errno of bind. */
int listen_open(const struct listen_address *a, unsigned idle_seconds, int *ret_fd,
                char name[LISTEN_TEXT_BYTES]);

/* How many open files the agent needs with so many connections. */
unsigned listen_files_needed(unsigned connections);
/* How many of the `wanted` connections fit into the limit of open files, beside what is open and
 * what the agent will open: a few at least. */
unsigned listen_fit_connections(unsigned wanted);

#endif
