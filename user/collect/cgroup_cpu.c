/* CPU time by cgroup, whoever burnt it and however soon it ended: from cpu.stat (v2) or
 * cpuacct.usage (v1). It needs no BPF. */
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/fitted_name.h"
#include "base/top.h"
#include "collect/cgroup_rounds.h"
#include "collect/collector.h"
#include "collect/scan.h"
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
/* What finds no room is in its parent. */
#define GROUPS_MAX 4096

struct group {
    char *path; /* owned */
    bool seen;  /* by the round under way */
    uint64_t inode;
    uint64_t usage_ns, taken_ns;
    double percent; /* of one CPU, with those below */
    double own;     /* without */
};

struct cgroup_cpu_state {
    const struct clock *clock;
    struct cgroup_rounds rounds;
    uint64_t began_ns, before_ns; /* this round and the one before; 0: none */
    struct group *groups;
    size_t count, capacity;
    size_t sorted; /* those at the front, by path; behind them this round's new ones */
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

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct group *)a)->path, ((const struct group *)b)->path);
}

static struct group *find(const struct cgroup_cpu_state *s, const char *path)
{
    const struct group wanted = {.path = (char *)path};

    return s->sorted ? bsearch(&wanted, s->groups, s->sorted, sizeof(wanted), by_path) : NULL;
}

static struct group *add(struct cgroup_cpu_state *s, const char *path)
{
    struct group *group;
    void *groups;

    if (s->count == GROUPS_MAX)
        return NULL;
    groups = s->groups;
    if (!array_grow(&groups, &s->capacity, s->count + 1, sizeof(*group)))
        return NULL;
    s->groups = groups;
    group = &s->groups[s->count];
    *group = (struct group){.path = strdup(path)};
    if (!group->path)
        return NULL;
    s->count++;
    return group;
}

static double limited(double percent)
{
    double limit = 100.0 * (double)sysconf(_SC_NPROCESSORS_ONLN);

    return percent < limit ? percent : limit;
}

static void found_group(void *ctx, const char *path, int dir)
{
    struct cgroup_cpu_state *s = ctx;
    struct group *group = find(s, path);
    uint64_t usage_ns, now_ns;
    struct stat st;

    if (!read_usage(s, dir, &usage_ns) || fstat(dir, &st) < 0)
        return;
    now_ns = clock_monotonic_ns(s->clock);
    if (!group) {
        group = add(s, path);
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
        group->percent = limited(100 * (double)(usage_ns - group->usage_ns) /
                                 (double)(now_ns - group->taken_ns));
    group->usage_ns = usage_ns;
    group->taken_ns = now_ns;
    group->seen = true;
}

/* NULL for those at the top: what the root has beside them are the kernel's own. */
static struct group *parent_of(const struct cgroup_cpu_state *s, const struct group *group)
{
    const char *slash = strrchr(group->path, '/');
    char path[PATH_MAX];

    if (!slash || (size_t)(slash - group->path) >= sizeof(path))
        return NULL;
    memcpy(path, group->path, (size_t)(slash - group->path));
    path[slash - group->path] = '\0';
    return find(s, path);
}

/* Without what is told of those below. */
static void set_own(struct cgroup_cpu_state *s)
{
    for (size_t i = 0; i < s->count; i++)
        s->groups[i].own = s->groups[i].percent;
    for (size_t i = 0; i < s->count; i++) {
        struct group *parent = parent_of(s, &s->groups[i]);

        if (parent)
            parent->own -= s->groups[i].percent;
    }
}

static bool before(const void *a, const void *b)
{
    return ((const struct group *)a)->own > ((const struct group *)b)->own;
}

static void publish(struct cgroup_cpu_state *s)
{
    struct group best[CGROUP_CPU_MAX];
    size_t count = 0;

    set_own(s);
    for (size_t i = 0; i < s->count; i++) {
        const struct group *group = &s->groups[i];

        if (group->own > 0 && group->path[1])
            top_offer(best, &count, CGROUP_CPU_MAX, sizeof(best[0]), group, before);
    }
    s->row_count = count;
    for (size_t i = 0; i < count; i++) {
        s->rows[i] = (struct cgroup_cpu){.cpu_percent = best[i].own};
        fitted_name(best[i].path, s->rows[i].path, sizeof(s->rows[i].path));
    }
}

static void round_ended(void *ctx)
{
    struct cgroup_cpu_state *s = ctx;
    size_t kept = 0;

    for (size_t i = 0; i < s->count; i++) {
        if (s->groups[i].seen)
            s->groups[kept++] = s->groups[i];
        else
            free(s->groups[i].path);
    }
    s->count = kept;
    if (kept)
        qsort(s->groups, kept, sizeof(*s->groups), by_path);
    s->sorted = kept;
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

static void round_began(void *ctx, uint64_t now_ns)
{
    struct cgroup_cpu_state *s = ctx;

    s->began_ns = now_ns;
    for (size_t i = 0; i < s->count; i++)
        s->groups[i].seen = false;
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
    s->clock = env->clock;
    return 0;
}

static void cgroup_cpu_close(void *state)
{
    struct cgroup_cpu_state *s = state;

    for (size_t i = 0; i < s->count; i++)
        free(s->groups[i].path);
    free(s->groups);
    cgroup_rounds_close(&s->rounds);
}

const struct collector cgroup_cpu_collector = {
    .name = "cgroup_cpu",
    .state_size = sizeof(struct cgroup_cpu_state),
    .open = cgroup_cpu_open,
    .sample = cgroup_cpu_sample,
    .close = cgroup_cpu_close,
};
