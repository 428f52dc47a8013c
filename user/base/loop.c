#include "base/loop.h"
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Sources ready at once are few; what does not fit comes with the next epoll_wait. */
#define EVENTS_PER_WAIT 32

enum source_kind { SOURCE_FD, SOURCE_TIMER, SOURCE_ALARM, SOURCE_SIGNAL };

struct loop_source {
    enum source_kind kind;
    struct loop *loop;
    struct loop_source *next, *previous;
    int fd;
    bool removed; /* waits in `loop->removed` until no event of this round can name it */
    void *ctx;
    union {
        loop_fd_fn *on_fd;
        loop_timer_fn *on_timer;
        loop_signal_fn *on_signal;
    };
    int signo;
    uint64_t interval_ns;
    uint64_t due_ns; /* when the interval timer should fire next */
};

struct loop {
    int epoll_fd;
    const struct clock *clock;
    bool stopped;
    bool dispatching;
    struct loop_source *sources;
    struct loop_source *removed;
    struct loop_view view;
};

int loop_create(struct loop **ret, const struct clock *clock)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    int err;

    if (!loop)
        return -ENOMEM;
    loop->clock = clock;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        err = -errno;
        free(loop);
        return err;
    }
    *ret = loop;
    return 0;
}

static void free_removed(struct loop *loop)
{
    struct loop_source *source;

    while ((source = loop->removed)) {
        loop->removed = source->next;
        free(source);
    }
}

void loop_destroy(struct loop *loop)
{
    if (!loop)
        return;
    while (loop->sources)
        loop_remove(loop->sources);
    free_removed(loop);
    close(loop->epoll_fd);
    free(loop);
}

/* Takes a source made on the stack into the loop. The fd stays the caller's on failure. */
static int add_source(struct loop *loop, struct loop_source **ret, const struct loop_source *made,
                      uint32_t epoll_events)
{
    struct epoll_event event = {.events = epoll_events};
    struct loop_source *source = malloc(sizeof(*source));
    int err;

    if (!source)
        return -ENOMEM;
    *source = *made;
    source->loop = loop;
    event.data.ptr = source;
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, source->fd, &event) < 0) {
        err = -errno;
        free(source);
        return err;
    }
    source->next = loop->sources;
    if (source->next)
        source->next->previous = source;
    loop->sources = source;
    if (ret)
        *ret = source;
    return 0;
}

/* Like add_source(), for a fd of the loop's own. */
static int add_owned(struct loop *loop, struct loop_source **ret, const struct loop_source *made)
{
    int err;

    if (made->fd < 0)
        return -errno;
    err = add_source(loop, ret, made, EPOLLIN);
    if (err)
        close(made->fd);
    return err;
}

int loop_add_fd(struct loop *loop, struct loop_source **ret, int fd, uint32_t epoll_events,
                loop_fd_fn *fn, void *ctx)
{
    struct loop_source source = {.kind = SOURCE_FD, .fd = fd, .on_fd = fn, .ctx = ctx};

    return add_source(loop, ret, &source, epoll_events);
}

static int new_timerfd(void)
{
    return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_SECOND),
                             .tv_nsec = (long)(ns % NS_PER_SECOND)};
}

int loop_add_timer(struct loop *loop, struct loop_source **ret, uint64_t interval_ns,
                   loop_timer_fn *fn, void *ctx)
{
    struct loop_source source = {
        .kind = SOURCE_TIMER,
        .on_timer = fn,
        .ctx = ctx,
        .interval_ns = interval_ns,
        .due_ns = clock_monotonic_ns(loop->clock) + interval_ns,
    };
    struct itimerspec when = {timespec_of(interval_ns), timespec_of(interval_ns)};
    int err;

    if (!interval_ns)
        return -EINVAL;
    source.fd = new_timerfd();
    if (source.fd >= 0 && timerfd_settime(source.fd, 0, &when, NULL) < 0) {
        err = -errno;
        close(source.fd);
        return err;
    }
    return add_owned(loop, ret, &source);
}

int loop_add_alarm(struct loop *loop, struct loop_source **ret, loop_timer_fn *fn, void *ctx)
{
    struct loop_source source = {
        .kind = SOURCE_ALARM, .fd = new_timerfd(), .on_timer = fn, .ctx = ctx};

    return add_owned(loop, ret, &source);
}

int loop_set_alarm(struct loop_source *alarm, uint64_t monotonic_ns)
{
    struct itimerspec when = {{0, 0}, {0, 0}};
    uint64_t now_ns;

    if (alarm->kind != SOURCE_ALARM || alarm->removed)
        return -EINVAL;
    /* Relative, so that an injected clock need not agree with the kernel's. 1 ns: at once. */
    if (monotonic_ns) {
        now_ns = clock_monotonic_ns(alarm->loop->clock);
        when.it_value = timespec_of(monotonic_ns > now_ns ? monotonic_ns - now_ns : 1);
    }
    return timerfd_settime(alarm->fd, 0, &when, NULL) < 0 ? -errno : 0;
}

int loop_add_signal(struct loop *loop, struct loop_source **ret, int signo, loop_signal_fn *fn,
                    void *ctx)
{
    struct loop_source source = {
        .kind = SOURCE_SIGNAL, .on_signal = fn, .ctx = ctx, .signo = signo};
    const struct loop_source *other;
    sigset_t set;

    for (other = loop->sources; other; other = other->next)
        if (other->kind == SOURCE_SIGNAL && other->signo == signo)
            return -EEXIST;
    sigemptyset(&set);
    if (sigaddset(&set, signo) < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    source.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return add_owned(loop, ret, &source);
}

void loop_remove(struct loop_source *source)
{
    struct loop *loop;

    if (!source || source->removed)
        return;
    loop = source->loop;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    if (source->kind != SOURCE_FD)
        close(source->fd);
    if (source->previous)
        source->previous->next = source->next;
    else
        loop->sources = source->next;
    if (source->next)
        source->next->previous = source->previous;
    source->removed = true;
    source->next = loop->removed;
    loop->removed = source;
    if (!loop->dispatching)
        free_removed(loop);
}

static void dispatch_timer(struct loop_source *source)
{
    struct loop *loop = source->loop;
    uint64_t expirations, now_ns;

    /* EAGAIN: it was set anew after epoll reported it. */
    if (read(source->fd, &expirations, sizeof(expirations)) != sizeof(expirations))
        return;
    now_ns = clock_monotonic_ns(loop->clock);
    if (source->kind == SOURCE_TIMER) {
        loop->view.lag_ns = now_ns > source->due_ns ? now_ns - source->due_ns : 0;
        if (loop->view.lag_ns > loop->view.lag_max_ns)
            loop->view.lag_max_ns = loop->view.lag_ns;
        source->due_ns += expirations * source->interval_ns;
    }
    source->on_timer(source->ctx, now_ns);
}

static void dispatch_signal(struct loop_source *source)
{
    struct signalfd_siginfo info;

    while (!source->removed && read(source->fd, &info, sizeof(info)) == sizeof(info))
        source->on_signal(source->ctx, (int)info.ssi_signo);
}

static void dispatch(struct loop_source *source, uint32_t events)
{
    switch (source->kind) {
    case SOURCE_FD:
        source->on_fd(source->ctx, events);
        break;
    case SOURCE_TIMER:
    case SOURCE_ALARM:
        dispatch_timer(source);
        break;
    case SOURCE_SIGNAL:
        dispatch_signal(source);
        break;
    }
}

int loop_run(struct loop *loop)
{
    struct epoll_event events[EVENTS_PER_WAIT];
    struct loop_source *source;
    int n, i, err = 0;

    while (!loop->stopped) {
        n = epoll_wait(loop->epoll_fd, events, EVENTS_PER_WAIT, -1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err = -errno;
            break;
        }
        loop->view.iterations_total++;
        loop->dispatching = true;
        for (i = 0; i < n && !loop->stopped; i++) {
            source = events[i].data.ptr;
            if (!source->removed)
                dispatch(source, events[i].events);
        }
        loop->dispatching = false;
        free_removed(loop);
    }
    loop->stopped = false;
    return err;
}

void loop_stop(struct loop *loop)
{
    loop->stopped = true;
}

const struct loop_view *loop_view(const struct loop *loop)
{
    return &loop->view;
}
