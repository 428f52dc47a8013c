/* Alertmanager's API v2, POST /api/v2/alerts: the state of alerts, by their labels. What fires has
 * no end, so Alertmanager itself resolves it after its resolve_timeout unless it is reminded; a
 * time of this host's clock would make that depend on both clocks. */
#include "alert/rule.h"
#include "notify/alert_json.h"
#include "notify/channel_driver.h"
#include "notify/message.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH "/api/v2/alerts"
#define DIGEST_NAME "MoonwatchAlertsHeldBack"
/* As long as what is held back waits for the next. */
#define DIGEST_NS (3600 * NS_PER_SECOND)

static void add_alert(const struct alert_view *alert, bool resolved, const char *host,
                      struct text *out)
{
    uint64_t ends_ns = alert->ends_realtime_ns;

    text_add(out, "{\"labels\":");
    alert_json_labels(alert, host, out);
    text_add(out, ",\"annotations\":");
    alert_json_annotations(alert, out);
    text_add(out, ",\"startsAt\":");
    alert_json_time(alert->starts_realtime_ns, out);
    if (resolved) {
        /* An end before the start is refused; the clock may have been set back. */
        if (ends_ns < alert->starts_realtime_ns)
            ends_ns = alert->starts_realtime_ns;
        text_add(out, ",\"endsAt\":");
        alert_json_time(ends_ns, out);
    }
    text_add_char(out, '}');
}

static void add_line(void *ctx, const char *line)
{
    struct text *out = ctx;

    if (out->len)
        text_add(out, "; ");
    text_add(out, line);
}

static void add_digest(const struct notification *n, const char *host, struct text *out)
{
    struct text title, notes;

    text_init(&title, FIELD_BYTES_MAX);
    text_init(&notes, FIELD_BYTES_MAX);
    message_title(n, host, &title);
    message_notes(n, add_line, &notes);
    text_add(out, "{\"labels\":{\"alertname\":\"" DIGEST_NAME "\",\"instance\":");
    text_add_json_string(out, host, FIELD_BYTES_MAX);
    text_printf(out,
                ",\"severity\":\"%s\"},\"annotations\":{\"summary\":", severity_text(n->severity));
    text_add_json_string(out, title.data, FIELD_BYTES_MAX);
    text_add(out, ",\"reason\":");
    text_add_json_string(out, notes.data, FIELD_BYTES_MAX);
    text_add(out, "},\"startsAt\":");
    alert_json_time(n->realtime_ns, out);
    text_add(out, ",\"endsAt\":");
    alert_json_time(n->realtime_ns + DIGEST_NS, out);
    text_add_char(out, '}');
    text_free(&title);
    text_free(&notes);
}

static void render(const struct notification *n, const char *host, struct text *out)
{
    text_add_char(out, '[');
    for (size_t i = 0; i < n->count; i++) {
        if (i)
            text_add_char(out, ',');
        add_alert(&n->alerts[i], message_is_resolved(n, &n->alerts[i]), host, out);
    }
    if (n->kind == NOTICE_DIGEST)
        add_digest(n, host, out);
    text_add_char(out, ']');
}

static int prepare(struct attempt *attempt, const struct receiver *receiver,
                   const struct message *message, char reason[SECRET_REASON_BYTES])
{
    const struct config_channel *channel = receiver->channel;
    size_t length = strlen(receiver->peer);
    char *url = NULL;
    int r;

    while (length > 0 && receiver->peer[length - 1] == '/')
        length--;
    if (asprintf(&url, "%.*s" PATH, (int)length, receiver->peer) < 0)
        return -ENOMEM;
    r = attempt_post_json(attempt, receiver, message, url);
    if (r == 0)
        r = attempt_secret(attempt, channel->token_file, &attempt->request.bearer_token, reason);
    if (r == 0)
        r = attempt_secret(attempt, channel->password_file, &attempt->request.password, reason);
    attempt->request.user = channel->username;
    return r;
}

static void remind(const struct alert_view *alert, const char *host, struct text *out)
{
    add_alert(alert, false, host, out);
}

const struct channel_driver channel_alertmanager = {
    .render = render, .prepare = prepare, .remind = remind};
