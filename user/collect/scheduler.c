/* Run queues, blocked time and reclaim: what bpf/runq and bpf/reclaim counted. */
#include "collect/cgroup_waits.h"
#include "collect/event_list.h"
#include "model/histogram.h"
#include "model/window.h"
#include "probe/map.h"
#include <errno.h>
#include <string.h>

/* Every tick, as long as copying the rows of all cgroups and CPUs takes a fraction of a
 * millisecond; beyond, more seldom. All figures of the section are then of the same moment: the
 * row `other` is a difference of them. */
#define VALUES_PER_TICK 2048
#define LARGE_INTERVAL_NS (5 * NS_PER_SECOND)

struct scheduler_state {
    struct probe *probe; /* NULL without BPF */
    struct cgroup_waits_table cgroups;
    struct latency_window recent_classes[PRIORITY_CLASS_COUNT], recent_blocked;
    uint64_t background_ns, background_at_ns; /* of the sample before; 0: none */
    uint64_t next_ns;                         /* not sampled before */
    double slow_waits_total;
    struct event_list slow_waits;
};

static int scheduler_open(void *state, const struct collector_env *env)
{
    struct scheduler_state *s = state;

    s->probe = env->probe;
    cgroup_waits_open(&s->cgroups, env);
    return event_list_open(&s->slow_waits, sizeof(struct slow_wait), SLOW_WAITS_KEPT,
                           SLOW_WAITS_KEPT);
}

static void scheduler_close(void *state)
{
    struct scheduler_state *s = state;

    event_list_close(&s->slow_waits);
    cgroup_waits_close(&s->cgroups);
}

static void add_stats(struct runq_stats *to, const struct runq_stats *from)
{
    to->on_cpu_ns += from->on_cpu_ns;
    to->switches_voluntary += from->switches_voluntary;
    to->switches_involuntary += from->switches_involuntary;
    latency_add(&to->delay, &from->delay);
}

static void on_class(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    struct runq_stats *classes = ctx;
    uint32_t class = *(const uint32_t *)key;

    if (class >= PRIORITY_CLASS_COUNT)
        return;
    for (unsigned cpu = 0; cpu < cpus; cpu++)
        add_stats(&classes[class], (const void *)((const char *)values + cpu * stride));
}

static const char *why_missing(const struct scheduler_state *s, enum probe_concern concern)
{
    const char *reason = "no BPF in this agent";

    return s->probe && probe_concern_active(s->probe, concern, &reason) ? NULL : reason;
}

static struct reading background_share(struct scheduler_state *s, uint64_t now_ns, size_t cpus,
                                       const struct runq_stats *classes)
{
    uint64_t before = s->background_ns, at_ns = s->background_at_ns;
    uint64_t now = classes[PRIORITY_LOW].on_cpu_ns + classes[PRIORITY_IDLE].on_cpu_ns;

    s->background_ns = now;
    s->background_at_ns = now_ns;
    if (!at_ns || at_ns == now_ns)
        return reading_missing("needs two samples");
    if (now < before)
        return reading_missing("the scheduler's counters began anew");
    if (!cpus)
        return reading_missing("the number of CPUs is not known");
    return reading_of(100 * (double)(now - before) / (double)(now_ns - at_ns) / (double)cpus);
}

static void sample_classes(struct scheduler_state *s, uint64_t now_ns, size_t cpus,
                           struct scheduler_snapshot *ret)
{
    struct runq_stats classes[PRIORITY_CLASS_COUNT] = {0};

    if (probe_map_for_each(s->probe, "runq_class", on_class, classes) < 0) {
        ret->missing = "the map runq_class could not be read";
        s->background_at_ns = 0;
        return;
    }
    memcpy(ret->classes, classes, sizeof(classes));
    ret->total = (struct runq_stats){0};
    ret->recent = (struct latency){0};
    ret->recent_foreground = (struct latency){0};
    for (int c = 0; c < PRIORITY_CLASS_COUNT; c++) {
        latency_window_update(&s->recent_classes[c], now_ns, &classes[c].delay,
                              &ret->recent_classes[c]);
        latency_add(&ret->recent, &ret->recent_classes[c]);
        if (c <= PRIORITY_NORMAL)
            latency_add(&ret->recent_foreground, &ret->recent_classes[c]);
        add_stats(&ret->total, &classes[c]);
    }
    ret->background_cpu_percent = background_share(s, now_ns, cpus, classes);
}

static void publish_slow_waits(struct scheduler_state *s, struct scheduler_snapshot *ret)
{
    event_list_publish(&s->slow_waits);
    ret->slow_waits_total = s->slow_waits_total;
    ret->slow_wait_count = s->slow_waits.count;
    memcpy(ret->slow_waits, s->slow_waits.rows, s->slow_waits.count * sizeof(struct slow_wait));
}

static void scheduler_sample(void *state, uint64_t now_ns, struct snapshot *snapshot)
{
    struct scheduler_state *s = state;
    struct scheduler_snapshot *ret = &snapshot->scheduler;
    struct cgroup_waits_table *cgroups = &s->cgroups;

    publish_slow_waits(s, ret);
    if (now_ns < s->next_ns)
        return;
    ret->missing = why_missing(s, CONCERN_RUNQ);
    ret->method = ret->missing ? NULL : probe_concern_method(s->probe, CONCERN_RUNQ);
    if (!ret->missing)
        sample_classes(s, now_ns, snapshot->cpu.core_count, ret);
    cgroups->missing = ret->missing;
    cgroups->reclaim_missing = why_missing(s, CONCERN_RECLAIM);
    cgroup_waits_sample(cgroups, now_ns);
    ret->blocked_missing = cgroups->missing;
    ret->reclaim_missing = cgroups->reclaim_missing;
    if (!ret->blocked_missing) {
        ret->blocked = cgroups->blocked;
        latency_window_update(&s->recent_blocked, now_ns, &ret->blocked, &ret->recent_blocked);
    }
    if (!ret->reclaim_missing)
        memcpy(ret->reclaim, cgroups->reclaim, sizeof(ret->reclaim));
    ret->cgroup_count = cgroups->count;
    ret->cgroups = cgroups->rows;
    s->next_ns = cgroups->values_read > VALUES_PER_TICK ? now_ns + LARGE_INTERVAL_NS : 0;
}

static void scheduler_on_record(void *state, const struct record_head *record, uint64_t realtime_ns)
{
    struct scheduler_state *s = state;
    const struct record_slow_wait *wait = (const struct record_slow_wait *)record;
    struct slow_wait *row;

    if (record->type != RECORD_SLOW_WAIT)
        return;
    s->slow_waits_total++;
    row = event_list_add(&s->slow_waits);
    row->realtime_ns = realtime_ns;
    row->wait_ns = wait->wait_ns;
    row->pid = wait->pid;
    row->running_pid = wait->running_pid;
    row->priority_class = (enum priority_class)wait->priority_class;
    memcpy(row->comm, wait->comm, sizeof(row->comm) - 1);
    memcpy(row->running_comm, wait->running_comm, sizeof(row->running_comm) - 1);
}

const struct collector scheduler_collector = {
    .name = "scheduler",
    .state_size = sizeof(struct scheduler_state),
    .open = scheduler_open,
    .sample = scheduler_sample,
    .on_record = scheduler_on_record,
    .close = scheduler_close,
};
