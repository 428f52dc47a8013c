/* Alerts and silences over HTTP: what they are, and what an operator does about them. */
#ifndef MOONWATCH_HTTP_ALERTS_H
#define MOONWATCH_HTTP_ALERTS_H

#include "http/routes.h"

extern const struct field_table alerts_table, alert_ack_table, alert_acked_table, silences_table,
    silence_request_table, silence_removal_table;
extern const struct route_query alert_queries[];

#define ALERTS_LIMIT_DEFAULT 100
#define ALERTS_LIMIT_MAX 10000
/* What the loop renders in some milliseconds, and its tree of four times the bytes. */
#define ALERTS_BODY_BYTES (256 << 10)

/* The bodies. */
struct alerts_body {
    uint64_t realtime_ns;
    const char *missing;                /* why there is nothing to tell, else NULL */
    uint64_t firing, pending, resolved; /* of all, before the filters */
    size_t count;                       /* what follows is what the filters left */
    const struct alert_view *alerts;
    size_t history_count;
    const struct alert_view *history;
    uint64_t omitted, history_omitted; /* beyond the limit or ALERTS_BODY_BYTES */
    const char *no_channels;           /* why, else NULL */
    size_t channel_count;
    const struct notify_channel_view *channels;
};

struct alert_acked_body {
    uint64_t realtime_ns;
    const struct alert_view *alert;
};

struct silences_body {
    uint64_t realtime_ns;
    const char *missing;
    size_t count;
    const struct silence_view *silences;
};

#endif
