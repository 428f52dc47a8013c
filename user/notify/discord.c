/* Discord's webhooks (discord.com/developers/docs/resources/webhook): one embed with a line or more
 * per alert. */
#include "notify/alert_json.h"
#include "notify/channel_driver.h"
#include "notify/message.h"
#include <string.h>

/* Discord's limits are in characters, which are never more than bytes. */
#define TITLE_BYTES_MAX 256
#define DESCRIPTION_BYTES_MAX 4096
#define NOTES_BYTES_MAX 1000
#define ALERT_BYTES_MAX 1000
#define SEPARATOR_BYTES 2

static void add_alert(const struct notification *n, const struct alert_view *alert, size_t limit,
                      struct text *out)
{
    struct message_detail details[MESSAGE_DETAILS_MAX];
    struct text plain, buffer;
    size_t count;

    text_init(&plain, PAYLOAD_BYTES_MAX);
    text_init(&buffer, PAYLOAD_BYTES_MAX);
    message_heading(n, alert, &plain);
    text_add(&plain, ": ");
    message_summary(n, alert, &plain);
    count = message_details(n, alert, &buffer, details);
    for (size_t i = 0; i < count; i++)
        text_printf(&plain, "\n%s: %s", details[i].name, details[i].value);
    message_add_cut(out, plain.data ? plain.data : "", limit);
    text_free(&plain);
    text_free(&buffer);
}

static void add_line(void *ctx, const char *line)
{
    struct text *out = ctx;

    if (out->len)
        text_add_char(out, '\n');
    text_add(out, line);
}

/* Within its limit however many alerts there are: each has the same share. */
static void add_description(const struct notification *n, struct text *out)
{
    struct text notes, cut;
    size_t share;

    text_init(&notes, PAYLOAD_BYTES_MAX);
    text_init(&cut, NOTES_BYTES_MAX);
    message_notes(n, add_line, &notes);
    message_add_cut(&cut, notes.data ? notes.data : "", NOTES_BYTES_MAX);
    share = n->count ? (DESCRIPTION_BYTES_MAX - NOTES_BYTES_MAX) / n->count - SEPARATOR_BYTES : 0;
    if (share > ALERT_BYTES_MAX)
        share = ALERT_BYTES_MAX;
    for (size_t i = 0; i < n->count; i++) {
        if (i)
            text_add(out, share == ALERT_BYTES_MAX ? "\n\n" : "\n");
        add_alert(n, &n->alerts[i], share, out);
    }
    if (cut.len)
        add_line(out, cut.data);
    text_free(&notes);
    text_free(&cut);
}

static void render(const struct notification *n, const char *host, struct text *out)
{
    struct text title, cut, description;

    text_init(&title, PAYLOAD_BYTES_MAX);
    text_init(&cut, TITLE_BYTES_MAX);
    text_init(&description, PAYLOAD_BYTES_MAX);
    message_title(n, host, &title);
    message_add_cut(&cut, title.data ? title.data : "", TITLE_BYTES_MAX);
    add_description(n, &description);
    text_add(out, "{\"embeds\":[{\"title\":");
    text_add_json_string(out, cut.data, TITLE_BYTES_MAX);
    text_add(out, ",\"description\":");
    text_add_json_string(out, description.data ? description.data : "", DESCRIPTION_BYTES_MAX);
    text_printf(out, ",\"color\":%u,\"timestamp\":", message_color(n));
    alert_json_time(n->realtime_ns, out);
    /* What an alert says of a process must not call everybody. */
    text_add(out, "}],\"allowed_mentions\":{\"parse\":[]}}");
    text_free(&title);
    text_free(&cut);
    text_free(&description);
}

const struct channel_driver channel_discord = {.render = render, .prepare = attempt_post_to_secret};
