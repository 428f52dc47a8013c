/* Another configuration for parts that run: all of them have it, or none.
 *
 * Every part first makes what it needs (stage); nothing that can be seen changes. When all could,
 * all take it (commit), which cannot fail and calls nobody. Then they say what follows from it
 * (tell): from there on every index and every pointer is the new configuration's, and the old one
 * may go when all have told. When one could not, all forget what they made (unstage), which also
 * does for one that made nothing.
 */
#ifndef MOONWATCH_CONFIG_RELOAD_H
#define MOONWATCH_CONFIG_RELOAD_H

#include "config/config.h"
#include <stddef.h>

#define RELOAD_ERROR_BYTES 1024

struct config_part {
    const char *name; /* for the error of one that gives none itself */
    /* `next` is borrowed until another has been told of. 0 or a negative errno; `error` may be left
     * empty. NULL, and so is `unstage`: nothing is made that could fail. */
    int (*stage)(void *part, const struct config *next, char error[RELOAD_ERROR_BYTES]);
    void (*unstage)(void *part);
    void (*commit)(void *part);
    void (*tell)(void *part); /* NULL: nothing follows */
    void *part;
};

/* Stages and commits all; config_parts_tell() is then due. On an error, in `error` as one line,
 * nothing has changed and `next` is borrowed by nobody. */
int config_parts_set(const struct config_part *parts, size_t count, const struct config *next,
                     char error[RELOAD_ERROR_BYTES]);
void config_parts_tell(const struct config_part *parts, size_t count);

#endif
