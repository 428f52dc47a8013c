/* Alerts, at every stage from a judged series to a notification. */
#include "alert/rule.h"
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include "facts/tables.h"

#define TYPE struct state_file_view
static const struct field state_file_fields[] = {
    FIGURE(FIELD_U64, writes_total,
           COUNTER("moonwatch_alert_state_writes", "Times the state was written to the disk.")),
    FIGURE(FIELD_U64, failures_total,
           COUNTER("moonwatch_alert_state_write_failures", "Of these, in vain.")),
    FIGURE(FIELD_U64, last_bytes, GAUGE("moonwatch_alert_state_bytes", "What was written last.")),
    FIGURE(FIELD_DOUBLE, last_seconds,
           GAUGE("moonwatch_alert_state_write_seconds", "What the last write took.")),
};
#undef TYPE
FIELD_METRICS(state_file_fields, "", NEED_NOTHING);
static const struct field_table state_file_table = FIELD_TABLE(NULL, state_file_fields, NULL);

#define TYPE struct alert_counters
static const struct field counters_fields[] = {
    FIGURE(
        FIELD_U64, evaluated,
        COUNTER("moonwatch_alert_evaluations", "Series, conditions and events judged by a rule.")),
    FIGURE(FIELD_U64, fired, COUNTER("moonwatch_alerts_fired", "Alerts that began to fire.")),
    FIGURE(FIELD_U64, resolved, COUNTER("moonwatch_alerts_resolved", "Alerts that were over.")),
    FIGURE(
        FIELD_U64, deduplicated,
        COUNTER("moonwatch_alerts_deduplicated", "Times an alert was active that fired already.")),
    FIGURE(FIELD_U64, flapping,
           COUNTER("moonwatch_alerts_flapping", "Times an alert began to flap.")),
    FIGURE(FIELD_U64, held_back,
           COUNTER("moonwatch_alerts_held_back", "Alerts held back by max_alerts_per_hour.")),
    FIGURE(FIELD_U64, overflowed,
           COUNTER("moonwatch_alerts_overflowed", "Alerts beyond those there is room for.")),
    FIGURE(FIELD_U64, escalated, COUNTER("moonwatch_alerts_escalated", "Steps of escalation.")),
    FIGURE(FIELD_U64, undecided,
           COUNTER("moonwatch_alert_matches_undecided",
                   "Regular expressions that took too long over a value: they hide nothing.")),
};
#undef TYPE
FIELD_METRICS(counters_fields, "", NEED_NOTHING);
static const struct field_table counters_table = FIELD_TABLE(NULL, counters_fields, NULL);

struct active {
    uint64_t counts[ALERT_STATE_COUNT][SEVERITY_COUNT];
    uint64_t acked;
};

static void count(void *ctx, const struct alert_view *view)
{
    struct active *active = ctx;

    active->counts[view->state][view->severity]++;
    active->acked += view->acked_by != NULL;
}

static void add_active(struct exposition *e, const struct alert_manager *alerts)
{
    static const struct metric_family family = {"moonwatch_alerts", METRIC_GAUGE,
                                                "Alerts that fire or are about to."};
    static const struct metric_family acked = {"moonwatch_alerts_acked", METRIC_GAUGE,
                                               "Alerts that somebody has acknowledged."};
    struct active active = {0};

    alert_manager_each(alerts, count, &active);
    METRIC_FAMILY(e, family, "state severity ", NEED_NOTHING);
    for (int state = 0; state < ALERT_RESOLVED; state++)
        for (int severity = 0; severity < SEVERITY_COUNT; severity++)
            exposition_count(e,
                             LABELS({"state", alert_state_text((enum alert_state)state)},
                                    {"severity", severity_text((enum severity)severity)}),
                             active.counts[state][severity]);
    METRIC_FAMILY(e, acked, "", NEED_NOTHING);
    exposition_count(e, NULL, 0, active.acked);
}

static void add_suppressed(struct exposition *e, const struct alert_counters *counters)
{
    static const struct metric_family family = {
        "moonwatch_alerts_suppressed", METRIC_COUNTER,
        "Times that something began to keep an alert from being told."};
    const struct {
        enum suppression reason;
        uint64_t count;
    } rows[] = {
        {SUPPRESSED_COOLDOWN, counters->cooled_down}, {SUPPRESSED_SILENCE, counters->silenced},
        {SUPPRESSED_MUTE, counters->muted},           {SUPPRESSED_INHIBIT, counters->inhibited},
        {SUPPRESSED_UNROUTED, counters->unrouted},
    };

    METRIC_FAMILY(e, family, "reason ", NEED_NOTHING);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        exposition_count(e, LABELS({"reason", suppression_text(rows[i].reason)}), rows[i].count);
}

static void add_notifications(struct exposition *e, const struct alert_counters *counters)
{
    static const struct metric_family family = {"moonwatch_alert_notifications", METRIC_COUNTER,
                                                "Notifications made, one per channel and part."};

    METRIC_FAMILY(e, family, "kind ", NEED_NOTHING);
    for (int kind = 0; kind < NOTICE_KIND_COUNT; kind++)
        exposition_count(e, LABELS({"kind", notice_kind_text((enum notice_kind)kind)}),
                         counters->notifications[kind]);
}

static void add_state_file(struct exposition *e, const struct state_file *file)
{
    struct state_file_view view;

    state_file_view(file, &view);
    metric_object(e, &state_file_table, &view);
}

void metrics_alerts(struct metrics_page *page)
{
    static const struct metric_family silences = {"moonwatch_silences", METRIC_GAUGE,
                                                  "Silences that are not over."};
    struct alert_counters counters;

    if (!page->facts->alerts)
        return;
    alert_manager_counters(page->facts->alerts, &counters);
    add_active(page->e, page->facts->alerts);
    metric_object(page->e, &counters_table, &counters);
    add_suppressed(page->e, &counters);
    add_notifications(page->e, &counters);
    METRIC_FAMILY(page->e, silences, "", NEED_NOTHING);
    exposition_count(page->e, NULL, 0, alert_manager_silence_count(page->facts->alerts));
    if (page->facts->alert_state)
        add_state_file(page->e, page->facts->alert_state);
}
