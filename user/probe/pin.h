/* The pin directory on bpffs: the agent's lock and the place where its maps can be read.
 *
 * The lock is flock() on the directory itself, so it ends with the process however that ends, and
 * whoever gets it next removes what the dead one left.
 */
#ifndef MOONWATCH_PROBE_PIN_H
#define MOONWATCH_PROBE_PIN_H

#include "probe/probe.h"
#include <limits.h>

struct pin_directory {
    char path[256]; /* "" when nothing is pinned */
    char unpinned_reason[PROBE_ERROR_BYTES];
    int fd;              /* holds the lock; -1 when nothing is pinned */
    unsigned taken_over; /* pins of a killed agent, removed or kept */
    unsigned kept;       /* of those */
    bool of_agent;       /* what was there when it was taken is an agent's of whatever version */
    /* Whether this version has a map of that name; NULL: none. */
    bool (*has_map)(const void *ctx, const char *name);
    const void *ctx;
};

/* Takes the directory, whose `has_map` and `ctx` are set and nothing else, mounting bpffs at
 * /sys/fs/bpf when it is to be there and `may_mount`. Returns 0, also when nothing can be pinned
 * (`unpinned_reason` then says why), or with a line in `error` -EBUSY when another agent holds it
 * and -ENOTEMPTY when it holds what is not ours. A NULL path pins nothing. Of the pins that a
 * killed agent left those stay that `keeps` says (NULL: none). */
int pin_take(struct pin_directory *pins, const char *path, bool may_mount,
             bool (*keeps)(const char *name), char error[PROBE_ERROR_BYTES]);
/* Removes our pins, but for those that `keeps` says are to stay (NULL: none); returns how many. */
bool pin_drop(const struct pin_directory *pins, const char *name); /* one of them */
unsigned pin_remove(struct pin_directory *pins, bool (*keeps)(const char *name));
/* Pins a map by its name; 0 or a negative errno. Nothing to do when nothing is pinned. */
int pin_map(const struct pin_directory *pins, int fd, const char *name);
/* Whether the directory holds the map that every version pins. */
bool pin_finds_agent(const struct pin_directory *pins);
/* Whether an agent has pinned it. */
bool pin_is_ours(const struct pin_directory *pins, const char *name);
/* The name of an entry that is not ours, if there is one. */
bool pin_find_foreign(const struct pin_directory *pins, char ret[NAME_MAX + 1]);
/* Whether the directory is not where it was taken any more: removed, or its bpffs unmounted. */
bool pin_is_gone(const struct pin_directory *pins);
/* Unpins what is ours, removes the directory and gives up the lock. */
void pin_release(struct pin_directory *pins);

/* The pid that holds the lock of `path`, 0 when nobody does, or a negative errno (-ENOENT: there is
 * no such directory; -ESRCH: somebody does, but who cannot be found out). */
int pin_holder(const char *path);

#endif
