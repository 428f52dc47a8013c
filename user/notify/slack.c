/* Slack's incoming webhooks (api.slack.com/messaging/webhooks): title and notes as text, then an
 * attachment per alert with a bar in the colour of its state. */
#include "notify/channel_driver.h"
#include "notify/message.h"
#include <string.h>

/* A message holds 100 attachments; of long ones it shows the beginning. */
#define ATTACHMENT_BYTES_MAX 3000
#define MANY_ALERTS 10
#define MANY_BYTES_MAX 700
#define RESOLVED_COLOR 0x2e9e44u

_Static_assert(NOTICE_ALERTS_MAX <= 100, "an attachment each");

/* Text, in which < > & would begin a link or a mention. */
static void add_escaped(struct text *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '&')
            text_add(out, "&amp;");
        else if (*s == '<')
            text_add(out, "&lt;");
        else if (*s == '>')
            text_add(out, "&gt;");
        else
            text_add_char(out, *s);
    }
}

static void add_attachment(struct text *out, unsigned color, const char *text)
{
    text_printf(out, "{\"color\":\"#%06x\",\"mrkdwn_in\":[\"text\"],\"text\":", color);
    text_add_json_string(out, text, ATTACHMENT_BYTES_MAX + FIELD_BYTES_MAX);
    text_add_char(out, '}');
}

static void add_alert(const struct notification *n, const struct alert_view *alert,
                      struct text *out)
{
    size_t limit = n->count > MANY_ALERTS ? MANY_BYTES_MAX : ATTACHMENT_BYTES_MAX;
    struct message_detail details[MESSAGE_DETAILS_MAX];
    struct text plain, buffer, escaped;
    size_t count;

    text_init(&plain, PAYLOAD_BYTES_MAX);
    text_init(&buffer, PAYLOAD_BYTES_MAX);
    text_init(&escaped, PAYLOAD_BYTES_MAX);
    message_heading(n, alert, &plain);
    text_add_char(&plain, '\n');
    message_summary(n, alert, &plain);
    count = message_details(n, alert, &buffer, details);
    for (size_t i = 0; i < count; i++)
        text_printf(&plain, "\n%s: %s", details[i].name, details[i].value);
    text_reset(&buffer);
    message_add_cut(&buffer, plain.data ? plain.data : "", limit);
    add_escaped(&escaped, buffer.data ? buffer.data : "");
    add_attachment(out, message_is_resolved(n, alert) ? RESOLVED_COLOR : message_color(n),
                   escaped.data);
    text_free(&plain);
    text_free(&buffer);
    text_free(&escaped);
}

static void add_line(void *ctx, const char *line)
{
    struct text *out = ctx;

    text_add_char(out, '\n');
    add_escaped(out, line);
}

static void render(const struct notification *n, const char *host, struct text *out)
{
    struct text title, escaped;

    text_init(&title, FIELD_BYTES_MAX);
    text_init(&escaped, PAYLOAD_BYTES_MAX);
    message_title(n, host, &title);
    add_escaped(&escaped, title.data ? title.data : "");
    message_notes(n, add_line, &escaped);
    text_add(out, "{\"text\":");
    text_add_json_string(out, escaped.data, PAYLOAD_BYTES_MAX);
    text_add(out, ",\"attachments\":[");
    for (size_t i = 0; i < n->count; i++) {
        if (i)
            text_add_char(out, ',');
        add_alert(n, &n->alerts[i], out);
    }
    text_add(out, "]}");
    text_free(&title);
    text_free(&escaped);
}

const struct channel_driver channel_slack = {.render = render, .prepare = attempt_post_to_secret};
