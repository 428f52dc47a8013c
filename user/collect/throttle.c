/* CPU throttling of the cgroups that have a quota, from their cpu.stat (cgroup v1 and v2). */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/fitted_name.h"
#include "base/scan.h"
#include "collect/cgroup_rounds.h"
#include "collect/collector.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX 256
/* A new quota is noticed this late. */
#define ROUND_EVERY_NS (30 * NS_PER_SECOND)
/* About 10 us each: a tick gives at most a sixth of its budget of 2 ms to the walk, and 1,000
 * cgroups still fit into 30 s. */
#define DIRECTORIES_PER_TICK 34

struct throttled {
    char *path;
    struct proc_file stat;
    bool seen; /* by the round under way */
    bool sampled;
};

struct throttle_state {
    struct cgroup_rounds rounds;
    struct throttled groups[ROWS_MAX];
    struct cpu_throttle rows[ROWS_MAX]; /* row i is of group i */
    size_t count;
    char *buffer;
    size_t capacity;
};

static void remove_group(struct throttle_state *s, size_t i)
{
    proc_file_close(&s->groups[i].stat);
    free(s->groups[i].path);
    s->count--;
    s->groups[i] = s->groups[s->count];
    s->rows[i] = s->rows[s->count];
}

/* v1: microseconds or -1 in cpu.cfs_quota_us; v2: "max 100000" or "50000 100000" in cpu.max. */
static bool has_quota(unsigned version, int dir)
{
    CLEANUP_CLOSE int fd =
        openat(dir, version == 1 ? "cpu.cfs_quota_us" : "cpu.max", O_RDONLY | O_CLOEXEC);
    char text[64];
    ssize_t len;

    if (fd < 0)
        return false;
    len = read(fd, text, sizeof(text));
    return len > 0 && text[0] >= '0' && text[0] <= '9';
}

static void found_group(void *ctx, const char *path, int dir)
{
    struct throttle_state *s = ctx;
    struct throttled *group;
    char relative[PATH_MAX + 16];

    if (!has_quota(s->rounds.mount.version, dir))
        return;
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->groups[i].path, path) == 0) {
            s->groups[i].seen = true;
            return;
        }
    }
    if (s->count == ROWS_MAX)
        return;
    group = &s->groups[s->count];
    *group = (struct throttled){.path = strdup(path), .seen = true};
    if (!group->path)
        return;
    snprintf(relative, sizeof(relative), "%s/cpu.stat", path);
    if (proc_file_open(&group->stat, s->rounds.mount.path, relative)) {
        proc_file_close(&group->stat);
        free(group->path);
        return;
    }
    memset(&s->rows[s->count], 0, sizeof(s->rows[0]));
    fitted_name(path, s->rows[s->count].path, sizeof(s->rows[0].path));
    s->count++;
}

static int find_mount(const struct host *host, struct cgroup_mount *ret)
{
    return cgroup_mount_find(host, "cpu", ret);
}

static void round_began(void *ctx)
{
    struct throttle_state *s = ctx;

    for (size_t i = 0; i < s->count; i++)
        s->groups[i].seen = false;
}

static void round_ended(void *ctx)
{
    struct throttle_state *s = ctx;

    for (size_t i = s->count; i-- > 0;)
        if (!s->groups[i].seen)
            remove_group(s, i);
}

static const struct cgroup_rounds_plan rounds_plan = {
    .every_ns = ROUND_EVERY_NS,
    .directories_per_tick = DIRECTORIES_PER_TICK,
    .find = find_mount,
    .none = "no cgroup hierarchy has the cpu controller",
    .began = round_began,
    .found = found_group,
    .ended = round_ended,
};

struct stat_values {
    uint64_t periods, throttled_periods, throttled_time;
};

static bool parse_stat(struct scan file, unsigned version, struct stat_values *ret)
{
    const struct {
        const char *key;
        uint64_t *value;
    } keys[] = {
        {"nr_periods", &ret->periods},
        {"nr_throttled", &ret->throttled_periods},
        {version == 1 ? "throttled_time" : "throttled_usec", &ret->throttled_time},
    };
    struct scan line, word;
    unsigned found = 0;

    while (scan_line(&file, &line)) {
        if (!scan_word(&line, &word))
            continue;
        for (unsigned i = 0; i < 3; i++)
            if (scan_is(&word, keys[i].key) && scan_u64(&line, keys[i].value))
                found |= 1u << i;
    }
    return found == 7;
}

/* False when the cgroup is gone or its file makes no sense: the row goes, the next walk may bring
 * it back. */
static bool read_group(struct throttle_state *s, size_t i)
{
    struct cpu_throttle *row = &s->rows[i];
    ssize_t len = proc_file_read(&s->groups[i].stat, &s->buffer, &s->capacity);
    double periods, throttled;
    struct stat_values v;

    if (len < 0 || !parse_stat(scan_of(s->buffer, (size_t)len), s->rounds.mount.version, &v))
        return false;
    periods = (double)v.periods - row->periods_total;
    throttled = (double)v.throttled_periods - row->throttled_periods_total;
    if (!s->groups[i].sampled)
        row->throttled_percent = reading_missing("needs two samples");
    else if (periods < 0 || throttled < 0)
        row->throttled_percent = reading_missing("the kernel's counters began anew");
    else if (periods == 0)
        row->throttled_percent = reading_missing("it was idle: no period of its quota ran");
    else
        row->throttled_percent =
            reading_of(throttled < periods ? 100.0 * throttled / periods : 100.0);
    s->groups[i].sampled = true;
    row->periods_total = (double)v.periods;
    row->throttled_periods_total = (double)v.throttled_periods;
    row->throttled_seconds_total =
        (double)v.throttled_time / (s->rounds.mount.version == 1 ? 1e9 : 1e6);
    return true;
}

static void throttle_sample(void *state, uint64_t now_ns, struct snapshot *snapshot)
{
    struct throttle_state *s = state;

    cgroup_rounds_tick(&s->rounds, now_ns, s);
    for (size_t i = s->count; i-- > 0;)
        if (!read_group(s, i))
            remove_group(s, i);
    snapshot->throttle = (struct throttle_snapshot){
        .missing = s->rounds.missing,
        .version = s->rounds.walk ? s->rounds.mount.version : 0,
        .count = s->count,
        .rows = s->rows,
    };
}

static int throttle_open(void *state, const struct collector_env *env)
{
    struct throttle_state *s = state;

    s->rounds.plan = &rounds_plan;
    s->rounds.host = env->host;
    return 0;
}

static void throttle_close(void *state)
{
    struct throttle_state *s = state;

    while (s->count > 0)
        remove_group(s, s->count - 1);
    cgroup_rounds_close(&s->rounds);
    free(s->buffer);
}

const struct collector throttle_collector = {
    .name = "throttle",
    .state_size = sizeof(struct throttle_state),
    .open = throttle_open,
    .sample = throttle_sample,
    .close = throttle_close,
};
