/* Whether the pins are still there: somebody may remove them, or unmount bpffs. */
#include "probe/probe_state.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_NS (2 * NS_PER_SECOND)
/* Long enough to be read by somebody who comes to look. */
#define SAY_FOR_NS (300 * NS_PER_SECOND)

/* Much longer than the kernel's clock for files stands still (a jiffy). */
#define SETTLED_SECONDS 1

/* When an entry was last made or removed. A time so late that another change might not move it is
 * none: {0}. */
static struct timespec last_change(const struct pin_directory *pins)
{
    struct timespec now = {0};
    struct stat st;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (fstat(pins->fd, &st) < 0 || st.st_mtim.tv_sec + SETTLED_SECONDS >= now.tv_sec)
        return (struct timespec){0};
    return st.st_mtim;
}

/* Whether nothing happened in the directory since all pins were found in it. */
static bool is_as_found(const struct probe *probe, const struct timespec *changed)
{
    return changed->tv_sec && changed->tv_sec == probe->pins_changed.tv_sec &&
           changed->tv_nsec == probe->pins_changed.tv_nsec;
}

/* Pins what is not pinned, when `pin` is set; how many that is. The links may be elsewhere. */
static int find_missing(const struct probe *probe, bool pin, bool as_found, unsigned *ret_count)
{
    char path[512];
    int err = 0;

    *ret_count = 0;
    for (size_t i = 0; !as_found && err == 0 && i < probe->map_count; i++) {
        const struct kernel_map *map = &probe->maps[i];

        /* Internal maps are not pinned: only their names have a dot. */
        if (strchr(map->name, '.') || faccessat(probe->pins.fd, map->name, F_OK, 0) == 0)
            continue;
        err = pin ? pin_map(&probe->pins, map->fd, map->name) : 0;
        *ret_count += err == 0;
    }
    for (size_t i = 0; err == 0 && i < probe->link_count; i++) {
        if (!hook_pin_path(probe, &probe->links[i], path) || access(path, F_OK) == 0)
            continue;
        err = pin && bpf_obj_pin(probe->links[i].fd, path) < 0 ? -errno : 0;
        *ret_count += err == 0;
    }
    return err;
}

static int pin_again(struct probe *probe, bool gone, unsigned *ret_count,
                     char why[PROBE_ERROR_BYTES])
{
    int err = gone ? pin_take_again(&probe->pins, why) : 0;

    if (err < 0)
        return err;
    err = find_missing(probe, true, false, ret_count);
    if (err < 0)
        snprintf(why, PROBE_ERROR_BYTES, "%s", strerror(-err));
    return err;
}

static void tell(const struct probe *probe, bool lost, const char *what)
{
    if (probe->ops.on_pins)
        probe->ops.on_pins(probe->ops.ctx, lost, what);
}

static void mend(struct probe *probe, bool gone, unsigned count)
{
    char what[PROBE_REASON_BYTES], why[PROBE_ERROR_BYTES] = "", again[PROBE_REASON_BYTES];
    int err;

    if (gone)
        snprintf(what, sizeof(what), "the pins in %.100s are gone with their directory",
                 probe->pins.path);
    else
        snprintf(what, sizeof(what), "%u pins in %.100s were removed by somebody", count,
                 probe->pins.path);
    err = pin_again(probe, gone, &count, why);
    if (err < 0)
        snprintf(probe->pins_lost, sizeof(probe->pins_lost), "%.160s and cannot be made again: %s",
                 what, why);
    else
        snprintf(probe->pins_lost, sizeof(probe->pins_lost), "%.160s and are made again", what);
    if (!probe->pins_missing)
        tell(probe, true, err < 0 ? probe->pins_lost : what);
    if (err == 0) {
        snprintf(again, sizeof(again), "%u pins are made again in %.100s", count, probe->pins.path);
        tell(probe, false, again);
    }
    probe->pins_missing = err < 0;
}

void pins_watch(struct probe *probe, uint64_t now_ns)
{
    struct timespec changed;
    unsigned count = 0;
    bool gone;

    if (probe->pins.fd < 0 || now_ns < probe->pins_next_ns)
        return;
    probe->pins_next_ns = now_ns + LOOK_EVERY_NS;
    if (probe->pins.name_fd >= 0)
        pin_lock_answer(probe->pins.name_fd);
    if (now_ns - probe->pins_lost_ns >= SAY_FOR_NS)
        probe->pins_lost[0] = '\0';
    gone = pin_is_gone(&probe->pins);
    changed = last_change(&probe->pins); /* before it is looked into */
    if (!gone)
        find_missing(probe, false, is_as_found(probe, &changed), &count);
    if (!gone && !count) {
        probe->pins_changed = changed;
        return;
    }
    mend(probe, gone, count);
    probe->pins_lost_ns = now_ns;
}
