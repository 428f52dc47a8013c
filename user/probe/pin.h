/* The pin directory on bpffs: the agent's lock and the place where its maps can be read.
 *
 * The lock is flock() on the directory itself, so it ends with the process however that ends, and
 * whoever gets it next removes what the dead one left.
 */
#ifndef MOONWATCH_PROBE_PIN_H
#define MOONWATCH_PROBE_PIN_H

#include "probe/probe.h"

struct pin_directory {
    char path[256]; /* "" when nothing is pinned */
    char unpinned_reason[PROBE_ERROR_BYTES];
    int fd;              /* holds the lock; -1 when nothing is pinned */
    unsigned taken_over; /* pins of a killed agent, removed or kept */
    unsigned kept;       /* of those */
};

/* Takes the directory, mounting bpffs at /sys/fs/bpf when it is to be there and
 * `may_mount`. Returns 0, also when
 * nothing can be pinned (`unpinned_reason` then says why), or -EBUSY when another agent holds it,
 * with `error` naming it. A NULL path pins nothing. Of the pins that a killed agent left those stay
 * that `keeps` says (NULL: none). */
int pin_take(struct pin_directory *pins, const char *path, bool may_mount,
             bool (*keeps)(const char *name), char error[PROBE_ERROR_BYTES]);
/* Removes the pins, but for those that `keeps` says are to stay (NULL: none); returns how many. */
bool pin_drop(const struct pin_directory *pins, const char *name); /* one of them */
unsigned pin_remove(struct pin_directory *pins, bool (*keeps)(const char *name));
/* Pins a map by its name; 0 or a negative errno. Nothing to do when nothing is pinned. */
int pin_map(const struct pin_directory *pins, int fd, const char *name);
/* Unpins everything, removes the directory and gives up the lock. */
void pin_release(struct pin_directory *pins);

/* The pid that holds the lock of `path`, 0 when nobody does, or a negative errno (-ENOENT: there is
 * no such directory; -ESRCH: somebody does, but who cannot be found out). */
int pin_holder(const char *path);

#endif
