#include "transfer/watch.h"
#include <stddef.h>

void watch_end(struct watch *watch)
{
    loop_remove(watch->source);
    watch->source = NULL;
    watch->epoll_events = 0;
}

int watch_set(struct watch *watch, struct loop *loop, int fd, uint32_t epoll_events, loop_fd_fn *fn,
              void *ctx)
{
    int r;

    if (watch->source && watch->fd == fd && watch->epoll_events == epoll_events)
        return 0;
    watch_end(watch);
    if (!epoll_events)
        return 0;
    r = loop_add_fd(loop, &watch->source, fd, epoll_events, fn, ctx);
    if (r < 0)
        return r;
    watch->loop = loop;
    watch->fd = fd;
    watch->epoll_events = epoll_events;
    return 0;
}
