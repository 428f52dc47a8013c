/* What Alertmanager is told again while it goes on. */
#include "notify/lane_state.h"

/* Alerts in one reminder; a request of about 100 KiB. */
#define REMINDER_ALERTS_MAX NOTICE_ALERTS_MAX

struct reminder {
    const char *host;
    struct lane *lane;
    struct text payload;
    size_t count;
};

static void flush_reminder(struct reminder *r)
{
    if (r->count == 0)
        return;
    text_add_char(&r->payload, ']');
    /* What is left out comes with the next. */
    if (!r->payload.failed)
        lane_remind(r->lane, &r->payload);
    text_reset(&r->payload);
    r->count = 0;
}

static void remind_of(void *ctx, const struct alert_view *view)
{
    struct reminder *r = ctx;

    text_add_char(&r->payload, r->count ? ',' : '[');
    r->lane->driver->remind(view, r->host, &r->payload);
    if (++r->count == REMINDER_ALERTS_MAX)
        flush_reminder(r);
}

void lane_remind_all(struct lane *lane, const struct alert_manager *alerts, const char *host)
{
    struct reminder r = {.host = host, .lane = lane};

    text_init(&r.payload, PAYLOAD_BYTES_MAX);
    alert_manager_each_told(alerts, lane_receiver(lane)->channel->name, remind_of, &r);
    flush_reminder(&r);
    text_free(&r.payload);
}
