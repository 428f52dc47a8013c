/* Pressure stall information from /proc/pressure, and the kernel's triggers on it. */
#include "base/file.h"
#include "base/scan.h"
#include "collect/collector.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* A trigger fires when some tasks stood still for 15 % of a window: the share of the example in
 * Documentation/accounting/psi.rst. The window is 2 s because without CAP_SYS_RESOURCE only
 * multiples of 2 s may be watched (kernel commit d82caa273565). */
static const char trigger[] = "some 300000 2000000";

static const char psi_off[] = "the kernel keeps no pressure stall information (boot with psi=1)";

struct resource_state {
    struct proc_file file;
    int trigger_fd; /* -1: none */
    struct loop_source *source;
    uint64_t fired_total;
    char reason[96];
};

struct pressure_state {
    struct resource_state resources[PRESSURE_RESOURCE_COUNT];
    const char *triggers_missing;
    char triggers_reason[96];
    char *buffer;
    size_t capacity;
};

static void line_missing(struct pressure_line *l, const char *why)
{
    l->avg10_percent = reading_missing(why);
    l->avg60_percent = reading_missing(why);
    l->avg300_percent = reading_missing(why);
    l->seconds_total = reading_missing(why);
}

static bool scan_share(struct scan *line, const char *name, struct reading *ret)
{
    struct scan word;
    double value;

    if (!scan_word(line, &word) || !scan_skip(&word, name) || !scan_decimal(&word, &value))
        return false;
    *ret = reading_of(value);
    return true;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0": all of it or nothing. */
static void parse_line(struct scan *line, struct pressure *p)
{
    struct pressure_line parsed;
    struct pressure_line *target;
    struct scan word;
    uint64_t total_us;

    if (!scan_word(line, &word))
        return;
    if (scan_is(&word, "some"))
        target = &p->some;
    else if (scan_is(&word, "full"))
        target = &p->full;
    else
        return;
    if (!scan_share(line, "avg10=", &parsed.avg10_percent) ||
        !scan_share(line, "avg60=", &parsed.avg60_percent) ||
        !scan_share(line, "avg300=", &parsed.avg300_percent) || !scan_word(line, &word) ||
        !scan_skip(&word, "total=") || !scan_is_u64(&word, &total_us))
        return;
    parsed.seconds_total = reading_of((double)total_us / 1e6);
    *target = parsed;
}

static void sample_resource(struct pressure_state *s, enum pressure_resource r, struct pressure *p)
{
    struct resource_state *resource = &s->resources[r];
    ssize_t len = proc_file_read(&resource->file, &s->buffer, &s->capacity);
    const char *why = "not in the kernel's pressure file";
    struct scan file, line;

    /* psi=0 removes the files; older kernels keep them and answer EOPNOTSUPP. */
    if (len == -ENOENT || len == -EOPNOTSUPP) {
        why = psi_off;
    } else if (len < 0) {
        snprintf(resource->reason, sizeof(resource->reason), "/proc/pressure/%s: %s",
                 pressure_resource_name(r), strerror((int)-len));
        why = resource->reason;
    }
    line_missing(&p->some, why);
    line_missing(&p->full, why);
    p->triggers_total = s->triggers_missing ? NAN : (double)resource->fired_total;
    file = scan_of(s->buffer, len < 0 ? 0 : (size_t)len);
    while (scan_line(&file, &line))
        parse_line(&line, p);
}

static void pressure_sample(void *state, uint64_t now_ns, struct snapshot *snapshot)
{
    struct pressure_state *s = state;
    struct pressure_snapshot *pressure = &snapshot->pressure;

    (void)now_ns;
    pressure->missing = NULL;
    pressure->triggers_missing = s->triggers_missing;
    for (int r = 0; r < PRESSURE_RESOURCE_COUNT; r++) {
        sample_resource(s, (enum pressure_resource)r, &pressure->resource[r]);
        if (!pressure->missing)
            pressure->missing = pressure->resource[r].some.avg10_percent.missing;
    }
}

/* The kernel raises EPOLLPRI at most once a window; EPOLLERR says that the trigger is gone, and
 * would come back at once, for ever. */
static void on_trigger(void *ctx, uint32_t epoll_events)
{
    struct resource_state *resource = ctx;

    if (epoll_events & EPOLLERR) {
        loop_remove(resource->source);
        resource->source = NULL;
        return;
    }
    resource->fired_total++;
}

static int open_trigger(const char *proc, enum pressure_resource r)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/pressure/%s", proc, pressure_resource_name(r));
    return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
}

static int arm_trigger(struct resource_state *resource, enum pressure_resource r,
                       const struct collector_env *env)
{
    int fd = open_trigger(env->host->proc, r), err;

    /* A container has the host's tree read-only; the file is the same in every procfs. */
    if (fd < 0 && errno == EROFS)
        fd = open_trigger(env->host->own_proc, r);
    if (fd < 0)
        return -errno;
    /* The terminating NUL is part of the format. */
    if (write(fd, trigger, sizeof(trigger)) < 0) {
        err = -errno;
        close(fd);
        return err;
    }
    err = loop_add_fd(env->loop, &resource->source, fd, EPOLLPRI, on_trigger, resource);
    if (err) {
        close(fd);
        return err;
    }
    resource->trigger_fd = fd;
    return 0;
}

static void arm_triggers(struct pressure_state *s, const struct collector_env *env)
{
    for (int r = 0; r < PRESSURE_RESOURCE_COUNT; r++) {
        int err = arm_trigger(&s->resources[r], (enum pressure_resource)r, env);

        if (err == -ENOENT || err == -EOPNOTSUPP) {
            s->triggers_missing = psi_off;
        } else if (err) {
            snprintf(s->triggers_reason, sizeof(s->triggers_reason), "/proc/pressure/%s: %s",
                     pressure_resource_name((enum pressure_resource)r), strerror(-err));
            s->triggers_missing = s->triggers_reason;
        }
    }
}

static int pressure_open(void *state, const struct collector_env *env)
{
    struct pressure_state *s = state;
    char relative[32];

    for (int r = 0; r < PRESSURE_RESOURCE_COUNT; r++) {
        s->resources[r].trigger_fd = -1;
        snprintf(relative, sizeof(relative), "pressure/%s",
                 pressure_resource_name((enum pressure_resource)r));
        proc_file_open(&s->resources[r].file, env->host->proc, relative);
    }
    if (env->loop)
        arm_triggers(s, env);
    else
        s->triggers_missing = "there is no event loop to watch them";
    return 0;
}

static void pressure_close(void *state)
{
    struct pressure_state *s = state;

    for (int r = 0; r < PRESSURE_RESOURCE_COUNT; r++) {
        loop_remove(s->resources[r].source);
        if (s->resources[r].trigger_fd >= 0)
            close(s->resources[r].trigger_fd);
        proc_file_close(&s->resources[r].file);
    }
    free(s->buffer);
}

const struct collector pressure_collector = {
    .name = "pressure",
    .state_size = sizeof(struct pressure_state),
    .open = pressure_open,
    .sample = pressure_sample,
    .close = pressure_close,
};
