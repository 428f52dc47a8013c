/* What the rest of the agent may know of the probe. */
#include "probe/probe_state.h"
#include <bpf/bpf.h>
#include <math.h>
#include <string.h>

size_t probe_program_count(const struct probe *probe)
{
    return probe->program_count;
}

void probe_program_view(const struct probe *probe, size_t index, struct program_view *ret)
{
    const struct program *program = &probe->programs[index];
    const struct probe_group *group = &probe->groups[program->group];
    const struct program_stats *stats = &program->stats;
    bool in_use = group->way == program->way;
    bool hooked = hook_attached(probe, program);

    *ret = (struct program_view){
        .name = program->name,
        .target = program->target,
        .concern = group->row->concern,
        .state = hooked ? PROGRAM_ATTACHED : program->state,
        .reason = hooked ? "" : program->reason,
        .partner_refused = program->partner_refused,
        .sampled = stats->sampled,
        .runs_sampled_total = stats->runs_total,
        .run_ns_sampled_total = stats->run_ns_total,
        .ns_per_run = stats->sampled ? stats->ns_per_run : NAN,
        .runs_per_second = stats->sampled ? stats->runs_per_second : NAN,
        .cpu_percent = stats->sampled ? stats->cpu_percent : NAN,
        .shed_total = in_use ? group->shed_total : 0,
        .retry_at_ns = in_use ? group->retry_at_ns : 0,
    };
}

size_t probe_map_count(const struct probe *probe)
{
    return probe->map_count;
}

void probe_map_view(const struct probe *probe, size_t index, struct map_view *ret)
{
    *ret = (struct map_view){.name = probe->maps[index].name, .bytes = probe->maps[index].bytes};
}

struct counter_sums {
    unsigned width; /* u64 of a row on a CPU */
    uint64_t *sums; /* `width` of them for each row */
};

static void add_row(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    const struct counter_sums *counters = ctx;
    uint32_t number = *(const uint32_t *)key;
    uint64_t *sums = counters->sums + (size_t)number * counters->width;

    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        const uint64_t *row = (const void *)((const char *)values + cpu * stride);

        for (unsigned i = 0; i < counters->width; i++)
            sums[i] += row[i];
    }
}

/* The first `count` rows of a per-CPU array of `width` u64 each, summed over the CPUs into zeroed
 * `sums`; what cannot be read stays 0. */
static void sum_rows(const struct probe *probe, const char *name, uint32_t count, unsigned width,
                     uint64_t *sums)
{
    struct counter_sums counters = {.width = width, .sums = sums};
    struct probe *reader = (struct probe *)probe; /* its buffers are written to */
    struct kernel_map *map = map_find(reader, name);

    if (map)
        map_read_rows(reader, map, 0, count < map->max_entries ? count : map->max_entries, add_row,
                      &counters);
}

void probe_view(const struct probe *probe, struct probe_view *ret)
{
    uint64_t records[RECORD_TYPE_COUNT][2] = {{0}}; /* struct emit_stats: produced, dropped */

    *ret = (struct probe_view){
        .pin_directory = probe->pins.fd >= 0 ? probe->pins.path : NULL,
        .unpinned_reason = probe->pins.fd >= 0 ? NULL : probe->pins.unpinned_reason,
        .pins_taken_over = probe->pins.taken_over,
        .pins_lost = probe->pins_lost[0] ? probe->pins_lost : NULL,
        .stats_missing = probe->stats_missing[0] ? probe->stats_missing : NULL,
        .budget_percent = probe->config.budget_percent,
        .cpu_percent = probe->cpu_percent,
        .stats_seconds_total = probe->stats_seconds_total,
        .ring_bytes = probe->ring ? probe->config.ring_bytes : 0,
    };
    sum_rows(probe, "emit_stats", RECORD_TYPE_COUNT, 2, &records[0][0]);
    for (uint32_t type = 0; type < RECORD_TYPE_COUNT; type++) {
        ret->records[type].produced = records[type][0];
        ret->records[type].dropped = records[type][1];
        ret->records[type].consumed = probe->consumed[type];
    }
    sum_rows(probe, "map_drops", MAP_DROP_COUNT, 1, ret->map_drops);
}

/* The concern's main group: the first of its row. */
static const struct probe_group *main_group(const struct probe *probe, enum probe_concern c)
{
    for (size_t i = 0; i < probe->group_count; i++) {
        if (probe->groups[i].row->concern == c)
            return &probe->groups[i];
    }
    return NULL;
}

bool probe_concern_active(const struct probe *probe, enum probe_concern c, const char **ret_reason)
{
    const struct probe_group *group = main_group(probe, c);

    if (group && group->state == GROUP_ATTACHED)
        return true;
    *ret_reason = "this build has no such probe";
    for (size_t i = 0; group && i < probe->program_count; i++) {
        const struct program *program = &probe->programs[i];

        if (&probe->groups[program->group] == group && program->way == group->way) {
            *ret_reason = program->reason;
            break;
        }
    }
    return false;
}

const char *probe_concern_method(const struct probe *probe, enum probe_concern c)
{
    const struct probe_group *group = main_group(probe, c);
    const char *method = group && group->spec && group->state == GROUP_ATTACHED
                             ? group->spec->ways[group->way].method
                             : NULL;

    return method ? method : "";
}
