/* What the agent costs: its programs, maps and records, its loop, its process, this page. */
#include "facts/metrics_sections.h"
#include "facts/metrics_table.h"
#include "facts/tables.h"
#include "model/event.h"
#include <stdlib.h>

static void label_program(const void *row, struct row_labels *ret)
{
    const struct program_view *r = row;

    row_label(ret, "program", r->name);
}

#define TYPE struct program_view
static const struct field program_fields[] = {
    FIGURE(
        FIELD_U64, runs_sampled_total,
        COUNTER("moonwatch_bpf_program_runs_sampled", "Runs while run-time statistics were on.")),
    FIGURE(FIELD_U64, run_ns_sampled_total,
           COUNTER("moonwatch_bpf_program_run_sampled_seconds",
                   "Time of the runs while run-time statistics were on."),
           .divisor = FROM_NS),
    FIGURE(FIELD_DOUBLE, ns_per_run,
           GAUGE("moonwatch_bpf_program_run_seconds", "One run, in the last sample."),
           .divisor = FROM_NS),
    FIGURE(FIELD_DOUBLE, runs_per_second,
           GAUGE("moonwatch_bpf_program_runs_per_second", "Runs in the last sample.")),
    FIGURE(FIELD_DOUBLE, cpu_percent,
           GAUGE("moonwatch_bpf_program_cpu_ratio", "Share of one core, in the last sample.")),
    FIGURE(FIELD_U64, shed_total,
           COUNTER("moonwatch_bpf_program_shed", "Times it was shed for the overhead budget.")),
};
#undef TYPE
FIELD_METRICS(program_fields, "program ", NEED_NOTHING);
static const struct field_table program_table =
    FIELD_TABLE(NULL, program_fields, NULL, .label = label_program);

#define TYPE struct self_usage
static const struct field self_fields[] = {
    FIGURE(FIELD_READING, resident_bytes,
           GAUGE("moonwatch_agent_resident_bytes", "The agent's resident memory.")),
    FIGURE(FIELD_READING, threads, GAUGE("moonwatch_agent_threads", "The agent's threads.")),
    FIGURE(FIELD_READING, open_files,
           GAUGE("moonwatch_agent_open_files", "The agent's file descriptors.")),
    FIGURE(FIELD_READING, cpu_seconds_total,
           COUNTER("moonwatch_agent_cpu_seconds", "The agent's CPU time.")),
};
#undef TYPE
FIELD_METRICS(self_fields, "", NEED_NOTHING);
static const struct field_table self_table = FIELD_TABLE(NULL, self_fields, NULL);

#define TYPE struct loop_view
static const struct field loop_fields[] = {
    FIGURE(FIELD_U64, lag_ns, GAUGE("moonwatch_loop_lag_seconds", "How late the last tick was."),
           .divisor = FROM_NS),
    FIGURE(FIELD_U64, lag_max_ns,
           GAUGE("moonwatch_loop_lag_max_seconds", "The latest tick since the agent started."),
           .divisor = FROM_NS),
    FIGURE(FIELD_U64, iterations_total,
           COUNTER("moonwatch_loop_iterations", "Wake-ups of the event loop.")),
};
#undef TYPE
FIELD_METRICS(loop_fields, "", NEED_NOTHING);
static const struct field_table loop_table = FIELD_TABLE(NULL, loop_fields, NULL);

#define TYPE struct log_view
static const struct field log_fields[] = {
    FIGURE(
        FIELD_U64, lines_dropped_total,
        COUNTER("moonwatch_log_lines_dropped",
                "Log lines that were never written: nobody read them in time, or a write failed.")),
    FIGURE(FIELD_U64, queued_bytes,
           GAUGE("moonwatch_log_queued_bytes", "Log lines that wait for their reader.")),
};
#undef TYPE
FIELD_METRICS(log_fields, "", NEED_NOTHING);
static const struct field_table log_table = FIELD_TABLE(NULL, log_fields, NULL);

#define TYPE struct server_view
static const struct field server_fields[] = {
    FIGURE(FIELD_U64, requests_total, COUNTER("moonwatch_http_requests", "Requests answered.")),
    FIGURE(FIELD_U64, connections_evicted_total,
           COUNTER("moonwatch_http_connections_evicted", "Connections closed to make room.")),
    FIGURE(FIELD_U64, tokens_wrong_total,
           COUNTER("moonwatch_http_tokens_wrong", "Tokens presented that are not known here.")),
    FIGURE(FIELD_U64, tokens_unread_total,
           COUNTER("moonwatch_http_tokens_unread",
                   "Tokens not looked at, after too many wrong ones from their address.")),
    FIGURE(FIELD_U64, accept_pauses_total,
           COUNTER("moonwatch_http_accept_pauses",
                   "Pauses of accepting because no more files could be opened.")),
    FIGURE(FIELD_U32, connections, GAUGE("moonwatch_http_connections", "Connections open.")),
};
#undef TYPE
FIELD_METRICS(server_fields, "", NEED_NOTHING);
static const struct field_table server_table = FIELD_TABLE(NULL, server_fields, NULL);

static void add_program_info(struct exposition *e, const struct program_view *views, size_t count)
{
    static const struct metric_family family = {
        "moonwatch_bpf_program", METRIC_INFO,
        "Each BPF program, whether it runs, and the reason if not."};

    METRIC_FAMILY(e, family, "program target concern state reason ", NEED_NOTHING);
    for (size_t i = 0; i < count; i++)
        exposition_count(e,
                         LABELS({"program", views[i].name}, {"target", views[i].target},
                                {"concern", probe_concern_name(views[i].concern)},
                                {"state", program_state_name(views[i].state)},
                                {"reason", views[i].reason}),
                         1);
}

static void add_maps(struct exposition *e, const struct probe *probe)
{
    static const struct metric_family family = {"moonwatch_bpf_map_bytes", METRIC_GAUGE,
                                                "Kernel memory of each BPF map."};

    METRIC_FAMILY(e, family, "map ", NEED_NOTHING);
    for (size_t i = 0; i < probe_map_count(probe); i++) {
        struct map_view view;

        probe_map_view(probe, i, &view);
        exposition_count(e, LABELS({"map", view.name}), view.bytes);
    }
}

void metrics_programs(struct metrics_page *page)
{
    size_t count = page->facts->probe ? probe_program_count(page->facts->probe) : 0;
    struct program_view *views = count ? calloc(count, sizeof(*views)) : NULL;

    if (!page->facts->probe || (count && !views))
        return;
    for (size_t i = 0; i < count; i++)
        probe_program_view(page->facts->probe, i, &views[i]);
    add_program_info(page->e, views, count);
    metric_table(page->e, &program_table,
                 &(const struct metric_rows){views, sizeof(*views), count, 0});
    free(views);
    add_maps(page->e, page->facts->probe);
}

#define TYPE struct probe_view
static const struct field probe_fields[] = {
    FIGURE(FIELD_U64, ring_bytes, GAUGE("moonwatch_ring_buffer_bytes", "Size of the ring buffer.")),
    FIGURE(FIELD_DOUBLE, budget_percent,
           GAUGE("moonwatch_bpf_budget_ratio",
                 "Share of one core that all BPF programs together may take.")),
    FIGURE(FIELD_DOUBLE, cpu_percent,
           GAUGE("moonwatch_bpf_cpu_ratio",
                 "Share of one core that all BPF programs together took, in the last sample.")),
    FIGURE(FIELD_DOUBLE, stats_seconds_total,
           COUNTER("moonwatch_bpf_statistics_seconds", "Time with run-time statistics on.")),
};
#undef TYPE
FIELD_METRICS(probe_fields, "", NEED_NOTHING);
static const struct field_table probe_table = FIELD_TABLE(NULL, probe_fields, NULL);

static void add_records(struct exposition *e, const struct probe_view *view)
{
    static const struct {
        struct metric_family family;
        size_t at; /* in struct probe_view, of the first type */
    } counters[] = {
        {{"moonwatch_records_produced", METRIC_COUNTER,
          "Records the kernel side made, the dropped ones included."},
         offsetof(struct probe_view, records[0].produced)},
        {{"moonwatch_records_consumed", METRIC_COUNTER, "Records the agent read."},
         offsetof(struct probe_view, records[0].consumed)},
        {{"moonwatch_records_dropped", METRIC_COUNTER,
          "Records lost because the ring buffer was full. Once it is drained, produced is consumed "
          "plus dropped."},
         offsetof(struct probe_view, records[0].dropped)},
    };

    METRIC_DECLARE(&counters[0].family, sizeof(counters[0]), sizeof(counters) / sizeof(counters[0]),
                   "type ", NEED_NOTHING);
    for (size_t c = 0; c < sizeof(counters) / sizeof(counters[0]); c++) {
        exposition_family(e, &counters[c].family);
        for (int t = 0; t < RECORD_TYPE_COUNT; t++) {
            const char *row = (const char *)view + (size_t)t * sizeof(view->records[0]);

            exposition_count(e, LABELS({"type", record_type_name((enum record_type)t)}),
                             *(const uint64_t *)(row + counters[c].at));
        }
    }
}

void metrics_records(struct metrics_page *page)
{
    static const struct metric_family drops = {
        "moonwatch_bpf_map_drops", METRIC_COUNTER,
        "Updates lost, or counted in the row of the rest, because a map was full."};
    struct probe_view view;

    if (!page->facts->probe)
        return;
    probe_view(page->facts->probe, &view);
    add_records(page->e, &view);
    METRIC_FAMILY(page->e, drops, "site ", NEED_NOTHING);
    for (int d = 0; d < MAP_DROP_COUNT; d++)
        exposition_count(page->e, LABELS({"site", map_drop_name((enum map_drop)d)}),
                         view.map_drops[d]);
    metric_object(page->e, &probe_table, &view);
}

static void add_collectors(struct exposition *e, const struct collectors *collectors)
{
    static const struct metric_family family = {"moonwatch_collector_seconds", METRIC_GAUGE,
                                                "What the collector's last sample took."};

    METRIC_FAMILY(e, family, "collector ", NEED_NOTHING);
    for (size_t i = 0; i < collectors_count(); i++) {
        struct collector_view view;

        collectors_view(collectors, i, &view);
        exposition_sample(e, LABELS({"collector", view.name}), view.seconds);
    }
}

void metrics_agent(struct metrics_page *page)
{
    static const struct metric_family ticks = {"moonwatch_ticks", METRIC_COUNTER,
                                               "Snapshots taken."};
    static const struct metric_family scrape = {"moonwatch_scrape_seconds", METRIC_GAUGE,
                                                "What writing the page before this one took."};
    struct self_usage usage;
    struct log_view log_figures;

    self_usage_read(&page->metrics->self, &usage);
    metric_object(page->e, &self_table, &usage);
    METRIC_FAMILY(page->e, ticks, "", NEED_NOTHING);
    exposition_count(page->e, NULL, 0, page->facts->snapshot->sequence);
    if (page->facts->loop)
        metric_object(page->e, &loop_table, page->facts->loop);
    if (page->facts->log) {
        log_view(page->facts->log, &log_figures);
        metric_object(page->e, &log_table, &log_figures);
    }
    if (page->facts->collectors)
        add_collectors(page->e, page->facts->collectors);
    if (page->facts->server) {
        metric_object(page->e, &server_table, page->facts->server);
    }
    METRIC_FAMILY(page->e, scrape, "", NEED_PAGE);
    if (!isnan(page->metrics->last_seconds))
        exposition_sample(page->e, NULL, 0, page->metrics->last_seconds);
}
