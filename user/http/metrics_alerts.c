/* Alerts, at every stage from a judged series to a notification. */
#include "alert/rule.h"
#include "http/metrics_sections.h"
#include "http/metrics_table.h"
#include <math.h>

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
    static const struct metric_column columns[] = {
        U64_COUNTER("moonwatch_alert_state_writes", "Times the state was written to the disk.",
                    struct state_file_view, writes_total, 1),
        U64_COUNTER("moonwatch_alert_state_write_failures", "Of these, in vain.",
                    struct state_file_view, failures_total, 1),
        U64_GAUGE("moonwatch_alert_state_bytes", "What was written last.", struct state_file_view,
                  last_bytes, 1),
    };
    static const struct metric_family seconds = {"moonwatch_alert_state_write_seconds",
                                                 METRIC_GAUGE, "What the last write took."};
    struct state_file_view view;

    state_file_view(file, &view);
    METRIC_COLUMNS(e, columns, "", NEED_NOTHING,
                   (&(const struct metric_rows){&view, sizeof(view), 1, NULL}));
    METRIC_FAMILY(e, seconds, "", NEED_NOTHING);
    if (!isnan(view.last_seconds))
        exposition_sample(e, NULL, 0, view.last_seconds);
}

void metrics_alerts(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_column columns[] = {
        U64_COUNTER("moonwatch_alert_evaluations",
                    "Series, conditions and events judged by a rule.", struct alert_counters,
                    evaluated, 1),
        U64_COUNTER("moonwatch_alerts_fired", "Alerts that began to fire.", struct alert_counters,
                    fired, 1),
        U64_COUNTER("moonwatch_alerts_resolved", "Alerts that were over.", struct alert_counters,
                    resolved, 1),
        U64_COUNTER("moonwatch_alerts_deduplicated",
                    "Times an alert was active that fired already.", struct alert_counters,
                    deduplicated, 1),
        U64_COUNTER("moonwatch_alerts_flapping", "Times an alert began to flap.",
                    struct alert_counters, flapping, 1),
        U64_COUNTER("moonwatch_alerts_held_back", "Alerts held back by max_alerts_per_hour.",
                    struct alert_counters, held_back, 1),
        U64_COUNTER("moonwatch_alerts_overflowed", "Alerts beyond those there is room for.",
                    struct alert_counters, overflowed, 1),
        U64_COUNTER("moonwatch_alerts_escalated", "Steps of escalation.", struct alert_counters,
                    escalated, 1),
        U64_COUNTER("moonwatch_alert_matches_undecided",
                    "Regular expressions that took too long over a value: they hide nothing.",
                    struct alert_counters, undecided, 1),
    };
    static const struct metric_family silences = {"moonwatch_silences", METRIC_GAUGE,
                                                  "Silences that are not over."};
    struct alert_counters counters;

    (void)m;
    if (!s->alerts)
        return;
    alert_manager_counters(s->alerts, &counters);
    add_active(e, s->alerts);
    METRIC_COLUMNS(e, columns, "", NEED_NOTHING,
                   (&(const struct metric_rows){&counters, sizeof(counters), 1, NULL}));
    add_suppressed(e, &counters);
    add_notifications(e, &counters);
    METRIC_FAMILY(e, silences, "", NEED_NOTHING);
    exposition_count(e, NULL, 0, alert_manager_silence_count(s->alerts));
    if (s->alert_state)
        add_state_file(e, s->alert_state);
}
