/* Records from the kernel side worth keeping: OOM kills, abnormal exits, failed connects, stalls.
 */
#include "base/hash.h"
#include "collect/collector.h"
#include "collect/crash_counts.h"
#include "collect/event_list.h"
#include "collect/event_path.h"
#include "collect/oom_capsule.h"
#include <errno.h>
#include <string.h>

#define CRASHES_KEPT (EVENTS_KEPT / 2)
#define OOM_VICTIMS 16
/* The rest of a service that the OOM killer struck is killed by its manager, which waits for a stop
 * of 90 s first. */
#define OOM_AFTERMATH_NS (120 * NS_PER_SECOND)

struct oom_victim {
    uint64_t time_ns, cgroup_id; /* of the memory cgroup, another one's where version 1 has it */
    uint32_t pid;
};

struct event_state {
    const struct clock *clock;
    struct cgroup_paths *cgroups, *memory_cgroups; /* borrowed */
    struct event_list ooms, crashes, other_exits, connects_failed, stalls;
    struct crash exits[EVENTS_KEPT]; /* crashes and other exits by time */
    size_t exit_count;
    struct crash_counts *counts;
    uint64_t failures_total, kills_total; /* among the crashes */
    struct oom_victim victims[OOM_VICTIMS];
    size_t victim_count;
};

static void keep_oom(struct event_state *s, const struct record_head *head, uint64_t realtime_ns)
{
    struct oom_capsule *capsule = event_list_add(&s->ooms);

    capsule->number = s->ooms.total;
    capsule->realtime_ns = realtime_ns;
    capsule->record = *(const struct record_oom *)(const void *)head;
    s->victims[s->victim_count++ % OOM_VICTIMS] =
        (struct oom_victim){head->time_ns, capsule->record.cgroup_id, capsule->record.pid};
    oom_capsule_begin(capsule, s->memory_cgroups, clock_monotonic_ns(s->clock));
}

/* Who heads a cgroup stands for its service whatever it is called: an interpreter, or the manager's
 * own name before it has begun. A supervisor's children share one cgroup. */
static uint64_t identity_of(const struct record_exit *record, uint64_t cgroup)
{
    return exit_heads_service(record)
               ? cgroup
               : strong_bytes(cgroup, record->comm, strnlen(record->comm, COMM_BYTES));
}

static bool is_oom_aftermath(const struct event_state *s, const struct record_exit *record)
{
    for (size_t i = 0; i < s->victim_count && i < OOM_VICTIMS; i++) {
        const struct oom_victim *victim = &s->victims[i];

        if ((victim->pid == record->pid ||
             (victim->cgroup_id && victim->cgroup_id == record->cgroup_id)) &&
            record->head.time_ns < victim->time_ns + OOM_AFTERMATH_NS)
            return true;
    }
    return false;
}

/* Counted apart from failures: two stops that took too long and one failure are no loop. */
static bool is_kill_of_loop(struct event_state *s, struct crash *crash, uint64_t identity)
{
    if (crash->kind != ENDED_KILLED || !exit_by_kill(&crash->record) ||
        is_oom_aftermath(s, &crash->record))
        return false;
    crash_counts_add(s->counts, strong_string(identity, "killed"), crash);
    return crash->repeats >= KILL_LOOP_MIN;
}

static void keep_exit(struct event_state *s, const struct record_head *head, uint64_t realtime_ns)
{
    struct crash crash = {.realtime_ns = realtime_ns,
                          .record = *(const struct record_exit *)(const void *)head};
    const struct record_exit *record = &crash.record;
    uint64_t cgroup, identity;
    bool kill_of_loop, is_crash;
    struct event_list *list;

    crash.kind = exit_kind_of(record);
    cgroup = event_exit_path(crash.cgroup_path, s->cgroups, record, clock_monotonic_ns(s->clock));
    identity = identity_of(record, cgroup);
    kill_of_loop = is_kill_of_loop(s, &crash, identity);
    is_crash = crash.kind == ENDED_CRASHED || crash.kind == ENDED_FAILED;
    list = is_crash || kill_of_loop ? &s->crashes : &s->other_exits;
    s->failures_total += crash.kind == ENDED_FAILED;
    s->kills_total += kill_of_loop;
    if (is_crash || kill_of_loop)
        crash.number = list->total + 1;
    if (is_crash) {
        crash.repeats = 1;
        if (exit_may_loop(record))
            crash_counts_add(s->counts, identity, &crash);
    }
    *(struct crash *)event_list_add(list) = crash;
}

static void keep_connect_failed(struct event_state *s, const struct record_head *head,
                                uint64_t realtime_ns)
{
    struct connect_failed *failed = event_list_add(&s->connects_failed);

    failed->realtime_ns = realtime_ns;
    failed->record = *(const struct record_connect_failed *)(const void *)head;
}

static void keep_stall(struct event_state *s, const struct record_head *head, uint64_t realtime_ns)
{
    struct stall *stall = event_list_add(&s->stalls);

    stall->number = s->stalls.total;
    stall->realtime_ns = realtime_ns;
    stall->record = *(const struct record_stall *)(const void *)head;
    event_path(stall->cgroup_path, s->memory_cgroups, stall->record.cgroup_id,
               clock_monotonic_ns(s->clock));
}

static void event_on_record(void *state, const struct record_head *record, uint64_t realtime_ns)
{
    static void (*const keep[RECORD_TYPE_COUNT])(struct event_state *, const struct record_head *,
                                                 uint64_t) = {
        [RECORD_EXIT] = keep_exit,
        [RECORD_OOM] = keep_oom,
        [RECORD_STALL] = keep_stall,
        [RECORD_CONNECT_FAILED] = keep_connect_failed,
    };

    if (record->type < RECORD_TYPE_COUNT && keep[record->type])
        keep[record->type](state, record, realtime_ns);
}

static size_t shown(const struct event_list *list)
{
    return list->count < list->capacity ? list->count : list->capacity;
}

/* Both lists are newest first, and what they show fills `exits` at most. */
static size_t merge_exits(struct event_state *s)
{
    size_t count = 0, c = 0, o = 0, crashes = shown(&s->crashes), others = shown(&s->other_exits);

    while (c < crashes || o < others) {
        const struct crash *crash = c < crashes ? event_list_row(&s->crashes, c) : NULL;
        const struct crash *other = o < others ? event_list_row(&s->other_exits, o) : NULL;

        if (crash && (!other || crash->record.head.time_ns >= other->record.head.time_ns)) {
            s->exits[count++] = *crash;
            c++;
        } else if (other) {
            s->exits[count++] = *other;
            o++;
        }
    }
    return count;
}

static void event_sample(void *state, uint64_t now_ns, struct snapshot *snapshot)
{
    struct event_state *s = state;
    struct event_snapshot *e = &snapshot->events;
    size_t fresh = event_list_publish(&s->ooms);

    for (size_t i = 0; i < fresh; i++)
        oom_capsule_complete(event_list_row(&s->ooms, i), snapshot->process.tasks,
                             s->memory_cgroups, now_ns);
    event_list_publish(&s->crashes);
    event_list_publish(&s->other_exits);
    if (s->crashes.fresh + s->other_exits.fresh > 0)
        s->exit_count = merge_exits(s);
    event_list_publish(&s->connects_failed);
    event_list_publish(&s->stalls);

    e->ooms_total = (double)s->ooms.total;
    e->crashes_total = (double)(s->crashes.total - s->failures_total - s->kills_total);
    e->failures_total = (double)s->failures_total;
    e->abnormal_exits_total = (double)(s->crashes.total + s->other_exits.total);
    e->connects_failed_total = (double)s->connects_failed.total;
    e->stalls_total = (double)s->stalls.total;
    e->oom_count = shown(&s->ooms);
    e->exit_count = s->exit_count;
    e->connect_failed_count = shown(&s->connects_failed);
    e->stall_count = shown(&s->stalls);
    e->oom_rows = s->ooms.count;
    e->crash_rows = s->crashes.count;
    e->stall_rows = s->stalls.count;
    e->ooms = event_list_row(&s->ooms, 0);
    e->abnormal_exits = s->exits;
    e->crashes = event_list_row(&s->crashes, 0);
    e->connects_failed = event_list_row(&s->connects_failed, 0);
    e->stalls = event_list_row(&s->stalls, 0);
    e->crash_loop_count = crash_counts_loops(s->counts, now_ns, &e->crash_loops);
}

static void event_close(void *state)
{
    struct event_state *s = state;

    event_list_close(&s->ooms);
    event_list_close(&s->crashes);
    event_list_close(&s->other_exits);
    event_list_close(&s->connects_failed);
    event_list_close(&s->stalls);
    crash_counts_destroy(s->counts);
}

static int event_open(void *state, const struct collector_env *env)
{
    struct event_state *s = state;

    s->clock = env->clock;
    s->cgroups = env->cgroups;
    s->memory_cgroups = env->memory_cgroups;
    if (event_list_open(&s->ooms, sizeof(struct oom_capsule), EVENTS_KEPT, EVENT_BURST_MAX) == 0 &&
        event_list_open(&s->crashes, sizeof(struct crash), CRASHES_KEPT, EVENT_BURST_MAX) == 0 &&
        event_list_open(&s->other_exits, sizeof(struct crash), EVENTS_KEPT - CRASHES_KEPT,
                        EVENTS_KEPT - CRASHES_KEPT) == 0 &&
        event_list_open(&s->connects_failed, sizeof(struct connect_failed), EVENTS_KEPT,
                        EVENTS_KEPT) == 0 &&
        event_list_open(&s->stalls, sizeof(struct stall), EVENTS_KEPT, EVENT_BURST_MAX) == 0 &&
        crash_counts_create(&s->counts) == 0)
        return 0;
    event_close(s);
    return -ENOMEM;
}

const struct collector event_collector = {
    .name = "event",
    .state_size = sizeof(struct event_state),
    .open = event_open,
    .sample = event_sample,
    .on_record = event_on_record,
    .close = event_close,
};
