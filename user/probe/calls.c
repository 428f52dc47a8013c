#include "probe/calls.h"
#include "base/cleanup.h"
#include "probe/probe_state.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

/* Scans that count expiries take at most this share of the time. */
#define SCAN_REST 20

struct stats_reader {
    probe_call_stats_fn *fn;
    void *ctx;
};

static void sum_cpus(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    const struct stats_reader *reader = ctx;
    uint64_t sum[sizeof(struct call_stats) / sizeof(uint64_t)] = {0};
    struct call_stats stats;
    uint32_t row;

    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        const char *value = (const char *)values + cpu * stride;

        for (size_t i = 0; i < sizeof(sum) / sizeof(sum[0]); i++) {
            uint64_t field;

            memcpy(&field, value + i * sizeof(field), sizeof(field));
            sum[i] += field;
        }
    }
    memcpy(&row, key, sizeof(row));
    memcpy(&stats, sum, sizeof(stats));
    reader->fn(reader->ctx, row, &stats);
}

int probe_call_stats_range(struct probe *probe, uint32_t first, uint32_t count,
                           probe_call_stats_fn *fn, void *ctx)
{
    struct stats_reader reader = {fn, ctx};
    struct kernel_map *map = map_find(probe, "call_stats");

    if (!map)
        return -ENOENT;
    if (first >= CALL_ROWS_MAX || count > CALL_ROWS_MAX - first)
        return -EINVAL;
    return map_read_rows(probe, map, first, count, sum_cpus, &reader);
}

static void copy_stats(void *ctx, uint32_t row, const struct call_stats *stats)
{
    (void)row;
    memcpy(ctx, stats, sizeof(*stats));
}

int probe_call_stats(struct probe *probe, uint32_t row, struct call_stats *ret)
{
    return probe_call_stats_range(probe, row, 1, copy_stats, ret);
}

int probe_call_limit_set(struct probe *probe, uint32_t row, const struct call_limit *limit)
{
    const struct kernel_map *map = map_find(probe, "call_limit");

    if (!map)
        return -ENOENT;
    if (row >= CALL_ROWS_MAX)
        return -EINVAL;
    if (!probe->call_limits)
        probe->call_limits = calloc(CALL_ROWS_MAX, sizeof(*probe->call_limits));
    if (!probe->call_limits)
        return -ENOMEM;
    if (bpf_map_update_elem(map->fd, &row, limit, BPF_ANY) < 0)
        return -errno;
    probe->call_limits[row] = *limit;
    return 0;
}

static int write_table(struct probe *probe)
{
    const struct kernel_map *map = map_find(probe, "call_table");
    uint32_t zero = 0;

    if (!map)
        return -ENOENT;
    return bpf_map_update_elem(map->fd, &zero, &probe->call_table, BPF_ANY) < 0 ? -errno : 0;
}

static const struct service_map {
    const char *name;
    size_t key_size;
} service_maps[SERVICE_KEY_KIND_COUNT] = {
    [SERVICE_PORT] = {"service_port", sizeof(uint64_t)},
    [SERVICE_CGROUP] = {"service_cgroup", sizeof(uint64_t)},
    [SERVICE_TGID] = {"service_tgid", sizeof(uint32_t)},
};

int probe_services_set(struct probe *probe, const struct service_key *keys, size_t count)
{
    CLEANUP_FREE char *entries = calloc(count ? count : 1, sizeof(uint64_t) + sizeof(uint32_t));
    bool any_changed = false;

    if (!entries)
        return -ENOMEM;
    probe->call_table.services_by_process = 0;
    for (int kind = 0; kind < SERVICE_KEY_KIND_COUNT; kind++) {
        size_t key_size = service_maps[kind].key_size, entry_size = key_size + sizeof(uint32_t);
        bool changed;
        size_t n = 0;
        int err;

        for (size_t i = 0; i < count; i++) {
            char *entry = entries + n * entry_size;
            uint32_t narrow = (uint32_t)keys[i].key;

            if (keys[i].service >= SERVICES_MAX)
                return -EINVAL;
            if (keys[i].kind != (enum service_key_kind)kind)
                continue;
            memcpy(entry, key_size == sizeof(narrow) ? (const void *)&narrow : &keys[i].key,
                   key_size);
            memcpy(entry + key_size, &keys[i].service, sizeof(uint32_t));
            n++;
        }
        err = map_replace(probe, service_maps[kind].name, entries, n, entry_size, &changed);
        if (err < 0)
            return err;
        any_changed = any_changed || changed;
        if (kind != SERVICE_PORT)
            probe->call_table.services_by_process += n;
    }
    probe->call_table.generation += any_changed;
    return write_table(probe);
}

static void sooner(uint64_t *next_ns, uint64_t at_ns)
{
    if (!*next_ns || at_ns < *next_ns)
        *next_ns = at_ns;
}

/* When the call becomes slow or times out next. */
static void expect_call(const struct probe *probe, const struct call_row *row, uint64_t *next_ns)
{
    const struct call_limit *limit = &probe->call_limits[row->row];

    if (limit->slow_ns && !(row->flags & (CALL_FLAG_SLOW | CALL_FLAG_CONNECTING)))
        sooner(next_ns, row->since_ns + limit->slow_ns);
    if (limit->timeout_ns && !(row->flags & CALL_FLAG_TIMED_OUT))
        sooner(next_ns, row->since_ns + limit->timeout_ns);
}

/* Calls that begin after `now_ns`. */
static uint64_t expect_new_calls(const struct probe *probe, uint64_t now_ns)
{
    uint64_t next_ns = 0;

    for (size_t i = 0; probe->call_limits && i < CALL_ROWS_MAX; i++) {
        if (probe->call_limits[i].slow_ns)
            sooner(&next_ns, now_ns + probe->call_limits[i].slow_ns);
        if (probe->call_limits[i].timeout_ns)
            sooner(&next_ns, now_ns + probe->call_limits[i].timeout_ns);
    }
    return next_ns;
}

/* After the programs were shed, what they did not see is not in flight. */
static void note_pause(struct probe *probe)
{
    for (size_t g = 0; g < probe->group_count; g++) {
        const struct probe_group *group = &probe->groups[g];

        if (group->row->concern == CONCERN_REQUEST &&
            group->attached_again_ns > probe->call_table.followed_since_ns) {
            probe->call_table.followed_since_ns = group->attached_again_ns;
            write_table(probe);
        }
    }
}

struct call_reader {
    const struct probe *probe;
    probe_call_row_fn *fn; /* or NULL */
    void *ctx;
    uint64_t next_ns;
};

static void on_call(void *ctx, const void *at)
{
    struct call_reader *reader = ctx;
    const struct call_row *row = at;

    if (reader->probe->call_limits && row->row < CALL_ROWS_MAX)
        expect_call(reader->probe, row, &reader->next_ns);
    if (reader->fn)
        reader->fn(reader->ctx, row);
}

int probe_calls_scan(struct probe *probe, probe_call_row_fn *fn, void *ctx, uint64_t *ret_next_ns)
{
    const struct program *iterator = program_running(probe, "iter/task_file");
    struct call_reader reader = {.probe = probe, .fn = fn, .ctx = ctx};
    uint64_t begin_ns = clock_monotonic_ns(probe->clock), end_ns;
    CLEANUP_FREE char *rows = NULL;
    const char *reason;
    int total;

    if (!iterator || !probe_concern_active(probe, CONCERN_REQUEST, &reason))
        return -ENOENT;
    note_pause(probe);
    reader.next_ns = expect_new_calls(probe, begin_ns);
    total = iterator_read(iterator, &rows, sizeof(struct call_row), on_call, &reader);
    if (total < 0)
        return total;
    end_ns = clock_monotonic_ns(probe->clock);
    if (reader.next_ns && reader.next_ns < end_ns + SCAN_REST * (end_ns - begin_ns))
        reader.next_ns = end_ns + SCAN_REST * (end_ns - begin_ns);
    *ret_next_ns = reader.next_ns;
    return total;
}
