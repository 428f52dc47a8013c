/* Network namespaces by the cookies that the kernel's programs compare: unlike inode numbers these
 * are never given twice.
 */
#ifndef MOONWATCH_SERVICE_NETNS_H
#define MOONWATCH_SERVICE_NETNS_H

#include "config/services.h" /* NETNS_OWN, NETNS_ANY */
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* What was found at a path before; zeroed in the beginning. */
struct netns_seen {
    dev_t device;
    ino_t inode;
    struct timespec changed;
    uint64_t cookie; /* 0: nothing was */
};

/* The cookie of `netns` (as configured: "own", "any", or the path of a namespace's file,
 * e.g. /run/netns/NAME); 0: any. It costs one stat() while the path leads to what `seen` says. 0 or
 * a negative errno: nothing is there, or no network namespace. */
int netns_find(const char *netns, struct netns_seen *seen, uint64_t *ret_cookie);

#endif
