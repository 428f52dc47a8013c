/* A descriptor of a library's, watched for what the library asks at the moment. */
#ifndef MOONWATCH_TRANSFER_WATCH_H
#define MOONWATCH_TRANSFER_WATCH_H

#include "base/loop.h"

struct watch {
    struct loop *loop;
    struct loop_source *source;
    int fd;
    uint32_t epoll_events;
};

/* `epoll_events` 0: not at all. 0 or a negative errno, after which it is not watched. A zeroed
 * watch is one that watches nothing. */
int watch_set(struct watch *watch, struct loop *loop, int fd, uint32_t epoll_events, loop_fd_fn *fn,
              void *ctx);
void watch_end(struct watch *watch);

#endif
