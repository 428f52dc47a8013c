/* The rest of the made-up snapshot: the scheduler, and one event of each kind. */
#ifndef TEST_RECORDED_EVENTS_H
#define TEST_RECORDED_EVENTS_H

#include "abi/exit.h"
#include "recorded_figures.h"
#include <netinet/in.h>

static inline void fill_runq(struct figure_source *f, struct runq_stats *stats)
{
    stats->on_cpu_ns = next_ns(f);
    stats->switches_voluntary = next_count(f);
    stats->switches_involuntary = next_count(f);
    fill_latency(f, &stats->delay);
}

static inline void fill_slow_wait(struct figure_source *f, struct slow_wait *wait, unsigned index)
{
    wait->realtime_ns = FIGURES_REALTIME_NS - next_ns(f);
    wait->wait_ns = next_ns(f);
    wait->pid = (uint32_t)next_count(f);
    wait->running_pid = (uint32_t)next_count(f);
    wait->priority_class = (enum priority_class)index;
    NAME(wait->comm, "waiter%u", index);
    NAME(wait->running_comm, "runner%u", index);
}

static inline void fill_scheduler(struct figure_source *f, struct figures *to)
{
    /* A cgroup that is there, one that is gone, and the rest. */
    static const struct cgroup_waits cgroups[] = {
        {.cgroup_id = CGROUP_OF_WEB, .path = "/web.slice/web.service"},
        {.cgroup_id = CGROUP_GONE},
        {.cgroup_id = 0},
    };
    struct scheduler_snapshot *s = &to->snapshot.scheduler;

    s->method = "rq-clock";
    for (int c = 0; c < PRIORITY_CLASS_COUNT; c++) {
        fill_runq(f, &s->classes[c]);
        fill_latency(f, &s->recent_classes[c]);
    }
    fill_runq(f, &s->total);
    fill_latency(f, &s->recent);
    fill_latency(f, &s->recent_foreground);
    s->background_cpu_percent = next_reading(f);
    fill_latency(f, &s->blocked);
    fill_latency(f, &s->recent_blocked);
    for (int kind = 0; kind < RECLAIM_KIND_COUNT; kind++)
        fill_latency(f, &s->reclaim[kind]);
    for (unsigned i = 0; i < ROWS(to->waits); i++) {
        to->waits[i] = cgroups[i];
        fill_latency(f, &to->waits[i].delay);
        fill_latency(f, &to->waits[i].blocked);
        fill_latency(f, &to->waits[i].reclaim);
    }
    s->cgroups = to->waits;
    s->cgroup_count = ROWS(to->waits);
    s->slow_waits_total = next_double(f);
    s->slow_wait_count = PRIORITY_CLASS_COUNT;
    for (unsigned i = 0; i < s->slow_wait_count; i++)
        fill_slow_wait(f, &s->slow_waits[i], i);
}

static inline void fill_oom(struct figure_source *f, struct oom_capsule *oom, unsigned index)
{
    struct record_oom *record = &oom->record;

    oom->realtime_ns = FIGURES_REALTIME_NS - next_ns(f);
    oom->number = next_count(f);
    record->cgroup_id = next_count(f);
    record->limit_cgroup_id = index == 0 ? next_count(f) : 0;
    record->limit_bytes = index == 0 ? next_count(f) : 0;
    record->total_vm_bytes = next_count(f);
    record->anon_rss_bytes = next_count(f);
    record->file_rss_bytes = next_count(f);
    record->pid = (uint32_t)next_count(f);
    record->uid = (uint32_t)next_count(f);
    record->oom_score_adj = (int)next_count(f);
    NAME(record->comm, "victim%u", index);
    oom->global = index == 1;
    if (index == 0) {
        NAME(oom->cgroup_path, "/web.slice/web.service");
        NAME(oom->limit_path, "/web.slice");
    }
    oom->snapshot_age_ns = next_ns(f);
    oom->top_count = 2;
    for (size_t i = 0; i < oom->top_count; i++)
        fill_process(f, &oom->top[i]);
}

static inline void fill_crash(struct figure_source *f, struct crash *crash, unsigned index)
{
    struct record_exit *record = &crash->record;

    crash->realtime_ns = FIGURES_REALTIME_NS - next_ns(f);
    crash->kind = (enum exit_kind)index;
    crash->number = next_count(f);
    crash->repeats = (uint32_t)next_count(f);
    record->cgroup_id = next_count(f);
    record->age_ns = next_ns(f);
    record->pid = (uint32_t)next_count(f);
    record->ppid = (uint32_t)next_count(f);
    record->signal = crash->kind == ENDED_CRASHED ? 11 : crash->kind == ENDED_KILLED ? 9 : 0;
    record->status = record->signal ? 0 : (uint32_t)next_count(f) % 100;
    record->facts = index == 0 ? EXIT_HEADS_CGROUP : 0;
    NAME(record->comm, "ended%u", index);
    NAME(record->parent_comm, "parent%u", index);
    if (index < 2)
        NAME(crash->cgroup_path, "/web.slice/ended%u.service", index);
}

static inline void fill_connect(struct figure_source *f, struct connect_failed *to, unsigned index)
{
    struct record_connect_failed *record = &to->record;

    to->realtime_ns = FIGURES_REALTIME_NS - next_ns(f);
    record->cgroup_id = next_count(f);
    record->elapsed_ns = next_ns(f);
    record->pid = index == 2 ? 0 : (uint32_t)next_count(f);
    record->reason = index;
    record->family = index % 2 ? AF_INET6 : AF_INET;
    record->remote_port = (uint16_t)next_count(f);
    record->error = index == 3 ? 0 : 111;
    for (unsigned i = 0; i < sizeof(record->remote_addr); i++)
        record->remote_addr[i] = (uint8_t)(16 * index + i);
    NAME(record->comm, "caller%u", index);
}

static inline void fill_stall(struct figure_source *f, struct stall *stall, unsigned index)
{
    stall->realtime_ns = FIGURES_REALTIME_NS - next_ns(f);
    stall->number = next_count(f);
    stall->record.stall_ns = next_ns(f);
    stall->record.cgroup_id = next_count(f);
    stall->record.pid = (uint32_t)next_count(f);
    stall->record.tgid = (uint32_t)next_count(f);
    stall->record.kind = index;
    NAME(stall->record.comm, "stalled%u", index);
    if (index == 0)
        NAME(stall->cgroup_path, "/web.slice/stalled.service");
}

static inline void fill_events(struct figure_source *f, struct figures *to)
{
    struct event_snapshot *events = &to->snapshot.events;

    for (unsigned i = 0; i < ROWS(to->ooms); i++)
        fill_oom(f, &to->ooms[i], i);
    for (unsigned i = 0; i < ROWS(to->crashes); i++)
        fill_crash(f, &to->crashes[i], i);
    for (unsigned i = 0; i < ROWS(to->connects); i++)
        fill_connect(f, &to->connects[i], i);
    for (unsigned i = 0; i < ROWS(to->stalls); i++)
        fill_stall(f, &to->stalls[i], i);
    to->loops[0] = (struct crash_loop){to->crashes[0], (uint32_t)next_count(f)};
    fill_doubles(f, &events->ooms_total, &events->stalls_total);
    events->ooms = to->ooms;
    events->oom_count = events->oom_rows = ROWS(to->ooms);
    events->abnormal_exits = events->crashes = to->crashes;
    events->exit_count = ROWS(to->crashes);
    events->crash_rows = 2; /* that crashed and failed, which come first */
    events->crash_loops = to->loops;
    events->crash_loop_count = ROWS(to->loops);
    events->connects_failed = to->connects;
    events->connect_failed_count = ROWS(to->connects);
    events->stalls = to->stalls;
    events->stall_count = events->stall_rows = ROWS(to->stalls);
}

/* All of it; `unknown`: why no reading is known, else NULL. What was there before is forgotten. */
static inline void fill_figures(struct figures *to, const char *unknown)
{
    struct figure_source f = {.unknown = unknown};

    memset(to, 0, sizeof(*to));
    to->snapshot.sequence = next_count(&f);
    to->snapshot.monotonic_ns = FIGURES_MONOTONIC_NS;
    to->snapshot.realtime_ns = FIGURES_REALTIME_NS;
    fill_cpu(&f, to);
    fill_memory(&f, to);
    fill_disk(&f, to);
    fill_network(&f, to);
    fill_pressure(&f, to);
    fill_processes(&f, to);
    fill_scheduler(&f, to);
    fill_events(&f, to);
    /* What came later comes last: the values before it stay what they were recorded with. */
    fill_readings(&f, &to->snapshot.network.sockets_used, &to->snapshot.network.udp_memory_bytes);
}

/* Each section is missing for a reason of its own. */
static inline void lose_sections(struct figures *figures)
{
    struct snapshot *s = &figures->snapshot;

    s->cpu.missing = "no CPU figures";
    s->throttle.missing = "no quotas";
    s->cgroup_cpu.missing = "no cgroup CPU";
    s->memory.missing = "no memory figures";
    s->disk = (struct disk_snapshot){.missing = "no filesystems",
                                     .unseen = "disks are not seen",
                                     .devices_missing = "no devices",
                                     .traced_missing = "no block tracing"};
    s->network.missing = "no network";
    s->network.interfaces_missing = "no interfaces";
    s->network.listeners_missing = "no listeners";
    s->network.ports_missing = "no ports";
    s->pressure.missing = "no pressure";
    s->pressure.triggers_missing = "no triggers";
    s->process.top_missing = "no task snapshot";
    s->process.short_missing = "no short processes";
    s->process.files_of_missing = "no open files";
    s->process.cgroup_pids_missing = "no limits of tasks";
    s->process.lifecycle_missing = "no forks";
    s->scheduler.missing = "no run queues";
    s->scheduler.blocked_missing = "no sleeps";
    for (unsigned i = 0; i < ROWS(figures->waits); i++)
        figures->waits[i].missing = figures->waits[i].reclaim_missing = "no waits";
    s->scheduler.reclaim_missing = "no reclaim";
}

#endif
