/* A listening port of the responder: libmicrohttpd on the event loop. Inside this layer only. */
#ifndef MOONWATCH_TRANSFER_RESPONDER_PORT_H
#define MOONWATCH_TRANSFER_RESPONDER_PORT_H

#include "base/loop.h"
#include <microhttpd.h>

struct responder_port;

/* Makes the response to a request, whose body is already gone; `uri` with its query. NULL: the
 * connection is closed. */
typedef struct MHD_Response *responder_answer_fn(void *ctx, const char *method, const char *uri,
                                                 unsigned *ret_status);

/* On the loopback address of `family`, at a port of the kernel's choice. A negative errno. */
int responder_port_open(struct responder_port **ret, struct loop *loop, const struct clock *clock,
                        int family, responder_answer_fn *fn, void *ctx);
void responder_port_close(struct responder_port *port);            /* NULL is fine */
uint16_t responder_port_number(const struct responder_port *port); /* 0 for NULL */

#endif
