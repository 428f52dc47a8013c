/* A snapshot in which every section has content and no two figures are alike, so that an answer
 * tells which figure it was taken from. Its readings may be unknown instead. */
#ifndef TEST_RECORDED_FIGURES_H
#define TEST_RECORDED_FIGURES_H

#include "abi/reclaim.h"
#include "base/clock.h"
#include "model/snapshot.h"
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define FIGURES_MONOTONIC_NS (5000 * NS_PER_SECOND)
#define FIGURES_REALTIME_NS (1767225600 * NS_PER_SECOND) /* 2026-01-01 */

/* Ids of cgroups v2. */
enum { CGROUP_GONE = 1, CGROUP_OF_WEB, CGROUP_OF_API };

/* Where the figures come from: numbers that only rise. */
struct figure_source {
    unsigned last;
    const char *unknown; /* why all readings are, else NULL */
};

static inline uint64_t next_count(struct figure_source *f)
{
    return ++f->last;
}

/* Different at each number of decimals that a body may show. */
static inline double next_double(struct figure_source *f)
{
    return ++f->last + 0x1.a88p-2; /* .41455078125 */
}

/* No whole number of seconds, milliseconds or microseconds. */
static inline uint64_t next_ns(struct figure_source *f)
{
    return ++f->last * 1000003003ULL;
}

static inline struct reading next_reading(struct figure_source *f)
{
    double value = next_double(f);

    return f->unknown ? reading_missing(f->unknown) : reading_of(value);
}

/* Readings that stand side by side, from the first to the last of them; so do the counters. */
static inline void fill_readings(struct figure_source *f, struct reading *first,
                                 const struct reading *last)
{
    for (size_t i = 0; i <= (size_t)(last - first); i++)
        first[i] = next_reading(f);
}

static inline void fill_counts(struct figure_source *f, uint64_t *first, const uint64_t *last)
{
    for (size_t i = 0; i <= (size_t)(last - first); i++)
        first[i] = next_count(f);
}

static inline void fill_doubles(struct figure_source *f, double *first, const double *last)
{
    for (size_t i = 0; i <= (size_t)(last - first); i++)
        first[i] = next_double(f);
}

/* Some slots in use, the last one too, which has no upper bound. */
static inline void fill_latency(struct figure_source *f, struct latency *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (unsigned i = 0; i < 6; i++) {
        unsigned slot = i == 5 && f->last % 2 ? SLOT_COUNT - 1 : (f->last + 5 * i) % SLOT_COUNT;
        uint64_t count = next_count(f);

        ret->slots[slot] += count;
        ret->count += count;
    }
    ret->sum_ns = next_ns(f);
}

static inline void fill_fine_latency(struct figure_source *f, struct fine_latency *ret)
{
    memset(ret, 0, sizeof(*ret));
    for (unsigned i = 0; i < 6; i++) {
        uint64_t count = next_count(f);

        ret->slots[(f->last * 7) % FINE_SLOT_COUNT] += count;
        ret->count += count;
    }
    ret->sum_ns = next_ns(f);
}

struct figures {
    struct snapshot snapshot;
    struct cpu_core cores[2];
    struct cpu_throttle throttles[2];
    struct cgroup_cpu cgroup_cpus[2];
    struct filesystem filesystems[FILESYSTEM_FAULT_COUNT];
    struct block_device devices[2];
    struct interface interfaces[2];
    struct listener listeners[2];
    struct tcp_port ports[2 * TCP_ROLE_COUNT];
    struct process_files files_of[2];
    struct cgroup_pids cgroup_pids[2];
    struct cgroup_lifecycle lifecycles[3];
    struct cgroup_waits waits[3];
    struct oom_capsule ooms[2];
    struct crash crashes[ENDED_KIND_COUNT];
    struct crash_loop loops[1];
    struct connect_failed connects[CONNECT_FAILURE_COUNT];
    struct stall stalls[RECLAIM_KIND_COUNT];
};

#define ROWS(array) (sizeof(array) / sizeof((array)[0]))
#define NAME(array, ...) snprintf((array), sizeof(array), __VA_ARGS__)

static inline void fill_cpu_times(struct figure_source *f, struct cpu_times *times)
{
    fill_doubles(f, &times->seconds_total[0], &times->seconds_total[CPU_MODE_COUNT - 1]);
    fill_readings(f, &times->percent[0], &times->usage_percent);
}

static inline void fill_cpu(struct figure_source *f, struct figures *to)
{
    struct snapshot *s = &to->snapshot;

    fill_cpu_times(f, &s->cpu.total);
    for (unsigned i = 0; i < ROWS(to->cores); i++) {
        to->cores[i].id = i;
        fill_cpu_times(f, &to->cores[i].times);
    }
    s->cpu.cores = to->cores;
    s->cpu.core_count = ROWS(to->cores);
    fill_readings(f, &s->cpu.load1, &s->cpu.boot_time_seconds);
    for (unsigned i = 0; i < ROWS(to->throttles); i++) {
        struct cpu_throttle *row = &to->throttles[i];

        NAME(row->path, "/throttled.slice/%u.service", i);
        fill_doubles(f, &row->periods_total, &row->throttled_seconds_total);
        row->throttled_percent = next_reading(f);
    }
    s->throttle = (struct throttle_snapshot){NULL, 2, ROWS(to->throttles), to->throttles};
    for (unsigned i = 0; i < ROWS(to->cgroup_cpus); i++) {
        NAME(to->cgroup_cpus[i].path, "/busy.slice/%u.service", i);
        to->cgroup_cpus[i].cpu_percent = next_double(f);
    }
    s->cgroup_cpu = (struct cgroup_cpu_snapshot){NULL, ROWS(to->cgroup_cpus), to->cgroup_cpus};
}

static inline void fill_memory(struct figure_source *f, struct figures *to)
{
    struct memory_snapshot *memory = &to->snapshot.memory;

    fill_readings(f, &memory->total_bytes, &memory->major_faults_total);
}

static inline void fill_filesystem(struct figure_source *f, struct filesystem *fs, unsigned index)
{
    NAME(fs->mount, index ? "/srv/%u" : "/", index);
    NAME(fs->device, "/dev/sda%u", index);
    NAME(fs->type, index == 1 ? "tmpfs" : "ext%u", index);
    fs->fault = (enum filesystem_fault)index;
    fs->read_only = index == FILESYSTEM_TURNED || index == FILESYSTEM_STOPPED;
    fs->on_device = index != 1;
    fs->errors = next_count(f);
    fill_readings(f, &fs->size_bytes, &fs->full_in_seconds);
}

static inline void fill_device(struct figure_source *f, struct block_device *device, unsigned index)
{
    NAME(device->name, "sd%c", (char)('a' + index));
    device->device = 8 << 20 | 16 * index;
    device->physical = index == 0;
    fill_doubles(f, &device->reads_total, &device->io_seconds_total);
    fill_readings(f, &device->busy_percent, &device->in_flight);
    device->traced = index == 0;
    for (int op = 0; op < BLKIO_OP_COUNT; op++) {
        fill_latency(f, &device->ops[op].latency);
        device->ops[op].bytes = next_count(f);
        device->ops[op].errors = next_count(f);
        fill_latency(f, &device->recent[op]);
    }
}

static inline void fill_disk(struct figure_source *f, struct figures *to)
{
    struct disk_snapshot *disk = &to->snapshot.disk;

    for (unsigned i = 0; i < ROWS(to->filesystems); i++)
        fill_filesystem(f, &to->filesystems[i], i);
    for (unsigned i = 0; i < ROWS(to->devices); i++)
        fill_device(f, &to->devices[i], i);
    *disk = (struct disk_snapshot){
        .filesystem_count = ROWS(to->filesystems),
        .filesystems = to->filesystems,
        .filesystems_omitted = next_count(f),
        .device_count = ROWS(to->devices),
        .devices = to->devices,
        .devices_omitted = next_count(f),
    };
}

static inline void fill_port(struct figure_source *f, struct tcp_port *port)
{
    struct tcp_stats *stats = &port->stats;

    fill_latency(f, &stats->connect);
    fill_latency(f, &stats->lifetime);
    fill_latency(f, &stats->rtt);
    for (int i = 0; i < CONNECT_FAILURE_COUNT; i++)
        stats->connects_failed[i] = next_count(f);
    stats->opened = next_count(f);
    stats->closed = next_count(f);
    stats->bytes_sent = next_count(f);
    stats->bytes_received = next_count(f);
    stats->retransmits = next_count(f);
    stats->resets_sent = next_count(f);
    stats->resets_received = next_count(f);
}

static inline void fill_network(struct figure_source *f, struct figures *to)
{
    static const struct tcp_key keys[] = {
        {443, TCP_CLIENT}, {0, TCP_CLIENT}, {8080, TCP_SERVER}, {0, TCP_SERVER}};
    struct network_snapshot *network = &to->snapshot.network;

    for (unsigned i = 0; i < ROWS(to->interfaces); i++) {
        struct interface *row = &to->interfaces[i];

        NAME(row->name, i ? "veth%u" : "eth%u", i);
        row->physical = i == 0;
        fill_doubles(f, &row->received_bytes_total, &row->send_drops_total);
        fill_readings(f, &row->received_bytes_per_second, &row->sent_bytes_per_second);
    }
    for (unsigned i = 0; i < ROWS(to->listeners); i++) {
        struct listener *row = &to->listeners[i];

        row->port = 8000 + i;
        fill_doubles(f, &row->queue, &row->drops_total);
        row->drop_ns = FIGURES_MONOTONIC_NS - NS_PER_SECOND;
        if (i == 0)
            NAME(row->cgroup, "/system.slice/listener.service");
    }
    for (unsigned i = 0; i < ROWS(to->ports); i++) {
        to->ports[i].key = keys[i];
        fill_port(f, &to->ports[i]);
    }
    network->interfaces = to->interfaces;
    network->interface_count = ROWS(to->interfaces);
    fill_readings(f, &network->conntrack_entries, &network->listen_drops_total);
    network->listeners = to->listeners;
    network->listener_count = ROWS(to->listeners);
    network->ports = to->ports;
    network->port_count = ROWS(to->ports);
}

static inline void fill_pressure(struct figure_source *f, struct figures *to)
{
    for (int r = 0; r < PRESSURE_RESOURCE_COUNT; r++) {
        struct pressure *pressure = &to->snapshot.pressure.resource[r];

        fill_readings(f, &pressure->some.avg10_percent, &pressure->some.seconds_total);
        fill_readings(f, &pressure->full.avg10_percent, &pressure->full.seconds_total);
        pressure->triggers_total = next_double(f);
    }
}

static inline void fill_process(struct figure_source *f, struct process_row *row)
{
    row->pid = (uint32_t)next_count(f);
    row->ppid = (uint32_t)next_count(f);
    row->thread_count = (uint32_t)next_count(f);
    NAME(row->comm, "task%u", row->pid);
    row->cgroup_id = next_count(f);
    row->start_boot_ns = next_ns(f);
    row->priority_class = (enum priority_class)(f->last % PRIORITY_CLASS_COUNT);
    row->oom_score_adj = -(int)next_count(f);
    row->rss_bytes = next_count(f);
    row->swap_bytes = next_count(f);
    fill_readings(f, &row->rss_bytes_per_second, &row->written_bytes_per_second);
}

static inline void fill_process_rows(struct figure_source *f, struct figures *to)
{
    struct process_snapshot *p = &to->snapshot.process;

    p->short_count = 2;
    p->stuck_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        struct short_processes_row *brief = &p->short_processes[i];
        struct stuck_task *stuck = &p->stuck[i];

        NAME(brief->comm, i ? "" : "cc1");
        brief->cgroup_id = next_count(f);
        NAME(brief->cgroup_path, i ? "" : "/build.slice");
        fill_doubles(f, &brief->processes_per_second, &brief->cpu_percent);
        stuck->pid = (uint32_t)next_count(f);
        stuck->tgid = (uint32_t)next_count(f);
        NAME(stuck->comm, "stuck%u", i);
        stuck->cgroup_id = next_count(f);
        stuck->since_ns = next_ns(f);
        stuck->seconds = next_double(f);
        NAME(stuck->wait_channel, i ? "" : "folio_wait_bit");
        to->files_of[i].pid = (uint32_t)next_count(f);
        NAME(to->files_of[i].comm, "files%u", i);
        fill_doubles(f, &to->files_of[i].open, &to->files_of[i].usage_percent);
        NAME(to->cgroup_pids[i].path, "/pids.slice/%u", i);
        fill_doubles(f, &to->cgroup_pids[i].current, &to->cgroup_pids[i].refused_total);
        to->cgroup_pids[i].refused_ns = FIGURES_MONOTONIC_NS - NS_PER_SECOND;
    }
    p->files_of = to->files_of;
    p->files_of_count = ROWS(to->files_of);
    p->cgroup_pids = to->cgroup_pids;
    p->cgroup_pids_count = ROWS(to->cgroup_pids);
}

static inline void fill_stats(struct figure_source *f, struct process_stats *stats)
{
    stats->forks = next_count(f);
    stats->execs = next_count(f);
    stats->exits = next_count(f);
    stats->exits_abnormal = next_count(f);
    stats->exits_by_signal = next_count(f);
}

static inline void fill_processes(struct figure_source *f, struct figures *to)
{
    static const struct cgroup_lifecycle cgroups[] = {
        {.cgroup_id = CGROUP_OF_API, .path = "/web.slice/api.service"},
        {.cgroup_id = CGROUP_GONE},
        {.cgroup_id = 0},
    };
    struct process_snapshot *p = &to->snapshot.process;

    fill_readings(f, &p->processes, &p->files_usage_percent);
    p->top_taken_ns = FIGURES_MONOTONIC_NS - NS_PER_SECOND;
    p->top_seconds = next_double(f);
    for (int order = 0; order < TOP_ORDER_COUNT; order++) {
        p->top_count[order] = 2;
        for (size_t i = 0; i < p->top_count[order]; i++)
            fill_process(f, &p->top[order][i]);
    }
    /* In cgroups that have a path: among those that wait, and among those that fork. */
    p->top[TOP_CPU][0].cgroup_id = CGROUP_OF_WEB;
    p->top[TOP_CPU][1].cgroup_id = CGROUP_OF_API;
    fill_process_rows(f, to);
    fill_stats(f, &p->lifecycle);
    p->forks_per_second = next_reading(f);
    for (unsigned i = 0; i < ROWS(to->lifecycles); i++) {
        to->lifecycles[i] = cgroups[i];
        fill_stats(f, &to->lifecycles[i].stats);
    }
    p->lifecycle_cgroups = to->lifecycles;
    p->lifecycle_cgroup_count = ROWS(to->lifecycles);
}

#endif
