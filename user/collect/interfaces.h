/* Network interfaces: counters and rates from /proc/net/dev. */
#ifndef MOONWATCH_COLLECT_INTERFACES_H
#define MOONWATCH_COLLECT_INTERFACES_H

#include "base/places.h"
#include "base/scan.h"
#include "model/network.h"

/* Zeroed before the first use. */
struct interfaces {
    struct interface *rows, *before; /* of this sample and of the one before, in the file's order */
    struct interface *ranked;        /* copies of `rows`, what matters most first */
    size_t count, before_count;
    size_t capacity;      /* of all */
    struct places places; /* of `before`, by name; made when the file's order changed */
    bool placed;
    size_t cursor; /* behind the one of `before` that was found last */
    uint64_t sampled_ns;
};

/* Takes the content of /proc/net/dev; `sys` is where sysfs is. 0, or -ENOMEM, or -EBADMSG when it
 * holds no interface at all; then there are no rows. */
int interfaces_update(struct interfaces *interfaces, const char *sys, struct scan file,
                      uint64_t now_ns);
/* The next update has nothing to compare with. */
void interfaces_forget(struct interfaces *interfaces);
void interfaces_free(struct interfaces *interfaces);

#endif
