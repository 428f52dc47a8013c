/* What the agent costs: its programs, maps and records, its loop, its process, this page. */
#include "http/metrics_sections.h"
#include "http/metrics_table.h"
#include "model/event.h"

/* Programs by a field of their view that is a double (NaN: not known) or a counter. */
static void add_programs(struct exposition *e, const struct probe *probe,
                         const struct metric_column *column)
{
    exposition_family(e, &column->family);
    for (size_t i = 0; i < probe_program_count(probe); i++) {
        struct program_view view;
        const void *field = (const char *)&view + column->at;

        probe_program_view(probe, i, &view);
        if (column->kind == COLUMN_DOUBLE && !isnan(*(const double *)field))
            exposition_sample(e, LABELS({"program", view.name}),
                              *(const double *)field / column->divisor);
        else if (column->kind == COLUMN_U64 && column->divisor != 1)
            exposition_sample(e, LABELS({"program", view.name}),
                              (double)*(const uint64_t *)field / column->divisor);
        else if (column->kind == COLUMN_U64)
            exposition_count(e, LABELS({"program", view.name}), *(const uint64_t *)field);
    }
}

static void add_program_info(struct exposition *e, const struct probe *probe)
{
    static const struct metric_family family = {
        "moonwatch_bpf_program", METRIC_INFO,
        "Each BPF program, whether it runs, and the reason if not."};

    METRIC_FAMILY(e, family, "program target concern state reason ", NEED_NOTHING);
    for (size_t i = 0; i < probe_program_count(probe); i++) {
        struct program_view view;

        probe_program_view(probe, i, &view);
        exposition_count(e,
                         LABELS({"program", view.name}, {"target", view.target},
                                {"concern", probe_concern_name(view.concern)},
                                {"state", program_state_name(view.state)}, {"reason", view.reason}),
                         1);
    }
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

void metrics_programs(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_column columns[] = {
        U64_COUNTER("moonwatch_bpf_program_runs_sampled", "Runs while run-time statistics were on.",
                    struct program_view, runs_sampled_total, 1),
        U64_COUNTER("moonwatch_bpf_program_run_sampled_seconds",
                    "Time of the runs while run-time statistics were on.", struct program_view,
                    run_ns_sampled_total, FROM_NS),
        DOUBLE_GAUGE("moonwatch_bpf_program_run_seconds", "One run, in the last sample.",
                     struct program_view, ns_per_run, FROM_NS),
        DOUBLE_GAUGE("moonwatch_bpf_program_runs_per_second", "Runs in the last sample.",
                     struct program_view, runs_per_second, 1),
        DOUBLE_GAUGE("moonwatch_bpf_program_cpu_ratio", "Share of one core, in the last sample.",
                     struct program_view, cpu_percent, FROM_PERCENT),
        U64_COUNTER("moonwatch_bpf_program_shed", "Times it was shed for the overhead budget.",
                    struct program_view, shed_total, 1),
    };

    (void)m;
    if (!s->probe)
        return;
    add_program_info(e, s->probe);
    METRIC_TABLE(columns, "program ", NEED_NOTHING);
    for (size_t c = 0; c < sizeof(columns) / sizeof(columns[0]); c++)
        add_programs(e, s->probe, &columns[c]);
    add_maps(e, s->probe);
}

static const char *const map_drop_names[] = {
    [MAP_DROP_RUNQ_CGROUP] = "runq_cgroup",
    [MAP_DROP_RUNQ_TASK] = "runq_task",
    [MAP_DROP_BLOCKED_CGROUP] = "blocked_cgroup",
    [MAP_DROP_BLOCKED_TASK] = "blocked_task",
    [MAP_DROP_PROCESS_CGROUP] = "process_cgroup",
    [MAP_DROP_PROCESS_SHORT] = "process_short",
    [MAP_DROP_RECLAIM_CGROUP] = "reclaim_cgroup",
    [MAP_DROP_RECLAIM_TASK] = "reclaim_task",
    [MAP_DROP_BLKIO_DEVICE] = "blkio_device",
    [MAP_DROP_BLKIO_INFLIGHT] = "blkio_inflight",
    [MAP_DROP_TCP_PORT] = "tcp_port",
    [MAP_DROP_TCP_SOCKET] = "tcp_socket",
    [MAP_DROP_CALL_SOCKET] = "call_socket",
};
_Static_assert(sizeof(map_drop_names) / sizeof(map_drop_names[0]) == MAP_DROP_COUNT,
               "each site has a name");

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

    METRIC_TABLE(counters, "type ", NEED_NOTHING);
    for (size_t c = 0; c < sizeof(counters) / sizeof(counters[0]); c++) {
        exposition_family(e, &counters[c].family);
        for (int t = 0; t < RECORD_TYPE_COUNT; t++) {
            const char *row = (const char *)view + (size_t)t * sizeof(view->records[0]);

            exposition_count(e, LABELS({"type", record_type_name((enum record_type)t)}),
                             *(const uint64_t *)(row + counters[c].at));
        }
    }
}

void metrics_records(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_family drops = {
        "moonwatch_bpf_map_drops", METRIC_COUNTER,
        "Updates lost, or counted in the row of the rest, because a map was full."};
    static const struct metric_family ring = {"moonwatch_ring_buffer_bytes", METRIC_GAUGE,
                                              "Size of the ring buffer."};
    static const struct metric_family budget = {
        "moonwatch_bpf_budget_ratio", METRIC_GAUGE,
        "Share of one core that all BPF programs together may take."};
    static const struct metric_family cpu = {
        "moonwatch_bpf_cpu_ratio", METRIC_GAUGE,
        "Share of one core that all BPF programs together took, in the last sample."};
    static const struct metric_family stats = {"moonwatch_bpf_statistics_seconds", METRIC_COUNTER,
                                               "Time with run-time statistics on."};
    struct probe_view view;

    (void)m;
    if (!s->probe)
        return;
    probe_view(s->probe, &view);
    add_records(e, &view);
    METRIC_FAMILY(e, drops, "site ", NEED_NOTHING);
    for (int d = 0; d < MAP_DROP_COUNT; d++)
        exposition_count(e, LABELS({"site", map_drop_names[d]}), view.map_drops[d]);
    METRIC_FAMILY(e, ring, "", NEED_NOTHING);
    exposition_count(e, NULL, 0, view.ring_bytes);
    METRIC_FAMILY(e, budget, "", NEED_NOTHING);
    exposition_sample(e, NULL, 0, view.budget_percent / FROM_PERCENT);
    METRIC_FAMILY(e, cpu, "", NEED_NOTHING);
    if (!isnan(view.cpu_percent))
        exposition_sample(e, NULL, 0, view.cpu_percent / FROM_PERCENT);
    METRIC_FAMILY(e, stats, "", NEED_NOTHING);
    exposition_sample(e, NULL, 0, view.stats_seconds_total);
}

static void add_collectors(struct exposition *e, const struct collectors *collectors)
{
    static const struct metric_family family = {"moonwatch_collector_seconds", METRIC_GAUGE,
                                                "What the collector's last sample took."};

    METRIC_FAMILY(e, family, "collector ", NEED_NOTHING);
    for (size_t i = 0; i < collectors_count(collectors); i++) {
        struct collector_view view;

        collectors_view(collectors, i, &view);
        exposition_sample(e, LABELS({"collector", view.name}), view.seconds);
    }
}

void metrics_agent(struct exposition *e, struct metrics *m, const struct metrics_sources *s)
{
    static const struct metric_column self[] = {
        READING_GAUGE("moonwatch_agent_resident_bytes", "The agent's resident memory.",
                      struct self_usage, resident_bytes, 1),
        READING_GAUGE("moonwatch_agent_threads", "The agent's threads.", struct self_usage, threads,
                      1),
        READING_GAUGE("moonwatch_agent_open_files", "The agent's file descriptors.",
                      struct self_usage, open_files, 1),
        READING_COUNTER("moonwatch_agent_cpu_seconds", "The agent's CPU time.", struct self_usage,
                        cpu_seconds_total, 1),
    };
    static const struct metric_column loop[] = {
        U64_GAUGE("moonwatch_loop_lag_seconds", "How late the last tick was.", struct loop_view,
                  lag_ns, FROM_NS),
        U64_GAUGE("moonwatch_loop_lag_max_seconds", "The latest tick since the agent started.",
                  struct loop_view, lag_max_ns, FROM_NS),
        U64_COUNTER("moonwatch_loop_iterations", "Wake-ups of the event loop.", struct loop_view,
                    iterations_total, 1),
    };
    static const struct metric_column log[] = {
        U64_COUNTER(
            "moonwatch_log_lines_dropped",
            "Log lines that were never written: nobody read them in time, or a write failed.",
            struct log_view, lines_dropped_total, 1),
        U64_GAUGE("moonwatch_log_queued_bytes", "Log lines that wait for their reader.",
                  struct log_view, queued_bytes, 1),
    };
    static const struct metric_column server[] = {
        U64_COUNTER("moonwatch_http_requests", "Requests answered.", struct server_view,
                    requests_total, 1),
        U64_COUNTER("moonwatch_http_connections_evicted", "Connections closed to make room.",
                    struct server_view, connections_evicted_total, 1),
        U64_COUNTER("moonwatch_http_tokens_wrong", "Tokens presented that are not known here.",
                    struct server_view, tokens_wrong_total, 1),
        U64_COUNTER("moonwatch_http_tokens_unread",
                    "Tokens not looked at, after too many wrong ones from their address.",
                    struct server_view, tokens_unread_total, 1),
        U64_COUNTER("moonwatch_http_accept_pauses",
                    "Pauses of accepting because no more files could be opened.",
                    struct server_view, accept_pauses_total, 1),
    };
    static const struct metric_family connections = {"moonwatch_http_connections", METRIC_GAUGE,
                                                     "Connections open."};
    static const struct metric_family ticks = {"moonwatch_ticks", METRIC_COUNTER,
                                               "Snapshots taken."};
    static const struct metric_family scrape = {"moonwatch_scrape_seconds", METRIC_GAUGE,
                                                "What writing the page before this one took."};
    struct self_usage usage;
    struct log_view log_figures;

    self_usage_read(&m->self, &usage);
    METRIC_COLUMNS(e, self, "", NEED_NOTHING,
                   (&(const struct metric_rows){&usage, sizeof(usage), 1, NULL}));
    METRIC_FAMILY(e, ticks, "", NEED_NOTHING);
    exposition_count(e, NULL, 0, s->snapshot->sequence);
    if (s->loop)
        METRIC_COLUMNS(e, loop, "", NEED_NOTHING,
                       (&(const struct metric_rows){s->loop, sizeof(*s->loop), 1, NULL}));
    if (s->log) {
        log_view(s->log, &log_figures);
        METRIC_COLUMNS(e, log, "", NEED_NOTHING,
                       (&(const struct metric_rows){&log_figures, sizeof(log_figures), 1, NULL}));
    }
    if (s->collectors)
        add_collectors(e, s->collectors);
    if (s->server) {
        METRIC_COLUMNS(e, server, "", NEED_NOTHING,
                       (&(const struct metric_rows){s->server, sizeof(*s->server), 1, NULL}));
        METRIC_FAMILY(e, connections, "", NEED_NOTHING);
        exposition_count(e, NULL, 0, s->server->connections);
    }
    METRIC_FAMILY(e, scrape, "", NEED_PAGE);
    if (!isnan(m->last_seconds))
        exposition_sample(e, NULL, 0, m->last_seconds);
}
