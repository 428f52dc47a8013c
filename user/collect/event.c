/* Records from the kernel side worth keeping: OOM kills, abnormal exits, failed connects, stalls.
 */
#include "collect/collector.h"
#include "collect/event_list.h"
#include "collect/oom_capsule.h"
#include <errno.h>

#define CRASHES_KEPT (EVENTS_KEPT / 2)

struct event_state {
    const struct clock *clock;
    struct cgroup_paths *cgroups, *memory_cgroups; /* borrowed */
    struct event_list ooms, crashes, other_exits, connects_failed, stalls;
    struct crash exits[EVENTS_KEPT]; /* crashes and other exits by time */
    double ooms_total, crashes_total, abnormal_exits_total, connects_failed_total, stalls_total;
};

static void keep_oom(struct event_state *s, const struct record_head *head, uint64_t realtime_ns)
{
    struct oom_capsule *capsule = event_list_add(&s->ooms);

    s->ooms_total++;
    capsule->realtime_ns = realtime_ns;
    capsule->record = *(const struct record_oom *)(const void *)head;
    oom_capsule_begin(capsule, s->memory_cgroups, clock_monotonic_ns(s->clock));
}

static void keep_exit(struct event_state *s, const struct record_head *head, uint64_t realtime_ns)
{
    const struct record_exit *record = (const void *)head;
    bool is_crash = signal_is_crash(record->signal);
    struct crash *crash = event_list_add(is_crash ? &s->crashes : &s->other_exits);

    s->abnormal_exits_total++;
    s->crashes_total += is_crash;
    crash->realtime_ns = realtime_ns;
    crash->record = *record;
    event_path(crash->cgroup_path, s->cgroups, record->cgroup_id, clock_monotonic_ns(s->clock));
}

static void keep_connect_failed(struct event_state *s, const struct record_head *head,
                                uint64_t realtime_ns)
{
    struct connect_failed *failed = event_list_add(&s->connects_failed);

    s->connects_failed_total++;
    failed->realtime_ns = realtime_ns;
    failed->record = *(const struct record_connect_failed *)(const void *)head;
}

static void keep_stall(struct event_state *s, const struct record_head *head, uint64_t realtime_ns)
{
    struct stall *stall = event_list_add(&s->stalls);

    s->stalls_total++;
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

/* Both lists are newest first, and together they fill `exits` at most. */
static size_t merge_exits(struct event_state *s)
{
    size_t count = 0, c = 0, o = 0;

    while (c < s->crashes.count || o < s->other_exits.count) {
        const struct crash *crash = c < s->crashes.count ? event_list_row(&s->crashes, c) : NULL;
        const struct crash *other =
            o < s->other_exits.count ? event_list_row(&s->other_exits, o) : NULL;

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
    if (event_list_publish(&s->crashes) + event_list_publish(&s->other_exits) > 0)
        e->crash_count = merge_exits(s);
    event_list_publish(&s->connects_failed);
    event_list_publish(&s->stalls);

    e->ooms_total = s->ooms_total;
    e->crashes_total = s->crashes_total;
    e->abnormal_exits_total = s->abnormal_exits_total;
    e->connects_failed_total = s->connects_failed_total;
    e->stalls_total = s->stalls_total;
    e->oom_count = s->ooms.count;
    e->connect_failed_count = s->connects_failed.count;
    e->stall_count = s->stalls.count;
    e->ooms = event_list_row(&s->ooms, 0);
    e->crashes = s->exits;
    e->connects_failed = event_list_row(&s->connects_failed, 0);
    e->stalls = event_list_row(&s->stalls, 0);
}

static void event_close(void *state)
{
    struct event_state *s = state;

    event_list_close(&s->ooms);
    event_list_close(&s->crashes);
    event_list_close(&s->other_exits);
    event_list_close(&s->connects_failed);
    event_list_close(&s->stalls);
}

static int event_open(void *state, const struct collector_env *env)
{
    struct event_state *s = state;

    s->clock = env->clock;
    s->cgroups = env->cgroups;
    s->memory_cgroups = env->memory_cgroups;
    if (event_list_open(&s->ooms, sizeof(struct oom_capsule), EVENTS_KEPT) == 0 &&
        event_list_open(&s->crashes, sizeof(struct crash), CRASHES_KEPT) == 0 &&
        event_list_open(&s->other_exits, sizeof(struct crash), EVENTS_KEPT - CRASHES_KEPT) == 0 &&
        event_list_open(&s->connects_failed, sizeof(struct connect_failed), EVENTS_KEPT) == 0 &&
        event_list_open(&s->stalls, sizeof(struct stall), EVENTS_KEPT) == 0)
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
