/* What a request's head may hold. libmicrohttpd keeps it in the connection's memory, each
 * parameter, header and cookie with a record of its own; where that runs out it answers with a page
 * of its own, or not at all. Within these limits it never does. */
#ifndef MOONWATCH_HTTP_REQUEST_HEAD_H
#define MOONWATCH_HTTP_REQUEST_HEAD_H

#include <microhttpd.h>

#define HEAD_TARGET_BYTES 4096
#define HEAD_PARAMETERS 64
#define HEAD_BYTES 8192
#define HEAD_FIELDS 80
#define HEAD_COOKIES 80

/* A connection's memory: a head, a copy of its cookies, 64 bytes for each parameter, header and
 * cookie, and the answer's own head fit. Touched as far as it is used. */
#define HEAD_MEMORY_BYTES (32UL << 10)

struct head_refusal {
    unsigned status;
    const char *code, *message;
};

/* NULL: fine. `target` is what MHD_OPTION_URI_LOG_CALLBACK lends, the request line in the
 * connection's memory: of one that is refused the query is cut off before it is taken apart. */
const struct head_refusal *head_check_target(const char *target);
/* Once all of the head has come. NULL: fine. */
const struct head_refusal *head_check_fields(struct MHD_Connection *connection);

#endif
