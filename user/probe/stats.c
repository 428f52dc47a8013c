/* What the programs cost, sampled: the kernel's run-time statistics take two clock readings per run
 * of every program, so they are on for a small share of the time. */
#include "base/cleanup.h"
#include "probe/probe_state.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <math.h>
#include <string.h>

static bool read_run_time(int prog_fd, uint64_t *ret_runs, uint64_t *ret_run_ns)
{
    struct bpf_prog_info info = {0};
    uint32_t size = sizeof(info);

    if (bpf_obj_get_info_by_fd(prog_fd, &info, &size) < 0)
        return false;
    *ret_runs = info.run_cnt;
    *ret_run_ns = info.run_time_ns;
    return true;
}

void stats_begin(struct probe *probe, uint64_t now_ns)
{
    probe->stats_next_ns = now_ns + probe->config.stats_every_ns;
    probe->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
    if (probe->stats_fd < 0) {
        snprintf(probe->stats_missing, sizeof(probe->stats_missing),
                 "run-time statistics cannot be switched on: %s", strerror(errno));
        return;
    }
    probe->stats_missing[0] = '\0';
    probe->stats_since_ns = now_ns;
    for (size_t i = 0; i < probe->program_count; i++) {
        struct program *program = &probe->programs[i];
        struct program_stats *stats = &program->stats;

        stats->based = (program->link_fd >= 0 || hook_attached(probe, program)) &&
                       read_run_time(program->prog_fd, &stats->base_runs, &stats->base_run_ns);
    }
}

static void sample_program(struct program *program, double seconds)
{
    struct program_stats *stats = &program->stats;
    uint64_t runs, run_ns;

    stats->ns_per_run = stats->runs_per_second = stats->cpu_percent = NAN;
    if (!stats->based || program->prog_fd < 0 || !read_run_time(program->prog_fd, &runs, &run_ns))
        return;
    runs -= stats->base_runs;
    run_ns -= stats->base_run_ns;
    stats->sampled = true;
    stats->runs_total += runs;
    stats->run_ns_total += run_ns;
    stats->runs_per_second = (double)runs / seconds;
    stats->cpu_percent = (double)run_ns / 1e9 / seconds * 100.0;
    if (runs)
        stats->ns_per_run = (double)run_ns / (double)runs;
}

void stats_end(struct probe *probe, uint64_t now_ns)
{
    double seconds = (double)(now_ns - probe->stats_since_ns) / (double)NS_PER_SECOND;

    probe->cpu_percent = 0;
    for (size_t i = 0; i < probe->program_count; i++) {
        sample_program(&probe->programs[i], seconds);
        if (!isnan(probe->programs[i].stats.cpu_percent))
            probe->cpu_percent += probe->programs[i].stats.cpu_percent;
    }
    probe->stats_seconds_total += seconds;
    close(probe->stats_fd);
    probe->stats_fd = -1;
}
