/* The pin directory on bpffs: the agent's lock and the place where its maps can be read.
 *
 * The lock is flock() on the directory itself, so it ends with the process however that ends, and
 * whoever gets it next removes what the dead one left. Since the directory can be removed, there is
 * a second one: a name among the abstract Unix sockets, made of the path. It holds in one network
 * namespace.
 */
#ifndef MOONWATCH_PROBE_PIN_H
#define MOONWATCH_PROBE_PIN_H

#include "probe/probe.h"
#include <limits.h>

#define PIN_PATH_BYTES 256

struct pin_directory {
    char path[PIN_PATH_BYTES]; /* "" when nothing is pinned */
    char unpinned_reason[PROBE_ERROR_BYTES];
    int fd;              /* holds the lock; -1 when nothing is pinned */
    int name_fd;         /* holds the name; negative without one */
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
/* After that: makes it again, empty, and takes it. 0, or a negative errno with the reason. */
int pin_take_again(struct pin_directory *pins, char why[PROBE_ERROR_BYTES]);
/* Unpins what is ours, removes the directory and gives up the lock. */
void pin_release(struct pin_directory *pins);

/* pin_path.c: the one path of the directory, be it there or not: without links, "." and "..", and
 * slashes that say nothing. What is locked and compared is the text. 0, or a negative errno
 * (-EINVAL: it is not absolute, or is the root). */
int pin_path_resolve(const char *path, char ret[PIN_PATH_BYTES]);

/* pin_lock.c: makes the directory if need be, opens and locks it. 0, -EAGAIN when it was removed
 * meanwhile, or a negative errno; with -EBUSY the holder's pid, or negative. */
int pin_lock_directory(const char *path, int *ret_fd, int *ret_holder);
/* Of a path that was resolved: a file descriptor that holds the name, or a negative errno: -EBUSY
 * when an agent holds it, and others when there is no way to have it. */
int pin_lock_name(const char *path, int *ret_holder);
/* Lets go those who asked who has the name, before so many wait that nobody else can ask. */
void pin_lock_answer(int name_fd);
/* The pid of the agent that holds the directory of a configured path, 0 when nobody does, or a
 * negative errno (-ENOENT: there is no such directory; -ESRCH: somebody does, but who cannot be
 * found out). */
int pin_holder(const char *configured);

#endif
