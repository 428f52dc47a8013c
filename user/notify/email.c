/* Mails: the same in plain text and in HTML. Sent again, a mail has the same Message-ID; those
 * about one group of alerts are one thread. */
#include "notify/channel_driver.h"
#include "notify/mail.h"
#include "notify/message.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES_MAX 512
#define RESOLVED_COLOR 0x2e9e44u

struct bodies {
    struct text *plain, *html;
};

static void add_html(struct text *out, const char *s)
{
    for (; *s; s++) {
        switch (*s) {
        case '&':
            text_add(out, "&amp;");
            break;
        case '<':
            text_add(out, "&lt;");
            break;
        case '>':
            text_add(out, "&gt;");
            break;
        case '"':
            text_add(out, "&quot;");
            break;
        default:
            text_add_char(out, *s);
        }
    }
}

static void add_alert(const struct notification *n, const struct alert_view *alert,
                      struct bodies *bodies, struct text *buffer)
{
    struct message_detail details[MESSAGE_DETAILS_MAX];
    struct text *plain = bodies->plain, *html = bodies->html;
    unsigned color = message_is_resolved(n, alert) ? RESOLVED_COLOR : message_color(n);
    size_t count;

    text_reset(buffer);
    message_heading(n, alert, buffer);
    text_printf(plain, "%s\n", buffer->data ? buffer->data : "");
    text_printf(html,
                "<div style=\"border-left:4px solid #%06x;padding:2px 10px;margin:12px 0\">"
                "<b>",
                color);
    add_html(html, buffer->data ? buffer->data : "");
    text_add(html, "</b>");
    text_reset(buffer);
    message_summary(n, alert, buffer);
    if (buffer->len) {
        text_printf(plain, "  %s\n", buffer->data);
        text_add(html, "<br>");
        add_html(html, buffer->data);
    }
    count = message_details(n, alert, buffer, details);
    if (count)
        text_add(html, "<table style=\"font-size:90%;margin-top:4px\">");
    for (size_t i = 0; i < count; i++) {
        text_printf(plain, "  %s: %s\n", details[i].name, details[i].value);
        text_printf(html, "<tr><td style=\"color:#666;padding-right:10px\">%s</td><td>",
                    details[i].name);
        add_html(html, details[i].value);
        text_add(html, "</td></tr>");
    }
    text_add(html, count ? "</table></div>\n" : "</div>\n");
    text_add_char(plain, '\n');
}

static void add_note(void *ctx, const char *line)
{
    struct bodies *bodies = ctx;

    text_printf(bodies->plain, "%s\n", line);
    text_add(bodies->html, "<p style=\"margin:2px 0\">");
    add_html(bodies->html, line);
    text_add(bodies->html, "</p>\n");
}

static void add_bodies(const struct notification *n, const char *title, struct bodies *bodies)
{
    struct text buffer;

    text_init(&buffer, PAYLOAD_BYTES_MAX);
    text_printf(bodies->plain, "%s\n\n", title);
    text_add(bodies->html, "<!DOCTYPE html><html><body style=\"font-family:sans-serif\"><h3>");
    add_html(bodies->html, title);
    text_add(bodies->html, "</h3>\n");
    for (size_t i = 0; i < n->count; i++)
        add_alert(n, &n->alerts[i], bodies, &buffer);
    message_notes(n, add_note, bodies);
    text_add(bodies->html, "</body></html>\n");
    text_free(&buffer);
}

static void render(const struct notification *n, const char *host, struct text *out)
{
    struct text plain, html, title;
    struct bodies bodies = {&plain, &html};
    char thread[32] = "";

    text_init(&plain, PAYLOAD_BYTES_MAX);
    text_init(&html, PAYLOAD_BYTES_MAX);
    text_init(&title, FIELD_BYTES_MAX);
    message_title(n, host, &title);
    add_bodies(n, title.data ? title.data : "", &bodies);
    if (n->group)
        snprintf(thread, sizeof(thread), "mw-group-%016llx",
                 (unsigned long long)labels_fingerprint(n->group));
    mail_write(
        &(struct mail){
            .from = n->channel->from,
            .to = &n->channel->to,
            .subject = title.data ? title.data : "",
            .id = n->key,
            .thread = *thread ? thread : NULL,
            .host = host,
            .plain = plain.data ? plain.data : "",
            .html = html.data ? html.data : "",
            .realtime_ns = n->realtime_ns,
            .urgent = n->severity == SEVERITY_CRITICAL && n->kind != NOTICE_RESOLVED,
        },
        out);
    out->failed |= plain.failed || html.failed;
    text_free(&plain);
    text_free(&html);
    text_free(&title);
}

static int prepare(struct attempt *attempt, const struct receiver *receiver,
                   const struct message *message, char reason[SECRET_REASON_BYTES])
{
    const struct config_channel *channel = receiver->channel;
    char *url = NULL;
    int r;

    if (asprintf(&url, "%s://%s", channel->tls == SMTP_IMPLICIT ? "smtps" : "smtp", channel->smtp) <
        0)
        return -ENOMEM;
    r = attempt_own(attempt, url);
    if (r < 0)
        return r;
    attempt->request.url = url;
    attempt->request.body = message->payload;
    attempt->request.body_bytes = message->payload_bytes;
    attempt->request.user = channel->username;
    attempt->request.ca_file = channel->ca_file;
    attempt->request.mail_from = channel->from;
    attempt->request.mail_to = (const char *const *)channel->to.items;
    attempt->request.mail_to_count = channel->to.count;
    attempt->request.start_tls = channel->tls == SMTP_STARTTLS;
    attempt->request.response_bytes_max = ANSWER_BYTES_MAX;
    return attempt_secret(attempt, channel->password_file, &attempt->request.password, reason);
}

const struct channel_driver channel_email = {.render = render, .prepare = prepare};
