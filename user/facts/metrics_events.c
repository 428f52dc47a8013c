/* Health, events, and which sources are missing. */
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include "facts/sources.h"
#include "facts/tables.h"

static void add_statuses(struct exposition *e, const char *component, enum status is)
{
    for (int s = 0; s < STATUS_COUNT; s++) {
        const char *name = status_name((enum status)s);

        if (component)
            exposition_count(e, LABELS({"component", component}, {"status", name}), (int)is == s);
        else
            exposition_count(e, LABELS({"status", name}), (int)is == s);
    }
}

void metrics_health(struct metrics_page *page)
{
    static const struct metric_family overall = {"moonwatch_health_status", METRIC_GAUGE,
                                                 "1 for the host's status, 0 for the others."};
    static const struct metric_family components = {
        "moonwatch_health_component_status", METRIC_GAUGE,
        "1 for the component's status, 0 for the others."};
    struct component_view component;

    if (!page->facts->health)
        return;
    METRIC_FAMILY(page->e, overall, "status ", NEED_NOTHING);
    add_statuses(page->e, NULL, health_status(page->facts->health));
    METRIC_FAMILY(page->e, components, "component status ", NEED_NOTHING);
    for (int c = 0; c < COMPONENT_COUNT; c++) {
        health_component(page->facts->health, (enum component)c, &component);
        add_statuses(page->e, component_name((enum component)c), component.status);
    }
}

void metrics_severities(struct metrics_page *page)
{
    static const struct metric_family family = {
        "moonwatch_health_check_severity", METRIC_GAUGE,
        "Of each check: 0 healthy, 1 unknown, 2 degraded, 3 unhealthy. The worst first."};
    size_t count = page->facts->health ? health_check_count(page->facts->health) : 0;
    size_t room = metric_lists_rows(&page->metrics->lists, page->e, LIST_CHECKS, count, 1, 0);

    if (count > 0)
        METRIC_FAMILY(page->e, family, "check ", NEED_NOTHING);
    for (int severity = STATUS_UNHEALTHY; severity >= STATUS_HEALTHY; severity--) {
        for (size_t i = 0; i < count && room > 0; i++) {
            struct check_view check;

            health_check(page->facts->health, i, &check);
            if ((int)check.status != severity)
                continue;
            exposition_count(page->e, LABELS({"check", check.name}), (uint64_t)check.status);
            room--;
        }
    }
}

/* The records of a probe that does not run are not 0 in number: they are not known. */
void metrics_events(struct metrics_page *page)
{
    static const struct {
        enum probe_concern concern;
        const struct field_table *table;
    } counted[] = {
        {CONCERN_OOM, &oom_events_table},
        {CONCERN_PROCESS, &crash_events_table},
        {CONCERN_TCP, &connect_events_table},
        {CONCERN_RECLAIM, &stall_events_table},
    };
    const char *reason;

    for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
        if (page->facts->probe &&
            probe_concern_active(page->facts->probe, counted[i].concern, &reason))
            metric_object(page->e, counted[i].table, &page->facts->snapshot->events);
}

void metrics_missing(struct metrics_page *page)
{
    static const struct metric_family family = {
        "moonwatch_source_missing", METRIC_GAUGE,
        "1 for each source of figures that cannot be read, with the reason."};
    METRIC_FAMILY(page->e, family, "source reason ", NEED_NOTHING);
    for (size_t i = 0; i < snapshot_source_count; i++) {
        const char *why = source_missing(&snapshot_sources[i], page->facts->snapshot);

        if (why)
            exposition_count(page->e, LABELS({"source", snapshot_sources[i].name}, {"reason", why}),
                             1);
    }
}

void metrics_omitted(struct metrics_page *page)
{
    static const struct metric_family family = {
        "moonwatch_rows_omitted", METRIC_GAUGE,
        "Rows that have no samples of their own because the host has more of them than the page "
        "shows (server.metrics_series_max)."};

    METRIC_FAMILY(page->e, family, "rows ", NEED_NOTHING);
    for (int list = 0; list < METRIC_LIST_COUNT; list++)
        exposition_count(page->e, LABELS({"rows", metric_list_name((enum metric_list)list)}),
                         page->metrics->lists.omitted[list]);
}
