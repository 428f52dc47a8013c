/* Whether the pins are still there: somebody may remove them, or unmount bpffs. */
#include "probe/state.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_EVERY_NS (10 * NS_PER_SECOND)
/* Long enough to be read by somebody who comes to look. */
#define SAY_FOR_NS (300 * NS_PER_SECOND)

static int pin_again(const struct probe *probe, unsigned *ret_count)
{
    char path[512];
    int err = 0;

    for (size_t i = 0; err == 0 && i < probe->map_count; i++) {
        const struct kernel_map *map = &probe->maps[i];

        /* Internal maps are not pinned: only their names have a dot. */
        if (strchr(map->name, '.') || faccessat(probe->pins.fd, map->name, F_OK, 0) == 0)
            continue;
        err = pin_map(&probe->pins, map->fd, map->name);
        *ret_count += err == 0;
    }
    for (size_t i = 0; err == 0 && i < probe->link_count; i++) {
        if (!hook_pin_path(probe, &probe->links[i], path) || access(path, F_OK) == 0)
            continue;
        err = bpf_obj_pin(probe->links[i].fd, path) < 0 ? -errno : 0;
        *ret_count += err == 0;
    }
    return err;
}

void pins_watch(struct probe *probe, uint64_t now_ns)
{
    unsigned count = 0;
    int err;

    if (probe->pins.fd < 0 || now_ns < probe->pins_next_ns)
        return;
    probe->pins_next_ns = now_ns + LOOK_EVERY_NS;
    if (now_ns - probe->pins_lost_ns >= SAY_FOR_NS)
        probe->pins_lost[0] = '\0';
    if (pin_is_gone(&probe->pins)) {
        snprintf(probe->pins_lost, sizeof(probe->pins_lost),
                 "the pins in %.100s are gone (restart the agent)", probe->pins.path);
        probe->pins_lost_ns = now_ns;
        return;
    }
    err = pin_again(probe, &count);
    if (err < 0)
        snprintf(probe->pins_lost, sizeof(probe->pins_lost),
                 "pins in %.100s were removed and cannot be made again: %s", probe->pins.path,
                 strerror(-err));
    else if (count)
        snprintf(probe->pins_lost, sizeof(probe->pins_lost),
                 "%u pins in %.100s were removed by somebody and are made again", count,
                 probe->pins.path);
    if (err < 0 || count)
        probe->pins_lost_ns = now_ns;
}
