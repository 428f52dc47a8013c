/* What the HTTP server has done and holds, as it counts itself. */
#ifndef MOONWATCH_FACTS_SERVER_VIEW_H
#define MOONWATCH_FACTS_SERVER_VIEW_H

#include <stdint.h>

struct server_view {
    uint64_t requests_total;
    uint64_t connections_evicted_total; /* closed to make room, the longest silent first */
    uint64_t tokens_wrong_total;        /* presented and not ours */
    uint64_t tokens_unread_total;       /* not looked at after too many of these */
    uint64_t accept_pauses_total;       /* no file could be opened for who called */
    unsigned connections;
    unsigned connection_limit;
    const char *admin_missing; /* why /admin has no local token, else NULL */
};

#endif
