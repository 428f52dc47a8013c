/* CPU time by cgroup, whoever burnt it and however soon it ended: from cpu.stat (v2) or
 * cpuacct.usage (v1). It needs no BPF. */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/fitted_name.h"
#include "base/scan.h"
#include "base/top.h"
#include "collect/cgroup_rounds.h"
#include "collect/cgroup_table.h"
#include "collect/collector.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUND_EVERY_NS (5 * NS_PER_SECOND)
/* One small file of each: about 10 us. */
#define DIRECTORIES_PER_TICK 34

struct cgroup_usage {
    struct cgroup_entry entry;
    uint64_t inode;
    uint64_t usage_ns, taken_ns;
    double percent; /* of one CPU, with those below */
    double own;     /* without */
};

struct cgroup_cpu_state {
    const struct clock *clock;
    struct cgroup_rounds rounds;
    uint64_t now_ns;              /* of the tick */
    double limit_percent;         /* in this tick; 0: not asked for yet */
    uint64_t began_ns, before_ns; /* this round and the one before; 0: none */
    struct cgroup_table groups;
    struct cgroup_cpu rows[CGROUP_CPU_MAX];
    size_t row_count;
    bool published;
};

static bool read_v1(int fd, uint64_t *ret_ns)
{
    char text[64];
    ssize_t len = read(fd, text, sizeof(text));
    struct scan file = scan_of(text, len > 0 ? (size_t)len : 0), line;

    return scan_line(&file, &line) && scan_u64(&line, ret_ns);
}

static bool read_v2(int fd, uint64_t *ret_ns)
{
    char text[1024];
    ssize_t len = read(fd, text, sizeof(text));
    struct scan file = scan_of(text, len > 0 ? (size_t)len : 0), line, word;
    uint64_t us;

    while (scan_line(&file, &line)) {
        if (!scan_word(&line, &word) || !scan_is(&word, "usage_usec") || !scan_u64(&line, &us))
            continue;
        *ret_ns = us * 1000;
        return true;
    }
    return false;
}

static bool read_usage(const struct cgroup_cpu_state *s, int dir, uint64_t *ret_ns)
{
    bool v1 = s->rounds.mount.version == 1;
    CLEANUP_CLOSE int fd = openat(dir, v1 ? "cpuacct.usage" : "cpu.stat", O_RDONLY | O_CLOEXEC);

    return fd >= 0 && (v1 ? read_v1(fd, ret_ns) : read_v2(fd, ret_ns));
}

/* All CPUs; asked for once in a tick, which opens a file. */
static double limited(struct cgroup_cpu_state *s, double percent)
{
    if (s->limit_percent == 0)
        s->limit_percent = 100.0 * (double)sysconf(_SC_NPROCESSORS_ONLN);
    return percent < s->limit_percent ? percent : s->limit_percent;
}

static void found_group(void *ctx, const char *path, int dir)
{
    struct cgroup_cpu_state *s = ctx;
    struct cgroup_usage *group = cgroup_table_find(&s->groups, path, strlen(path));
    uint64_t usage_ns, now_ns;
    struct stat st;

    if (!read_usage(s, dir, &usage_ns) || fstat(dir, &st) < 0)
        return;
    now_ns = clock_monotonic_ns(s->clock);
    if (!group) {
        /* What finds no room is in its parent. */
        group = cgroup_table_add(&s->groups, path);
        if (!group)
            return;
    }
    /* It was made since the round before, maybe once more, and so was all that it used. */
    if (group->inode != st.st_ino || usage_ns < group->usage_ns) {
        group->inode = st.st_ino;
        group->usage_ns = 0;
        group->taken_ns = s->before_ns;
    }
    group->percent = 0;
    if (group->taken_ns && now_ns > group->taken_ns && usage_ns > group->usage_ns)
        group->percent = limited(s, 100 * (double)(usage_ns - group->usage_ns) /
                                        (double)(now_ns - group->taken_ns));
    group->usage_ns = usage_ns;
    group->taken_ns = now_ns;
    group->entry.seen = true;
}

/* NULL for those at the top: what the root has beside them are the kernel's own. */
static struct cgroup_usage *parent_of(const struct cgroup_cpu_state *s, const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash && slash > path ? cgroup_table_find(&s->groups, path, (size_t)(slash - path))
                                 : NULL;
}

static struct cgroup_usage *group_at(const struct cgroup_cpu_state *s, size_t index)
{
    return cgroup_table_at(&s->groups, index);
}

/* Without what is told of those below. */
static void set_own(struct cgroup_cpu_state *s)
{
    for (size_t i = 0; i < s->groups.count; i++)
        group_at(s, i)->own = group_at(s, i)->percent;
    for (size_t i = 0; i < s->groups.count; i++) {
        const struct cgroup_usage *group = group_at(s, i);
        struct cgroup_usage *parent = parent_of(s, group->entry.path);

        if (parent)
            parent->own -= group->percent;
    }
}

static bool before(const void *a, const void *b)
{
    return ((const struct cgroup_usage *)a)->own > ((const struct cgroup_usage *)b)->own;
}

static void publish(struct cgroup_cpu_state *s)
{
    struct cgroup_usage best[CGROUP_CPU_MAX];
    size_t count = 0;

    set_own(s);
    for (size_t i = 0; i < s->groups.count; i++) {
        const struct cgroup_usage *group = group_at(s, i);

        if (group->own > 0 && group->entry.path[1])
            top_offer(best, &count, CGROUP_CPU_MAX, sizeof(best[0]), group, before);
    }
    s->row_count = count;
    for (size_t i = 0; i < count; i++) {
        s->rows[i] = (struct cgroup_cpu){.cpu_percent = best[i].own};
        fitted_name(best[i].entry.path, s->rows[i].path, sizeof(s->rows[i].path));
    }
}

static void round_ended(void *ctx)
{
    struct cgroup_cpu_state *s = ctx;

    cgroup_table_end_round(&s->groups);
    if (s->before_ns) {
        publish(s);
        s->published = true;
    }
    s->before_ns = s->began_ns;
}

static int find_mount(const struct host *host, struct cgroup_mount *ret)
{
    int err = cgroup_mount_find(host, "cpuacct", ret);

    if (err != -ENODEV)
        return err;
    err = cgroup_mount_find(host, "cpu", ret);
    return !err && ret->version == 1 ? -ENODEV : err;
}

static void round_began(void *ctx)
{
    struct cgroup_cpu_state *s = ctx;

    s->began_ns = s->now_ns;
    cgroup_table_begin_round(&s->groups);
}

static const struct cgroup_rounds_plan rounds_plan = {
    .every_ns = ROUND_EVERY_NS,
    .directories_per_tick = DIRECTORIES_PER_TICK,
    .find = find_mount,
    .none = "no cgroup hierarchy accounts CPU time",
    .began = round_began,
    .found = found_group,
    .ended = round_ended,
};

static void cgroup_cpu_sample(void *state, uint64_t now_ns, struct snapshot *snapshot)
{
    struct cgroup_cpu_state *s = state;
    const char *early;

    s->now_ns = now_ns;
    s->limit_percent = 0;
    cgroup_rounds_tick(&s->rounds, now_ns, s);
    early = s->published ? NULL : "not every cgroup was read twice yet";
    snapshot->cgroup_cpu = (struct cgroup_cpu_snapshot){
        .missing = s->rounds.missing ? s->rounds.missing : early,
        .count = s->row_count,
        .rows = s->rows,
    };
}

static int cgroup_cpu_open(void *state, const struct collector_env *env)
{
    struct cgroup_cpu_state *s = state;

    s->rounds.plan = &rounds_plan;
    s->rounds.host = env->host;
    s->groups.size = sizeof(struct cgroup_usage);
    s->clock = env->clock;
    return 0;
}

static void cgroup_cpu_close(void *state)
{
    struct cgroup_cpu_state *s = state;

    cgroup_table_free(&s->groups);
    cgroup_rounds_close(&s->rounds);
}

const struct collector cgroup_cpu_collector = {
    .name = "cgroup_cpu",
    .state_size = sizeof(struct cgroup_cpu_state),
    .open = cgroup_cpu_open,
    .sample = cgroup_cpu_sample,
    .close = cgroup_cpu_close,
};
