/* CPU time by cgroup, whoever burnt it and however soon it ended: from cpu.stat (v2) or
 * cpuacct.usage (v1). It needs no BPF. */
#include "base/array.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/fitted_name.h"
#include "collect/cgroup_walk.h"
#include "collect/collector.h"
#include "collect/scan.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WALK_EVERY_NS (5 * NS_PER_SECOND)
/* One small file of each: about 10 us. */
#define DIRECTORIES_PER_TICK 34
/* What finds no room is in its parent. */
#define GROUPS_MAX 4096

struct group {
    char *path; /* owned */
    bool seen;  /* by the walk under way */
    uint64_t inode;
    uint64_t usage_ns, taken_ns;
    double percent; /* of one CPU, with those below */
    double own;     /* without */
};

struct cgroup_cpu_state {
    const struct host *host;
    const struct clock *clock;
    struct cgroup_mount mount;
    struct cgroup_walk *walk; /* NULL: no hierarchy found yet */
    bool walking;
    uint64_t walk_due_ns;
    uint64_t began_ns, before_ns; /* this walk and the one before; 0: none */
    struct group *groups;
    size_t count, capacity;
    size_t sorted; /* those at the front, by path; behind them this walk's new ones */
    struct cgroup_cpu rows[CGROUP_CPU_MAX];
    size_t row_count;
    bool published;
    const char *missing;
    char reason[96];
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
    bool v1 = s->mount.version == 1;
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
    /* It was made since the walk before, maybe once more, and so was all that it used. */
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

static void publish(struct cgroup_cpu_state *s)
{
    const struct group *best[CGROUP_CPU_MAX];
    size_t count = 0;

    set_own(s);
    for (size_t i = 0; i < s->count; i++) {
        const struct group *group = &s->groups[i];
        size_t at;

        if (group->own <= 0 || !group->path[1] ||
            (count == CGROUP_CPU_MAX && group->own <= best[count - 1]->own))
            continue;
        if (count < CGROUP_CPU_MAX)
            count++;
        for (at = count - 1; at > 0 && best[at - 1]->own < group->own; at--)
            best[at] = best[at - 1];
        best[at] = group;
    }
    s->row_count = count;
    for (size_t i = 0; i < count; i++) {
        s->rows[i] = (struct cgroup_cpu){.cpu_percent = best[i]->own};
        fitted_name(best[i]->path, s->rows[i].path, sizeof(s->rows[i].path));
    }
}

static void end_walk(struct cgroup_cpu_state *s)
{
    size_t kept = 0;

    s->walking = false;
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

/* Again and again as long as there is none: cgroup mounts may come late at boot. */
static void find_mount(struct cgroup_cpu_state *s)
{
    int err = cgroup_mount_find(s->host, "cpuacct", &s->mount);

    if (err == -ENODEV) {
        err = cgroup_mount_find(s->host, "cpu", &s->mount);
        if (!err && s->mount.version == 1)
            err = -ENODEV;
    }
    if (!err)
        err = cgroup_walk_create(&s->walk, &s->mount);
    s->missing = NULL;
    if (err == -ENODEV) {
        s->missing = "no cgroup hierarchy accounts CPU time";
    } else if (err) {
        snprintf(s->reason, sizeof(s->reason), "/proc/self/mountinfo: %s", strerror(-err));
        s->missing = s->reason;
    }
}

static void walk(struct cgroup_cpu_state *s, uint64_t now_ns)
{
    if (!s->walking && now_ns >= s->walk_due_ns) {
        s->walk_due_ns = now_ns + WALK_EVERY_NS;
        if (!s->walk)
            find_mount(s);
        if (!s->walk)
            return;
        cgroup_walk_start(s->walk);
        s->walking = true;
        s->began_ns = now_ns;
        for (size_t i = 0; i < s->count; i++)
            s->groups[i].seen = false;
    }
    if (s->walking && cgroup_walk_step(s->walk, DIRECTORIES_PER_TICK, found_group, s))
        end_walk(s);
}

static void cgroup_cpu_sample(void *state, uint64_t now_ns, struct snapshot *snapshot)
{
    struct cgroup_cpu_state *s = state;
    const char *early;

    walk(s, now_ns);
    early = s->published ? NULL : "not every cgroup was read twice yet";
    snapshot->cgroup_cpu = (struct cgroup_cpu_snapshot){
        .missing = s->missing ? s->missing : early,
        .count = s->row_count,
        .rows = s->rows,
    };
}

static int cgroup_cpu_open(void *state, const struct collector_env *env)
{
    struct cgroup_cpu_state *s = state;

    s->host = env->host;
    s->clock = env->clock;
    return 0;
}

static void cgroup_cpu_close(void *state)
{
    struct cgroup_cpu_state *s = state;

    for (size_t i = 0; i < s->count; i++)
        free(s->groups[i].path);
    free(s->groups);
    cgroup_walk_destroy(s->walk);
}

const struct collector cgroup_cpu_collector = {
    .name = "cgroup_cpu",
    .state_size = sizeof(struct cgroup_cpu_state),
    .open = cgroup_cpu_open,
    .sample = cgroup_cpu_sample,
    .close = cgroup_cpu_close,
};
