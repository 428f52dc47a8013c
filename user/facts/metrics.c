#include "facts/metrics.h"
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include "facts/tables.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* A part of the page: what is written by a function, or the table of a part of the snapshot. */
struct page_part {
    metrics_section_fn *write;
    const struct field_table *table;
    size_t at; /* in struct snapshot, as all the next: the object, or the pointer to the rows */
    size_t count_at, stride;          /* of rows */
    size_t missing_at, omitted_at;    /* of rows; offset + 1, 0: nothing says so */
    enum metric_list list;            /* whose share of the series the rows have */
    bool is_list, is_short, is_worst; /* rows; few, which need no share; of which one is told */
};

#define BY(function)                                                                               \
    {                                                                                              \
        .write = (function)                                                                        \
    }
#define OBJECT(figures, member)                                                                    \
    {                                                                                              \
        .table = &(figures), .at = offsetof(struct snapshot, member)                               \
    }
#define ROWS(figures, member, counter, type, ...)                                                  \
    {                                                                                              \
        .table = &(figures), .at = offsetof(struct snapshot, member),                              \
        .count_at = offsetof(struct snapshot, counter), .stride = sizeof(type), .is_list = true,   \
        __VA_ARGS__                                                                                \
    }
#define MISSING(member) .missing_at = offsetof(struct snapshot, member) + 1

/* In the order of the page: first what the configuration bounds, then the lists that share the rest
 * of the series, in the order of enum metric_list, then what these left out. */
static const struct page_part sections[] = {
    BY(metrics_build),
    BY(metrics_health),
    BY(metrics_cpu),
    OBJECT(cpu_table, cpu),
    OBJECT(memory_table, memory),
    OBJECT(pressure_resources_table, pressure),
    OBJECT(processes_table, process),
    BY(metrics_scheduler),
    BY(metrics_services),
    BY(metrics_alerts),
    BY(metrics_notify),
    BY(metrics_events),
    BY(metrics_missing),
    BY(metrics_programs),
    BY(metrics_records),
    BY(metrics_agent),
    BY(metrics_severities),
    ROWS(process_files_table, process.files_of, process.files_of_count, struct process_files,
         .is_short = true, .is_worst = true),
    ROWS(cgroup_pids_table, process.cgroup_pids, process.cgroup_pids_count, struct cgroup_pids,
         .is_short = true),
    ROWS(listener_table, network.listeners, network.listener_count, struct listener,
         .is_short = true),
    OBJECT(longest_stuck_table, process),
    ROWS(filesystem_table, disk.filesystems, disk.filesystem_count, struct filesystem,
         .list = LIST_FILESYSTEMS, MISSING(disk.missing),
         .omitted_at = offsetof(struct snapshot, disk.filesystems_omitted) + 1),
    ROWS(interface_table, network.interfaces, network.interface_count, struct interface,
         .list = LIST_INTERFACES, MISSING(network.missing)),
    OBJECT(network_table, network),
    BY(metrics_block_devices),
    ROWS(cpu_throttle_table, throttle.rows, throttle.count, struct cpu_throttle,
         .list = LIST_THROTTLED, MISSING(throttle.missing)),
    BY(metrics_cgroups),
    BY(metrics_tcp),
    BY(metrics_omitted),
};

static size_t size_at(const struct snapshot *snapshot, size_t at)
{
    return *(const size_t *)((const char *)snapshot + at);
}

static void write_rows(struct metrics_page *page, const struct page_part *section)
{
    const struct snapshot *snapshot = page->facts->snapshot;
    struct metric_rows rows = {
        .rows = *(const void *const *)((const char *)snapshot + section->at),
        .stride = section->stride,
    };
    size_t count = size_at(snapshot, section->count_at);

    if (field_reason(snapshot, section->missing_at))
        return;
    if (section->is_worst && count > 1)
        count = 1;
    rows.count = section->is_short
                     ? count
                     : metric_lists_rows(
                           &page->metrics->lists, page->e, section->list, count,
                           metric_table_series(section->table, 0),
                           section->omitted_at ? size_at(snapshot, section->omitted_at - 1) : 0);
    metric_table(page->e, section->table, &rows);
}

static void write_sections(struct metrics_page *page)
{
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        const struct page_part *section = &sections[i];

        if (section->write)
            section->write(page);
        else if (section->is_list)
            write_rows(page, section);
        else
            metric_object(page->e, section->table,
                          (const char *)page->facts->snapshot + section->at);
    }
}

int metrics_create(struct metrics **ret, const struct host *host)
{
    struct metrics *m = calloc(1, sizeof(*m));

    if (!m)
        return -ENOMEM;
    self_usage_open(&m->self, host);
    m->lists.series_max = METRIC_SERIES_DEFAULT;
    for (int role = 0; role < TCP_ROLE_COUNT; role++)
        m->ports[role].counter_count = sizeof(struct tcp_stats) / sizeof(uint64_t);
    m->last_seconds = NAN;
    *ret = m;
    return 0;
}

void metrics_destroy(struct metrics *metrics)
{
    if (!metrics)
        return;
    self_usage_close(&metrics->self);
    for (int role = 0; role < TCP_ROLE_COUNT; role++)
        told_rows_free(&metrics->ports[role]);
    free(metrics);
}

void metrics_walk(struct metrics *metrics, const struct exposition_sink *sink,
                  const struct facts *facts)
{
    struct exposition e;

    exposition_init_sink(&e, sink);
    write_sections(&(struct metrics_page){&e, metrics, facts});
}

int metrics_render(struct metrics *metrics, struct text *out, const struct facts *facts,
                   size_t series_max, bool openmetrics)
{
    uint64_t began_ns = clock_monotonic_ns(facts->clock);
    struct exposition e;

    exposition_init(&e, out, openmetrics);
    metrics->lists.series_max = series_max ? series_max : METRIC_SERIES_DEFAULT;
    write_sections(&(struct metrics_page){&e, metrics, facts});
    exposition_end(&e);
    metrics->last_seconds = (double)(clock_monotonic_ns(facts->clock) - began_ns) / NS_PER_SECOND;
    return out->failed ? -ENOMEM : 0;
}
