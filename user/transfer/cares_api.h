/* The functions of c-ares that are used, opened when first needed. */
#ifndef MOONWATCH_TRANSFER_CARES_API_H
#define MOONWATCH_TRANSFER_CARES_API_H

#include "transfer/library.h"
#include <ares.h>

#define CARES_FUNCTIONS(F)                                                                         \
    F(ares_library_init)                                                                           \
    F(ares_init_options)                                                                           \
    F(ares_destroy)                                                                                \
    F(ares_getaddrinfo)                                                                            \
    F(ares_freeaddrinfo)                                                                           \
    F(ares_process_fd)                                                                             \
    F(ares_timeout)                                                                                \
    F(ares_strerror)                                                                               \
    F(ares_set_servers_ports_csv)

struct cares_api {
    CARES_FUNCTIONS(LIBRARY_MEMBER)
};

/* NULL with the error when the library is missing. */
const struct cares_api *cares_api(char error[LIBRARY_ERROR_BYTES]);

#endif
