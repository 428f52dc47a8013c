/* Cgroups that may hold so many tasks only (pids.max), and the forks that were refused for it. */
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
#include <unistd.h>

#define ROUND_EVERY_NS (5 * NS_PER_SECOND)
/* Three small files of each: about 25 us. */
#define DIRECTORIES_PER_TICK 20

struct cgroup_tasks {
    struct cgroup_entry entry;
    bool limited;
    double current, limit;
    uint64_t refused; /* as the kernel counts */
    double refused_total;
    uint64_t refused_ns; /* when more of them were seen last; 0: never */
};

struct pids_state {
    struct cgroup_rounds rounds;
    uint64_t now_ns;
    struct cgroup_table groups;
    struct cgroup_pids rows[CGROUP_PIDS_MAX];
};

/* A number, or false: "max", or no such file (the root has none). */
static bool read_number(int dir, const char *name, double *ret)
{
    CLEANUP_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    char text[64];
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text));
    struct scan file, line;
    uint64_t value;

    if (len <= 0)
        return false;
    file = scan_of(text, (size_t)len);
    if (!scan_line(&file, &line) || !scan_u64(&line, &value))
        return false;
    *ret = (double)value;
    return true;
}

/* "max 12". From 6.11 on pids.events counts for all above too, and pids.events.local for the cgroup
 * whose limit it was; before, pids.events counts where the fork was tried. */
static bool read_refused(int dir, uint64_t *ret)
{
    static const char *const names[] = {"pids.events.local", "pids.events"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        CLEANUP_CLOSE int fd = openat(dir, names[i], O_RDONLY | O_CLOEXEC);
        char text[128];
        ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text));
        struct scan file, line, word;

        if (len <= 0)
            continue;
        file = scan_of(text, (size_t)len);
        while (scan_line(&file, &line))
            if (scan_word(&line, &word) && scan_is(&word, "max") && scan_u64(&line, ret))
                return true;
    }
    return false;
}

/* The limit that was reached: the cgroup's own or, on older kernels, one above it. */
static void note_refused(struct pids_state *s, const char *path, double more)
{
    size_t len = strlen(path);

    for (;;) {
        struct cgroup_tasks *owner = cgroup_table_find(&s->groups, path, len);

        if (owner && owner->limited) {
            owner->refused_total += more;
            owner->refused_ns = s->now_ns;
            return;
        }
        if (len <= 1)
            return;
        while (path[len - 1] != '/')
            len--;
        len -= len > 1;
    }
}

static void found_group(void *ctx, const char *path, int dir)
{
    struct pids_state *s = ctx;
    struct cgroup_tasks *group = cgroup_table_find(&s->groups, path, strlen(path));
    double current = 0, limit = 0;
    bool limited = read_number(dir, "pids.max", &limit) && limit > 0 &&
                   read_number(dir, "pids.current", &current);
    uint64_t refused = 0;
    bool counted = read_refused(dir, &refused);

    if (!group) {
        /* What was refused before is no news. */
        if (!limited && !counted)
            return;
        group = cgroup_table_add(&s->groups, path);
        if (!group)
            return;
        group->refused = refused;
    }
    group->entry.seen = true;
    group->limited = limited;
    group->current = current;
    group->limit = limit;
    if (counted && refused > group->refused)
        note_refused(s, path, (double)(refused - group->refused));
    group->refused = refused;
}

static int find_mount(const struct host *host, struct cgroup_mount *ret)
{
    return cgroup_mount_find(host, "pids", ret);
}

static void round_began(void *ctx)
{
    struct pids_state *s = ctx;

    cgroup_table_begin_round(&s->groups);
}

static void round_ended(void *ctx)
{
    struct pids_state *s = ctx;

    cgroup_table_end_round(&s->groups);
}

static const struct cgroup_rounds_plan rounds_plan = {
    .every_ns = ROUND_EVERY_NS,
    .directories_per_tick = DIRECTORIES_PER_TICK,
    .find = find_mount,
    .none = "no cgroup hierarchy has the pids controller",
    .began = round_began,
    .found = found_group,
    .ended = round_ended,
};

static double share(const struct cgroup_tasks *group)
{
    return group->current < group->limit ? 100 * group->current / group->limit : 100;
}

/* Those that refused something come first, then the fullest. */
static bool before(const void *left, const void *right)
{
    const struct cgroup_tasks *a = left, *b = right;

    return a->refused_ns != b->refused_ns ? a->refused_ns > b->refused_ns : share(a) > share(b);
}

static size_t publish(struct pids_state *s)
{
    struct cgroup_tasks best[CGROUP_PIDS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < s->groups.count; i++) {
        const struct cgroup_tasks *group = cgroup_table_at(&s->groups, i);

        if (group->limited)
            top_offer(best, &count, CGROUP_PIDS_MAX, sizeof(best[0]), group, before);
    }
    for (size_t i = 0; i < count; i++) {
        struct cgroup_pids *row = &s->rows[i];

        *row = (struct cgroup_pids){
            .current = best[i].current,
            .limit = best[i].limit,
            .usage_percent = share(&best[i]),
            .refused_total = best[i].refused_total,
            .refused_ns = best[i].refused_ns,
        };
        fitted_name(best[i].entry.path, row->path, sizeof(row->path));
    }
    return count;
}

static void pids_sample(void *state, uint64_t now_ns, struct snapshot *snapshot)
{
    struct pids_state *s = state;

    s->now_ns = now_ns;
    cgroup_rounds_tick(&s->rounds, now_ns, s);
    snapshot->process.cgroup_pids_missing = s->rounds.missing;
    snapshot->process.cgroup_pids_count = publish(s);
    snapshot->process.cgroup_pids = s->rows;
}

static int pids_open(void *state, const struct collector_env *env)
{
    struct pids_state *s = state;

    s->rounds.plan = &rounds_plan;
    s->rounds.host = env->host;
    s->groups.size = sizeof(struct cgroup_tasks);
    return 0;
}

static void pids_close(void *state)
{
    struct pids_state *s = state;

    cgroup_table_free(&s->groups);
    cgroup_rounds_close(&s->rounds);
}

const struct collector cgroup_pids_collector = {
    .name = "cgroup_pids",
    .state_size = sizeof(struct pids_state),
    .open = pids_open,
    .sample = pids_sample,
    .close = pids_close,
};
