/* The functions of libpq that are used, opened when first needed. */
#ifndef MOONWATCH_ENDPOINT_PQ_API_H
#define MOONWATCH_ENDPOINT_PQ_API_H

#include "transfer/library.h"
#include <libpq-fe.h>

#define PQ_FUNCTIONS(F)                                                                            \
    F(PQconninfoParse)                                                                             \
    F(PQconninfoFree)                                                                              \
    F(PQfreemem)                                                                                   \
    F(PQconnectStartParams)                                                                        \
    F(PQconnectPoll)                                                                               \
    F(PQstatus)                                                                                    \
    F(PQsocket)                                                                                    \
    F(PQsetnonblocking)                                                                            \
    F(PQerrorMessage)                                                                              \
    F(PQfinish)                                                                                    \
    F(PQsendQuery)                                                                                 \
    F(PQflush)                                                                                     \
    F(PQconsumeInput)                                                                              \
    F(PQisBusy)                                                                                    \
    F(PQgetResult)                                                                                 \
    F(PQresultStatus)                                                                              \
    F(PQresultErrorField)                                                                          \
    F(PQresultErrorMessage)                                                                        \
    F(PQclear)                                                                                     \
    F(PQntuples)                                                                                   \
    F(PQgetvalue)                                                                                  \
    F(PQsetNoticeProcessor)

struct pq_api {
    PQ_FUNCTIONS(LIBRARY_MEMBER)
};

/* NULL with the error when the library is missing. */
const struct pq_api *pq_api(char error[LIBRARY_ERROR_BYTES]);

#endif
