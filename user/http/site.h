/* What requests are answered from: the agent's state, who may see it, and the bodies rendered
 * already. A body is rendered once per snapshot and caller, however often it is asked for. */
#ifndef MOONWATCH_HTTP_SITE_H
#define MOONWATCH_HTTP_SITE_H

#include "http/auth.h"
#include "http/guesses.h"
#include "http/routes.h"
#include "http/server.h"
#include <microhttpd.h>

#define SITE_VARIANTS 2

struct site {
    struct server_sources sources;
    struct auth auth;
    struct guesses *guesses;
    uint64_t guess_report_ns; /* when admission_report() is due, 0: not yet */
    struct metrics *metrics;
    struct server_view view; /* kept by the server */
    double slow_wait_seconds;
    size_t metrics_series_max;
    struct rendered {
        struct MHD_Response *response; /* counted by libmicrohttpd while it is being sent */
        unsigned status;
        uint64_t sequence;
    } rendered[ROUTE_COUNT][SITE_VARIANTS];
};

void site_forget_rendered(struct site *site);

/* A request as it was read. */
struct request {
    const char *url, *method;
    const char *authority; /* of a target in absolute form: it stands for Host; NULL: none */
    const char *body;      /* NULL: none, or one that is too long to be kept */
    size_t body_len;
    bool body_too_long;
};

/* What a request's body may be, to be kept. */
#define REQUEST_BODY_BYTES 4096

/* Answers a request whose body was read. MHD_NO closes the connection. */
enum MHD_Result site_answer(struct site *site, struct MHD_Connection *connection,
                            const struct request *request);
/* Answers with an error and no regard to the route. */
enum MHD_Result site_refuse(struct MHD_Connection *connection, unsigned status, const char *code,
                            const char *message);
/* The same with one more header and its value, or NULL. */
enum MHD_Result site_refuse_with(struct MHD_Connection *connection, unsigned status,
                                 const char *code, const char *message, const char *header,
                                 const char *value);

#endif
