#include "model/task_table.h"
#include "base/top.h"
#include "model/rss_history.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_FIRST 256
#define ANCESTORS_MAX 32
#define INIT_PID 1
/* A snapshot lasts milliseconds: what ended in it is waited for by the next. */
#define AHEAD_SNAPSHOTS 2
#define KNOWS_BLOCKED (1u << 31) /* beside enum task_known, which is the kernel side's */

struct task_sums {
    uint64_t on_cpu_ns, run_delay_ns, blocked_ns, read_bytes, written_bytes;
    uint64_t short_children_ns; /* see count_short_children() */
};

struct task_entry {
    uint32_t pid, ppid;
    uint32_t thread_count;
    uint32_t snapshot; /* the last one that it was seen in */
    uint32_t known;    /* enum task_known, KNOWS_BLOCKED */
    enum priority_class priority_class;
    int oom_score_adj;
    char comm[COMM_BYTES];
    uint64_t cgroup_id, memory_cgroup_id;
    uint64_t start_boot_ns;
    uint64_t rss_bytes, swap_bytes;
    uint64_t seen_ns;
    uint64_t before_ns; /* 0: not seen before */
    struct task_sums sums, before;
    bool was_threaded;         /* when `before` was taken */
    uint64_t children_cpu_ns;  /* of all that were waited for */
    uint64_t seen_children_ns; /* of them, what was seen while they lived */
    unsigned ahead;            /* snapshots in which the latter ran ahead */
    struct rss_history rss;
};

struct task_table {
    struct task_entry *entries;
    size_t count, capacity;
    uint32_t *slots; /* open addressing by pid: entry number + 1, 0 for free */
    size_t slot_mask;
    uint32_t snapshot;
    uint64_t now_ns;
    uint64_t interval_began_ns; /* when `before` was last taken over */
    uint64_t before_ns; /* when the `before` of those that are still there was taken; 0: never */
    uint64_t newest_boot_ns, newest_before_ns; /* start of the youngest seen; in former snapshots */
    bool new_interval;
    bool blocked_known;
    unsigned cpus;
    bool incomplete;
    size_t processes, threads;
    struct task_entry *last; /* rows of one process mostly follow each other */
};

/* Fibonacci hashing: pids are dense, and neighbours land far apart. */
static size_t slot_of(const struct task_table *t, uint32_t pid)
{
    return (uint32_t)(pid * 2654435769u) >> 8 & t->slot_mask;
}

static void insert_slot(struct task_table *t, size_t entry)
{
    size_t slot = slot_of(t, t->entries[entry].pid);

    while (t->slots[slot])
        slot = (slot + 1) & t->slot_mask;
    t->slots[slot] = (uint32_t)entry + 1;
}

static void rebuild_slots(struct task_table *t)
{
    memset(t->slots, 0, (t->slot_mask + 1) * sizeof(*t->slots));
    for (size_t i = 0; i < t->count; i++)
        insert_slot(t, i);
}

static struct task_entry *find(const struct task_table *t, uint32_t pid)
{
    for (size_t slot = slot_of(t, pid); t->slots[slot]; slot = (slot + 1) & t->slot_mask)
        if (t->entries[t->slots[slot] - 1].pid == pid)
            return &t->entries[t->slots[slot] - 1];
    return NULL;
}

/* Twice as many slots as entries keep the probing short. */
static int resize(struct task_table *t, size_t capacity)
{
    struct task_entry *entries = realloc(t->entries, capacity * sizeof(*entries));
    uint32_t *slots;

    if (!entries)
        return -ENOMEM;
    t->entries = entries;
    slots = realloc(t->slots, 2 * capacity * sizeof(*slots));
    if (!slots)
        return -ENOMEM;
    t->slots = slots;
    t->slot_mask = 2 * capacity - 1;
    t->capacity = capacity;
    rebuild_slots(t);
    return 0;
}

int task_table_create(struct task_table **ret)
{
    struct task_table *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    if (resize(t, ENTRIES_FIRST) < 0) {
        task_table_destroy(t);
        return -ENOMEM;
    }
    *ret = t;
    return 0;
}

void task_table_destroy(struct task_table *table)
{
    if (!table)
        return;
    free(table->entries);
    free(table->slots);
    free(table);
}

void task_table_begin(struct task_table *t, uint64_t now_ns, bool blocked_known, unsigned cpus)
{
    t->cpus = cpus;
    t->snapshot++;
    t->new_interval = now_ns - t->interval_began_ns >= TASK_TABLE_INTERVAL_MIN_NS;
    if (t->new_interval)
        t->before_ns = t->now_ns;
    t->newest_before_ns = t->newest_boot_ns;
    t->now_ns = now_ns;
    if (t->new_interval)
        t->interval_began_ns = now_ns;
    t->blocked_known = blocked_known;
    t->incomplete = false;
    t->processes = 0;
    t->threads = 0;
    t->last = NULL;
}

static struct task_entry *new_entry(struct task_table *t, uint32_t pid)
{
    struct task_entry *e;

    if (t->count == t->capacity && resize(t, 2 * t->capacity) < 0)
        return NULL;
    e = &t->entries[t->count];
    memset(e, 0, sizeof(*e));
    e->pid = pid;
    insert_slot(t, t->count++);
    return e;
}

/* The first row of a process in this snapshot: what was summed before becomes the past. */
static void begin_entry(struct task_table *t, struct task_entry *e)
{
    if (t->new_interval && e->snapshot) {
        e->before = e->sums;
        e->before_ns = e->seen_ns;
        e->was_threaded = e->thread_count > 1;
    }
    e->sums = (struct task_sums){.short_children_ns = e->sums.short_children_ns};
    e->rss_bytes = 0;
    e->swap_bytes = 0;
    e->thread_count = 0;
    e->snapshot = t->snapshot;
    e->seen_ns = t->now_ns;
    t->processes++;
}

/* A process has one comm, start time and so on: those of its first thread. */
static void describe_entry(struct task_table *t, struct task_entry *e, const struct task_row *row)
{
    if (e->start_boot_ns != row->start_boot_ns) {
        /* Younger than all that were there: what it took it took since. */
        e->before = (struct task_sums){0};
        e->before_ns = row->start_boot_ns > t->newest_before_ns ? t->before_ns : 0;
        e->was_threaded = false;
        e->sums.short_children_ns = 0;
        e->seen_children_ns = 0;
        e->ahead = 0;
        memset(&e->rss, 0, sizeof(e->rss));
    }
    if (row->start_boot_ns > t->newest_boot_ns)
        t->newest_boot_ns = row->start_boot_ns;
    e->children_cpu_ns = row->children_cpu_ns;
    e->start_boot_ns = row->start_boot_ns;
    e->ppid = row->ppid;
    e->known = row->known | (t->blocked_known ? KNOWS_BLOCKED : 0);
    e->priority_class = row->priority_class;
    e->oom_score_adj = row->oom_score_adj;
    e->cgroup_id = row->cgroup_id;
    e->memory_cgroup_id = row->memory_cgroup_id;
    memcpy(e->comm, row->comm, sizeof(e->comm));
    e->comm[sizeof(e->comm) - 1] = '\0';
}

void task_table_add(struct task_table *t, const struct task_row *row)
{
    struct task_entry *e = t->last;
    uint64_t rss = row->rss_anon_bytes + row->rss_file_bytes + row->rss_shmem_bytes;

    t->threads++;
    if (!e || e->pid != row->tgid)
        e = find(t, row->tgid);
    if (!e)
        e = new_entry(t, row->tgid);
    if (!e) {
        t->incomplete = true;
        return;
    }
    t->last = e;
    if (e->snapshot != t->snapshot)
        begin_entry(t, e);
    if (row->pid == row->tgid)
        describe_entry(t, e, row);
    e->thread_count++;
    e->sums.on_cpu_ns += row->on_cpu_ns;
    e->sums.run_delay_ns += row->run_delay_ns;
    e->sums.blocked_ns += row->blocked_ns;
    e->sums.read_bytes += row->read_bytes;
    e->sums.written_bytes += row->write_bytes;
    if (rss > e->rss_bytes)
        e->rss_bytes = rss;
    if (row->swap_bytes > e->swap_bytes)
        e->swap_bytes = row->swap_bytes;
}

static bool lives(const struct task_table *t, const struct task_entry *e)
{
    return e->snapshot == t->snapshot;
}

/* Who waits for the child of a parent that ended with it: that may have been in time, else it is a
 * subreaper (a session's manager, a container's shim) or init. All that live are credited; a bound,
 * since pids that are used again could make a ring. */
static void credit_ancestors(struct task_table *t, const struct task_entry *parent,
                             uint64_t seen_ns)
{
    struct task_entry *init = find(t, INIT_PID), *e;

    for (int i = 0; parent && parent != init && i < ANCESTORS_MAX; i++) {
        e = find(t, parent->ppid);
        if (e && e != init && lives(t, e))
            e->seen_children_ns += seen_ns;
        parent = e;
    }
    if (init && lives(t, init))
        init->seen_children_ns += seen_ns;
}

/* What a process that has ended took while it was seen was told as its own: it is not to be told
 * again when somebody waits for it. */
static void credit_ended(struct task_table *t)
{
    for (size_t i = 0; i < t->count; i++) {
        const struct task_entry *e = &t->entries[i];
        uint64_t seen_ns = e->sums.on_cpu_ns + e->children_cpu_ns;
        struct task_entry *parent;

        if (e->snapshot + 1 != t->snapshot)
            continue;
        parent = find(t, e->ppid);
        if (parent && lives(t, parent))
            parent->seen_children_ns += seen_ns;
        else
            credit_ancestors(t, parent, seen_ns);
    }
}

/* Time of children that no snapshot has seen. It only grows: a child may be seen as ended before
 * its parent has waited for it. What is credited for longer than that was waited for by nobody. */
static void count_short_children(struct task_entry *e)
{
    uint64_t known_ns = e->seen_children_ns + e->sums.short_children_ns;

    if (e->children_cpu_ns >= known_ns) {
        e->sums.short_children_ns = e->children_cpu_ns - e->seen_children_ns;
        e->ahead = 0;
    } else if (++e->ahead > AHEAD_SNAPSHOTS) {
        e->seen_children_ns -= known_ns - e->children_cpu_ns < e->seen_children_ns
                                   ? known_ns - e->children_cpu_ns
                                   : e->seen_children_ns;
        e->ahead = 0;
    }
}

int task_table_end(struct task_table *t)
{
    size_t before = t->count;

    credit_ended(t);

    for (size_t i = 0; i < t->count;) {
        struct task_entry *e = &t->entries[i];

        if (t->now_ns - e->seen_ns > TASK_TABLE_ENDED_NS) {
            *e = t->entries[--t->count];
            continue;
        }
        if (e->snapshot == t->snapshot) {
            count_short_children(e);
            rss_history_add(&e->rss, t->now_ns, e->rss_bytes);
        }
        i++;
    }
    if (t->count != before)
        rebuild_slots(t);
    return t->incomplete ? -ENOMEM : 0;
}

uint64_t task_table_taken_ns(const struct task_table *table)
{
    return table->now_ns;
}

size_t task_table_processes(const struct task_table *table)
{
    return table->processes;
}

size_t task_table_threads(const struct task_table *table)
{
    return table->threads;
}

struct sum {
    size_t offset;  /* in struct task_sums */
    uint32_t needs; /* enum task_known; 0: always known */
    const char *unknown;
};

static const char no_io[] = "this kernel does not account I/O by task";

#define SUM(member, ...)                                                                           \
    {                                                                                              \
        offsetof(struct task_sums, member), __VA_ARGS__                                            \
    }

static const struct sum sum_on_cpu = SUM(on_cpu_ns, 0, NULL);
static const struct sum sum_short_children = SUM(short_children_ns, 0, NULL);
static const struct sum sum_run_delay =
    SUM(run_delay_ns, TASK_KNOWS_RUN_DELAY, "this kernel does not account run delays");
static const struct sum sum_blocked =
    SUM(blocked_ns, KNOWS_BLOCKED, "the scheduler probe does not run");
static const struct sum sum_read = SUM(read_bytes, TASK_KNOWS_IO, no_io);
static const struct sum sum_written = SUM(written_bytes, TASK_KNOWS_IO, no_io);

static uint64_t sum_value(const struct task_sums *sums, const struct sum *sum)
{
    return *(const uint64_t *)(const void *)((const char *)sums + sum->offset);
}

static struct reading rate(const struct task_entry *e, const struct sum *sum, double unit)
{
    uint64_t now = sum_value(&e->sums, sum), before = sum_value(&e->before, sum);

    if ((e->known & sum->needs) != sum->needs)
        return reading_missing(sum->unknown);
    if (!e->before_ns)
        return reading_missing("not seen in the snapshot before");
    if (now < before)
        return reading_missing("threads ended and took their share with them");
    return reading_of((double)(now - before) / (double)(e->seen_ns - e->before_ns) * unit);
}

/* How many times the interval a process can have had of it. A clock that jumped (a paused guest),
 * or a thread that ended between two rows, tells otherwise. */
static uint64_t at_once(const struct task_table *t, const struct task_entry *e,
                        const struct sum *sum)
{
    bool threaded = e->thread_count > 1 || e->was_threaded;

    if (sum == &sum_run_delay || sum == &sum_blocked)
        return e->thread_count;
    return (sum == &sum_short_children || threaded) && t->cpus ? t->cpus : 1;
}

/* Run delay and blocked time go with an ended thread: a sum can shrink. */
static uint64_t grown_ns(const struct task_table *t, const struct task_entry *e,
                         const struct sum *sum)
{
    uint64_t now = sum_value(&e->sums, sum), before = sum_value(&e->before, sum), limit_ns;

    if (!e->before_ns || now <= before)
        return 0;
    limit_ns = (e->seen_ns - e->before_ns) * at_once(t, e, sum);
    return now - before < limit_ns ? now - before : limit_ns;
}

static struct reading share(const struct task_table *t, const struct task_entry *e,
                            const struct sum *sum)
{
    struct reading known = rate(e, sum, 1);

    if (reading_known(known))
        known.value = 100 * (double)grown_ns(t, e, sum) / (double)(e->seen_ns - e->before_ns);
    return known;
}

static void fill_row(const struct task_table *t, const struct task_entry *e,
                     struct process_row *ret)
{
    const double bytes_per_second = 1e9; /* of bytes per ns */

    *ret = (struct process_row){
        .pid = e->pid,
        .ppid = e->ppid,
        .thread_count = e->thread_count,
        .cgroup_id = e->cgroup_id,
        .start_boot_ns = e->start_boot_ns,
        .priority_class = e->priority_class,
        .oom_score_adj = e->oom_score_adj,
        .rss_bytes = e->rss_bytes,
        .swap_bytes = e->swap_bytes,
        .rss_bytes_per_second = rss_history_trend(&e->rss, e->seen_ns, e->rss_bytes),
        .cpu_percent = share(t, e, &sum_on_cpu),
        .short_children_cpu_percent = share(t, e, &sum_short_children),
        .run_delay_percent = share(t, e, &sum_run_delay),
        .blocked_percent = share(t, e, &sum_blocked),
        .read_bytes_per_second = rate(e, &sum_read, bytes_per_second),
        .written_bytes_per_second = rate(e, &sum_written, bytes_per_second),
    };
    memcpy(ret->comm, e->comm, sizeof(ret->comm));
}

/* The figure to order by. */
static uint64_t rank(const struct task_table *t, const struct task_entry *e, enum top_order order)
{
    static const struct sum *const sums[TOP_ORDER_COUNT] = {
        [TOP_CPU] = &sum_on_cpu,
        [TOP_RUN_DELAY] = &sum_run_delay,
        [TOP_BLOCKED] = &sum_blocked,
    };

    if (order == TOP_RSS)
        return e->rss_bytes;
    return grown_ns(t, e, sums[order]) +
           (order == TOP_CPU ? grown_ns(t, e, &sum_short_children) : 0);
}

struct ranked {
    uint64_t rank;
    const struct task_entry *entry;
};

static bool before(const void *a, const void *b)
{
    return ((const struct ranked *)a)->rank > ((const struct ranked *)b)->rank;
}

size_t task_table_top(const struct task_table *t, const struct task_query *query,
                      struct process_row *ret, size_t max)
{
    struct ranked best[TOP_COUNT];
    size_t count = 0, room = max < TOP_COUNT ? max : TOP_COUNT;

    for (size_t i = 0; i < t->count && room; i++) {
        const struct task_entry *e = &t->entries[i];
        const struct ranked ranked = {rank(t, e, query->order), e};

        /* Who is inside costs more to know. */
        if (!ranked.rank || (count == room && !before(&ranked, &best[room - 1])))
            continue;
        if ((query->with_ended || lives(t, e)) &&
            (!query->inside || query->inside(query->ctx, e->memory_cgroup_id)))
            top_offer(best, &count, room, sizeof(ranked), &ranked, before);
    }
    for (size_t i = 0; i < count; i++)
        fill_row(t, best[i].entry, &ret[i]);
    return count;
}

void task_table_for_each(const struct task_table *t,
                         void (*fn)(void *ctx, uint32_t pid, const char *comm), void *ctx)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->entries[i].snapshot == t->snapshot)
            fn(ctx, t->entries[i].pid, t->entries[i].comm);
}

bool task_table_find(const struct task_table *t, uint32_t pid, struct process_row *ret)
{
    const struct task_entry *e = find(t, pid);

    if (!e)
        return false;
    fill_row(t, e, ret);
    return true;
}
