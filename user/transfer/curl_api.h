/* The functions of libcurl that are used, opened when first needed. */
#ifndef MOONWATCH_TRANSFER_CURL_API_H
#define MOONWATCH_TRANSFER_CURL_API_H

#include "transfer/library.h"
/* Its type checks are macros, which a call through a pointer cannot use. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#define CURL_FUNCTIONS(F)                                                                          \
    F(curl_global_init)                                                                            \
    F(curl_easy_init)                                                                              \
    F(curl_easy_setopt)                                                                            \
    F(curl_easy_getinfo)                                                                           \
    F(curl_easy_strerror)                                                                          \
    F(curl_easy_cleanup)                                                                           \
    F(curl_slist_append)                                                                           \
    F(curl_slist_free_all)                                                                         \
    F(curl_multi_init)                                                                             \
    F(curl_multi_setopt)                                                                           \
    F(curl_multi_add_handle)                                                                       \
    F(curl_multi_remove_handle)                                                                    \
    F(curl_multi_socket_action)                                                                    \
    F(curl_multi_info_read)                                                                        \
    F(curl_multi_assign)                                                                           \
    F(curl_multi_cleanup)

struct curl_api {
    CURL_FUNCTIONS(LIBRARY_MEMBER)
};

/* NULL with the error when the library is missing. */
const struct curl_api *curl_api(char error[LIBRARY_ERROR_BYTES]);

#endif
