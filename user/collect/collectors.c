#include "collect/collectors.h"
#include "collect/event_path.h"
#include <errno.h>
#include <stdlib.h>

#define COLLECTOR(name) &name##_collector,
static const struct collector *const table[] = {COLLECTOR_ROWS(COLLECTOR)};
#undef COLLECTOR

#define COLLECTOR_COUNT (sizeof(table) / sizeof(table[0]))

struct collectors {
    struct collector_env env;
    struct snapshot snapshot;
    void *state[COLLECTOR_COUNT]; /* NULL: not open */
    double seconds[COLLECTOR_COUNT];
    struct visibility_part found[VISIBILITY_PARTS], visibility[VISIBILITY_PARTS];
};

void collectors_destroy(struct collectors *collectors)
{
    if (!collectors)
        return;
    for (size_t i = COLLECTOR_COUNT; i-- > 0;) {
        if (!collectors->state[i])
            continue;
        table[i]->close(collectors->state[i]);
        free(collectors->state[i]);
    }
    cgroup_paths_destroy(collectors->env.cgroups);
    cgroup_paths_destroy(collectors->env.memory_cgroups);
    free(collectors);
}

int collectors_create(struct collectors **ret, const struct collector_env *env)
{
    struct collectors *c = calloc(1, sizeof(*c));

    if (!c)
        return -ENOMEM;
    c->env = *env;
    c->env.cgroups = NULL;
    c->env.memory_cgroups = NULL;
    if (cgroup_paths_create(&c->env.cgroups, env->host, CGROUP_UNIFIED) < 0 ||
        cgroup_paths_create(&c->env.memory_cgroups, env->host, CGROUP_MEMORY) < 0) {
        collectors_destroy(c);
        return -ENOMEM;
    }
    for (size_t i = 0; i < COLLECTOR_COUNT; i++) {
        void *state = calloc(1, table[i]->state_size);
        int err = state ? table[i]->open(state, &c->env) : -ENOMEM;

        if (err) {
            free(state);
            collectors_destroy(c);
            return err;
        }
        c->state[i] = state;
        c->seconds[i] = NAN;
    }
    visibility_find(env->host, c->found);
    visibility_now(c->found, &c->snapshot.disk, c->visibility);
    *ret = c;
    return 0;
}

struct snapshot *collectors_sample(struct collectors *collectors, uint64_t now_ns)
{
    const struct clock *clock = collectors->env.clock;
    uint64_t before = clock_monotonic_ns(clock);

    collectors->snapshot.monotonic_ns = now_ns;
    collectors->snapshot.realtime_ns = clock_realtime_ns(clock);
    for (size_t i = 0; i < COLLECTOR_COUNT; i++) {
        uint64_t after;

        table[i]->sample(collectors->state[i], now_ns, &collectors->snapshot);
        after = clock_monotonic_ns(clock);
        collectors->seconds[i] = (double)(after - before) / (double)NS_PER_SECOND;
        before = after;
    }
    visibility_now(collectors->found, &collectors->snapshot.disk, collectors->visibility);
    collectors->snapshot.sequence++;
    return &collectors->snapshot;
}

void collectors_record(struct collectors *collectors, const struct record_head *record)
{
    const struct clock *clock = collectors->env.clock;
    uint64_t now_ns = clock_monotonic_ns(clock), realtime_ns = clock_realtime_ns(clock);

    /* The record's age on the monotonic clock dates it on the other one. */
    if (record->time_ns < now_ns)
        realtime_ns -= now_ns - record->time_ns;
    for (size_t i = 0; i < COLLECTOR_COUNT; i++)
        if (table[i]->on_record)
            table[i]->on_record(collectors->state[i], record, realtime_ns);
}

void collectors_exit_cgroup(struct collectors *collectors, const struct record_exit *record,
                            char ret[CGROUP_PATH_BYTES])
{
    event_exit_path(ret, collectors->env.cgroups, record,
                    clock_monotonic_ns(collectors->env.clock));
}

void collectors_oom_cgroup(struct collectors *collectors, const struct record_oom *record,
                           char ret[CGROUP_PATH_BYTES])
{
    event_path(ret, collectors->env.memory_cgroups,
               record->limit_cgroup_id ? record->limit_cgroup_id : record->cgroup_id,
               clock_monotonic_ns(collectors->env.clock));
}

const struct snapshot *collectors_snapshot(const struct collectors *collectors)
{
    return &collectors->snapshot;
}

const struct visibility_part *collectors_visibility(const struct collectors *collectors)
{
    return collectors->visibility;
}

size_t collectors_count(void)
{
    return COLLECTOR_COUNT;
}

void collectors_view(const struct collectors *collectors, size_t index, struct collector_view *ret)
{
    *ret =
        (struct collector_view){.name = table[index]->name, .seconds = collectors->seconds[index]};
}
