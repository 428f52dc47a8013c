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

/* A host name has at most 253 bytes, a port five. */
#define HEAD_AUTHORITY_BYTES 260

struct head_target {
    const struct head_refusal *refusal; /* NULL: fine */
    /* Of a target in absolute form, http://authority/path; else 0 and "". */
    size_t path_offset; /* as it was sent, and once it is decoded */
    const char *end;    /* of the target in the connection's memory */
    char authority[HEAD_AUTHORITY_BYTES];
};

/* `target` is what MHD_OPTION_URI_LOG_CALLBACK lends, the request line in the connection's memory:
 * of one that is refused the query is cut off before it is taken apart. */
void head_read_target(const char *target, struct head_target *ret);
/* Once all of the head has come; `version` as libmicrohttpd gives it. NULL: fine. */
const struct head_refusal *head_check(struct MHD_Connection *connection,
                                      const struct head_target *target, const char *version);

#endif
