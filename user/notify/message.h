/* What a notification says, for the channels that are read by people. */
#ifndef MOONWATCH_NOTIFY_MESSAGE_H
#define MOONWATCH_NOTIFY_MESSAGE_H

#include "alert/notification.h"
#include "base/text.h"

/* One line: "[CRITICAL] web1: OomKill: nginx was killed". */
void message_title(const struct notification *n, const char *host, struct text *out);
/* "FIRING", "RESOLVED" ... of one alert, as the notification sees it. */
const char *message_state(const struct notification *n, const struct alert_view *alert);
bool message_is_resolved(const struct notification *n, const struct alert_view *alert);
const char *message_alert_name(const struct alert_view *alert);

/* "OomKill (critical)"; the first line of what is said of an alert. */
void message_heading(const struct notification *n, const struct alert_view *alert,
                     struct text *out);
/* The channel's template, or else the summary. */
void message_summary(const struct notification *n, const struct alert_view *alert,
                     struct text *out);

struct message_detail {
    const char *name; /* "Reason" */
    const char *value;
};

#define MESSAGE_DETAILS_MAX 8

/* What else is known, in the order in which it is read; valid while `buffer` and the alert are.
 * With a template of the channel's own there is nothing more to say. */
size_t message_details(const struct notification *n, const struct alert_view *alert,
                       struct text *buffer, struct message_detail ret[MESSAGE_DETAILS_MAX]);

/* What is said after the alerts, one line each: what was left out, the limit, the part. */
void message_notes(const struct notification *n, void (*line)(void *ctx, const char *text),
                   void *ctx);

/* RGB of the worst severity, or of a resolution. */
unsigned message_color(const struct notification *n);

/* At most `max_bytes` of `s`, cut at a character with an ellipsis. */
void message_add_cut(struct text *out, const char *s, size_t max_bytes);

#endif
