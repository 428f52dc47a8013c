#include "notify/message.h"
#include "alert/rule.h"
#include "alert/template.h"
#include "base/clock.h"
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6"
#define DIGEST_LINE_BYTES 256

bool message_is_resolved(const struct notification *n, const struct alert_view *alert)
{
    return n->kind != NOTICE_FLAPPING && alert->state == ALERT_RESOLVED;
}

const char *message_state(const struct notification *n, const struct alert_view *alert)
{
    if (message_is_resolved(n, alert))
        return "RESOLVED";
    if (n->kind == NOTICE_FLAPPING)
        return "FLAPPING";
    return n->kind == NOTICE_ESCALATION ? "ESCALATED" : "FIRING";
}

const char *message_alert_name(const struct alert_view *alert)
{
    const char *name = labels_get(alert->labels, "alertname");

    return *name ? name : alert->id;
}

static void add_upper(struct text *out, const char *s)
{
    for (; *s; s++)
        text_add_char(out, (char)toupper((unsigned char)*s));
}

/* The name they share; NULL when there are several. */
static const char *common_name(const struct notification *n)
{
    const char *name = message_alert_name(&n->alerts[0]);

    for (size_t i = 1; i < n->count; i++)
        if (strcmp(message_alert_name(&n->alerts[i]), name) != 0)
            return NULL;
    return name;
}

static void add_counts(const struct notification *n, struct text *out)
{
    size_t resolved = 0, total = n->count + n->omitted;

    for (size_t i = 0; i < n->count; i++)
        resolved += message_is_resolved(n, &n->alerts[i]);
    if (resolved == total)
        text_printf(out, " (%zu resolved)", resolved);
    else if (resolved)
        text_printf(out, " (%zu firing, %zu resolved)", total - resolved, resolved);
    else
        text_printf(out, " (%zu firing)", total);
}

void message_title(const struct notification *n, const char *host, struct text *out)
{
    const char *name;

    if (n->kind == NOTICE_DIGEST) {
        text_printf(out, "[DIGEST] %s: %llu alert%s held back", host,
                    (unsigned long long)n->held_back, n->held_back == 1 ? " was" : "s were");
        return;
    }
    text_add_char(out, '[');
    if (n->kind == NOTICE_RESOLVED)
        text_add(out, "RESOLVED");
    else
        add_upper(out, severity_text(n->severity));
    if (n->kind == NOTICE_ESCALATION || n->kind == NOTICE_FLAPPING)
        text_printf(out, ", %s", notice_kind_text(n->kind));
    text_printf(out, "] %s: ", host);
    if (n->count == 0) {
        text_add(out, notice_kind_text(n->kind));
        return;
    }
    name = common_name(n);
    text_add(out, name ? name : "several alerts");
    if (n->count + n->omitted > 1)
        add_counts(n, out);
    else if (*n->alerts[0].summary)
        text_printf(out, ": %s", n->alerts[0].summary);
}

void message_heading(const struct notification *n, const struct alert_view *alert, struct text *out)
{
    text_printf(out, "%s: %s (%s)", message_state(n, alert), message_alert_name(alert),
                severity_text(alert->severity));
}

void message_summary(const struct notification *n, const struct alert_view *alert, struct text *out)
{
    if (!n->channel->template) {
        text_add(out, alert->summary);
        return;
    }
    template_render(n->channel->template,
                    &(struct template_values){
                        .labels = alert->labels,
                        .severity = severity_text(alert->severity),
                        .value = alert->value,
                        .reason = alert->reason,
                        .summary = alert->summary,
                    },
                    out);
}

static void add_labels(const struct labels *labels, struct text *out)
{
    const char *separator = "";

    for (size_t i = 0; i < labels_count(labels); i++) {
        struct label pair = labels_at(labels, i);

        if (strcmp(pair.name, "alertname") == 0)
            continue;
        text_printf(out, "%s%s=%s", separator, pair.name, pair.value);
        separator = ", ";
    }
}

size_t message_details(const struct notification *n, const struct alert_view *alert,
                       struct text *buffer, struct message_detail ret[MESSAGE_DETAILS_MAX])
{
    char starts[CLOCK_RFC3339_BYTES], ends[CLOCK_RFC3339_BYTES];
    size_t at[4], count = 0;

    if (n->channel->template)
        return 0;
    /* The offsets first: the buffer moves while it grows. */
    text_reset(buffer);
    at[0] = buffer->len;
    if (!isnan(alert->value))
        text_printf(buffer, "%.6g", alert->value);
    text_add_char(buffer, '\0');
    at[1] = buffer->len;
    add_labels(alert->labels, buffer);
    text_add_char(buffer, '\0');
    at[2] = buffer->len;
    if (alert->starts_realtime_ns) {
        clock_format_rfc3339(alert->starts_realtime_ns, starts);
        text_add(buffer, starts);
    }
    text_add_char(buffer, '\0');
    at[3] = buffer->len;
    if (message_is_resolved(n, alert) && alert->ends_realtime_ns) {
        clock_format_rfc3339(alert->ends_realtime_ns, ends);
        text_add(buffer, ends);
    }
    text_add_char(buffer, '\0');
    if (buffer->failed)
        return 0;
    const struct message_detail all[] = {
        {"Reason", alert->reason},          {"Value", buffer->data + at[0]},
        {"Top", alert->offenders},          {"Changed before", alert->changed},
        {"Labels", buffer->data + at[1]},   {"Began", buffer->data + at[2]},
        {"Resolved", buffer->data + at[3]}, {"Acknowledged by", alert->acked_by},
    };

    _Static_assert(sizeof(all) / sizeof(all[0]) == MESSAGE_DETAILS_MAX, "room for all");
    for (size_t i = 0; i < MESSAGE_DETAILS_MAX; i++)
        if (all[i].value && *all[i].value)
            ret[count++] = all[i];
    return count;
}

static void say(void (*line)(void *ctx, const char *text), void *ctx, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(void (*line)(void *ctx, const char *text), void *ctx, const char *format, ...)
{
    char text[DIGEST_LINE_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    line(ctx, text);
}

void message_notes(const struct notification *n, void (*line)(void *ctx, const char *text),
                   void *ctx)
{
    uint64_t listed = 0;

    if (n->kind == NOTICE_DIGEST) {
        say(line, ctx, "Held back by max_alerts_per_hour:");
        for (size_t i = 0; i < n->row_count; i++) {
            listed += n->rows[i].count;
            say(line, ctx, "%llu x %.200s (%s)", (unsigned long long)n->rows[i].count,
                n->rows[i].rule, severity_text(n->rows[i].severity));
        }
        if (n->held_back > listed)
            say(line, ctx, "%llu others", (unsigned long long)(n->held_back - listed));
        return;
    }
    if (n->omitted)
        say(line, ctx, "and %zu more, which are not listed", n->omitted);
    if (n->limit_reached)
        say(line, ctx,
            "max_alerts_per_hour is reached for severity %s: more of it comes in a digest",
            severity_text(n->severity));
    if (n->parts > 1)
        say(line, ctx, "Part %u of %u", n->part, n->parts);
}

unsigned message_color(const struct notification *n)
{
    static const unsigned colors[SEVERITY_COUNT] = {0x439fe0, 0xe8a317, 0xe0671f, 0xd00000};

    return n->kind == NOTICE_RESOLVED ? 0x2e9e44 : colors[n->severity];
}

void message_add_cut(struct text *out, const char *s, size_t max_bytes)
{
    size_t n = strlen(s);

    if (n <= max_bytes) {
        text_add(out, s);
        return;
    }
    if (max_bytes < sizeof(ELLIPSIS))
        return;
    n = max_bytes - (sizeof(ELLIPSIS) - 1);
    /* Not within a character. */
    while (n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80)
        n--;
    text_add_n(out, s, n);
    text_add(out, ELLIPSIS);
}
