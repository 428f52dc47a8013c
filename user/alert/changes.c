/* What happened lately: an alert mentions it, but not what it is itself a part of. */
#include "alert/engine.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void changes_note(struct alert_manager *m, uint64_t source, const char *format, ...)
{
    struct change *change = &m->recent[m->recent_count++ % CHANGES_KEPT];
    va_list args;

    m->revision++;
    change->at = m->now;
    change->source = source;
    va_start(args, format);
    vsnprintf(change->text, sizeof(change->text), format, args);
    va_end(args);
    change->text[utf8_valid_prefix(change->text, strlen(change->text))] = '\0';
}

/* What distinguishes an alert from others of its name: "HostDisk (check disk, subject /var)". */
static void name_alert(const struct alert *alert, struct text *out)
{
    const char *before = " (";

    text_add(out, alert_name(alert));
    for (size_t i = 0; i < labels_count(alert->labels); i++) {
        struct label pair = labels_at(alert->labels, i);

        if (strcmp(pair.name, "alertname") == 0)
            continue;
        text_printf(out, "%s%s %s", before, pair.name, pair.value);
        before = ", ";
    }
    if (*before == ',')
        text_add_char(out, ')');
}

void changes_note_alert(struct alert_manager *m, const struct alert *alert, const char *what)
{
    struct text name;

    text_init(&name, CHANGE_BYTES - 24);
    name_alert(alert, &name);
    changes_note(m, origin_source(alert->labels), "%s %s", name.data ? name.data : "", what);
    text_free(&name);
}

/* Alerts of the same source, and those that began with it, are the same incident. */
static bool is_news_to(const struct alert_manager *m, const struct change *change,
                       const struct alert *alert, uint64_t source)
{
    if (change->source && (change->source == source || change->at == alert->fired_at))
        return false;
    return change->at <= alert->fired_at ? alert->fired_at - change->at <= CHANGE_AGE_NS
                                         : m->now - change->at <= CHANGE_AGE_NS;
}

void changes_list(const struct alert_manager *m, const struct alert *alert, struct text *out)
{
    size_t kept = m->recent_count < CHANGES_KEPT ? m->recent_count : CHANGES_KEPT;
    uint64_t source = origin_source(alert->labels);

    for (size_t i = 1; i <= kept; i++) {
        const struct change *change = &m->recent[(m->recent_count - i) % CHANGES_KEPT];
        long long before = (alert->fired_at - change->at) / (int64_t)NS_PER_SECOND;

        if (!is_news_to(m, change, alert, source))
            continue;
        text_printf(out, "%s%lld s %s: %s", out->len ? "; " : "", before < 0 ? -before : before,
                    before < 0 ? "after" : "before", change->text);
    }
}
