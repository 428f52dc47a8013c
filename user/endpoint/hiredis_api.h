/* The functions of hiredis that are used, opened when first needed. */
#ifndef MOONWATCH_ENDPOINT_HIREDIS_API_H
#define MOONWATCH_ENDPOINT_HIREDIS_API_H

#include "transfer/library.h"
#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#define HIREDIS_FUNCTIONS(F)                                                                       \
    F(redisAsyncConnect)                                                                           \
    F(redisAsyncFree)                                                                              \
    F(redisAsyncHandleRead)                                                                        \
    F(redisAsyncHandleWrite)                                                                       \
    F(redisAsyncCommandArgv)

struct hiredis_api {
    HIREDIS_FUNCTIONS(LIBRARY_MEMBER)
};

/* NULL with the error when the library is missing. */
const struct hiredis_api *hiredis_api(char error[LIBRARY_ERROR_BYTES]);

#endif
