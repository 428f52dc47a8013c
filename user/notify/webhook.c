/* A webhook's body is that of Alertmanager's (version 4), so that what receives those receives
 * these; what it has not is in further members. The signature is that of Standard Webhooks
 * (github.com/standard-webhooks/standard-webhooks, 1.0.0): HMAC-SHA256 over "ID.TIMESTAMP.BODY",
 * for which there are libraries in every language. */
#include "alert/rule.h"
#include "notify/alert_json.h"
#include "notify/channel_driver.h"
#include "notify/message.h"
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHA256_BYTES 32
#define SECRET_PREFIX "whsec_"
/* Alertmanager's way to say that there is none. */
#define NO_TIME "\"0001-01-01T00:00:00Z\""

static void add_alert(const struct notification *n, const struct alert_view *alert,
                      const char *host, struct text *out)
{
    bool resolved = message_is_resolved(n, alert);

    text_printf(out, "{\"status\":\"%s\",\"labels\":", resolved ? "resolved" : "firing");
    alert_json_labels(alert, host, out);
    text_add(out, ",\"annotations\":");
    alert_json_annotations(alert, out);
    text_add(out, ",\"startsAt\":");
    alert_json_time(alert->starts_realtime_ns, out);
    text_add(out, ",\"endsAt\":");
    if (resolved)
        alert_json_time(alert->ends_realtime_ns, out);
    else
        text_add(out, NO_TIME);
    text_printf(out, ",\"generatorURL\":\"\",\"fingerprint\":\"%s\",\"escalation_step\":%u",
                alert->id, alert->escalation_step);
    text_add(out, ",\"acked_by\":");
    text_add_json_string(out, alert->acked_by, FIELD_BYTES_MAX);
    text_add_char(out, '}');
}

static void add_digest(const struct notification *n, struct text *out)
{
    text_add_char(out, '[');
    for (size_t i = 0; i < n->row_count; i++) {
        text_add(out, i ? ",{\"alertname\":" : "{\"alertname\":");
        text_add_json_string(out, n->rows[i].rule, FIELD_BYTES_MAX);
        text_printf(out, ",\"severity\":\"%s\",\"count\":%llu}", severity_text(n->rows[i].severity),
                    (unsigned long long)n->rows[i].count);
    }
    text_add_char(out, ']');
}

/* What all of them have in common, which for one alert is everything. */
static void add_common_labels(const struct notification *n, const char *host, struct text *out)
{
    if (n->count == 1)
        alert_json_labels(&n->alerts[0], host, out);
    else
        alert_json_group(n->group, out);
}

static void render(const struct notification *n, const char *host, struct text *out)
{
    struct text title;

    text_init(&title, FIELD_BYTES_MAX);
    message_title(n, host, &title);
    text_printf(out, "{\"version\":\"4\",\"key\":\"%s\",\"kind\":\"%s\",\"status\":\"%s\"", n->key,
                notice_kind_text(n->kind), n->kind == NOTICE_RESOLVED ? "resolved" : "firing");
    text_printf(out, ",\"severity\":\"%s\",\"receiver\":", severity_text(n->severity));
    text_add_json_string(out, n->channel->name, FIELD_BYTES_MAX);
    text_add(out, ",\"host\":");
    text_add_json_string(out, host, FIELD_BYTES_MAX);
    text_add(out, ",\"title\":");
    text_add_json_string(out, title.data, FIELD_BYTES_MAX);
    text_free(&title);
    text_add(out, ",\"ts\":");
    alert_json_time(n->realtime_ns, out);
    text_printf(out, ",\"groupKey\":\"%016llx\",\"groupLabels\":",
                n->group ? (unsigned long long)labels_fingerprint(n->group) : 0ULL);
    alert_json_group(n->group, out);
    text_add(out, ",\"commonLabels\":");
    add_common_labels(n, host, out);
    text_add(out, ",\"commonAnnotations\":");
    if (n->count == 1)
        alert_json_annotations(&n->alerts[0], out);
    else
        text_add(out, "{}");
    text_add(out, ",\"externalURL\":\"\",\"alerts\":[");
    for (size_t i = 0; i < n->count; i++) {
        if (i)
            text_add_char(out, ',');
        add_alert(n, &n->alerts[i], host, out);
    }
    text_printf(out, "],\"truncatedAlerts\":%zu,\"part\":%u,\"parts\":%u", n->omitted, n->part,
                n->parts);
    text_printf(out, ",\"limit_reached\":%s,\"held_back\":%llu,\"digest\":",
                n->limit_reached ? "true" : "false", (unsigned long long)n->held_back);
    add_digest(n, out);
    text_add_char(out, '}');
}

/* The key as bytes: decoded when it is in the form of Standard Webhooks. */
static int decode_key(const char *secret, gnutls_datum_t *ret, char reason[SECRET_REASON_BYTES])
{
    const char *base64 = secret + strlen(SECRET_PREFIX);
    gnutls_datum_t in;

    if (strncmp(secret, SECRET_PREFIX, strlen(SECRET_PREFIX)) != 0) {
        ret->size = (unsigned)strlen(secret);
        ret->data = gnutls_malloc(ret->size);
        if (!ret->data)
            return -ENOMEM;
        memcpy(ret->data, secret, ret->size);
        return 0;
    }
    in = (gnutls_datum_t){(unsigned char *)base64, (unsigned)strlen(base64)};
    if (gnutls_base64_decode2(&in, ret) == 0)
        return 0;
    snprintf(reason, SECRET_REASON_BYTES, "secret_file: what follows whsec_ is not base64");
    return -EINVAL;
}

static int sign(struct attempt *attempt, const char *secret, const struct message *message,
                char reason[SECRET_REASON_BYTES])
{
    unsigned long long seconds = message->now_realtime_ns / NS_PER_SECOND;
    unsigned char digest[SHA256_BYTES];
    gnutls_datum_t key = {0}, text = {0};
    gnutls_hmac_hd_t hmac;
    char head[128];
    int n, r = decode_key(secret, &key, reason);

    if (r < 0)
        return r;
    r = gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA256, key.data, key.size) < 0 ? -ENOMEM : 0;
    gnutls_memset(key.data, 0, key.size);
    gnutls_free(key.data);
    if (r < 0)
        return r;
    n = snprintf(head, sizeof(head), "%s.%llu.", message->key, seconds);
    gnutls_hmac(hmac, head, (size_t)n);
    gnutls_hmac(hmac, message->payload, message->payload_bytes);
    gnutls_hmac_deinit(hmac, digest);
    if (gnutls_base64_encode2(&(gnutls_datum_t){digest, sizeof(digest)}, &text) < 0)
        return -ENOMEM;
    r = attempt_header(attempt, "webhook-timestamp: %llu", seconds);
    if (r == 0)
        r = attempt_header(attempt, "webhook-signature: v1,%.*s", (int)text.size,
                           (const char *)text.data);
    gnutls_free(text.data);
    return r;
}

static int prepare(struct attempt *attempt, const struct receiver *receiver,
                   const struct message *message, char reason[SECRET_REASON_BYTES])
{
    const struct config_channel *channel = receiver->channel;
    const char *secret;
    char *url;
    int r = 0;

    if (channel->url)
        url = strdup(channel->url);
    else
        r = secret_read(channel->url_file, &url, reason);
    if (r == 0)
        r = attempt_post_json(attempt, receiver, message, url);
    if (r == 0)
        r = attempt_header(attempt, "Idempotency-Key: %s", message->key);
    if (r == 0)
        r = attempt_header(attempt, "webhook-id: %s", message->key);
    if (r == 0)
        r = attempt_secret(attempt, channel->token_file, &attempt->request.bearer_token, reason);
    if (r == 0)
        r = attempt_secret(attempt, channel->secret_file, &secret, reason);
    if (r == 0 && secret)
        r = sign(attempt, secret, message, reason);
    return r;
}

/* Receivers that refuse what a webhook sends. */
static void doubt_receiver(const struct config_channel *channel, const char *pointer,
                           struct config_errors *errors)
{
    static const struct {
        const char *part, *type;
    } receivers[] = {
        {"://hooks.slack.com/", "slack, with the URL in url_file"},
        {"://discord.com/api/webhooks/", "discord, with the URL in url_file"},
        {"://discordapp.com/api/webhooks/", "discord, with the URL in url_file"},
        {"/api/v2/alerts", "alertmanager, with what is before /api/v2 in urls"},
    };
    char below[128];

    snprintf(below, sizeof(below), "%s/url", pointer);
    for (size_t i = 0; channel->url && i < sizeof(receivers) / sizeof(receivers[0]); i++) {
        const char *at = strstr(channel->url, receivers[i].part);

        if (at && (*receivers[i].part == ':' || !at[strlen(receivers[i].part)]))
            config_warning_add(errors, below, "refuses what a webhook sends (allowed: the type %s)",
                               receivers[i].type);
    }
}

const struct channel_driver channel_webhook = {
    .render = render, .prepare = prepare, .doubt = doubt_receiver};
