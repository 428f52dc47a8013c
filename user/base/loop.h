/* The event loop: one epoll, one thread, callbacks that must not block. */
#ifndef MOONWATCH_BASE_LOOP_H
#define MOONWATCH_BASE_LOOP_H

#include "base/clock.h"
#include <signal.h>
#include <stdint.h>

struct loop;
struct loop_source;

typedef void loop_fd_fn(void *ctx, uint32_t epoll_events);
typedef void loop_timer_fn(void *ctx, uint64_t now_ns);
typedef void loop_signal_fn(void *ctx, int signo);

int loop_create(struct loop **ret, const struct clock *clock);
void loop_destroy(struct loop *loop); /* releases the sources that are left */

/* All return 0 or a negative errno. The fd is borrowed. A source may be removed inside any
 * callback, its own included. */
int loop_add_fd(struct loop *loop, struct loop_source **ret, int fd, uint32_t epoll_events,
                loop_fd_fn *fn, void *ctx);
/* First fires one interval from now, then on every interval; missed ones are not made up for. */
int loop_add_timer(struct loop *loop, struct loop_source **ret, uint64_t interval_ns,
                   loop_timer_fn *fn, void *ctx);
/* A timer that fires once at `monotonic_ns` (0: disarmed), and can be armed again. */
int loop_add_alarm(struct loop *loop, struct loop_source **ret, loop_timer_fn *fn, void *ctx);
int loop_set_alarm(struct loop_source *alarm, uint64_t monotonic_ns);
/* Blocks the signal for the process and hands it to `fn` from the loop; -EEXIST if another source
 * has it. It stays blocked when the source is removed, so that a late one does not kill. */
int loop_add_signal(struct loop *loop, struct loop_source **ret, int signo, loop_signal_fn *fn,
                    void *ctx);
void loop_remove(struct loop_source *source); /* NULL is fine */

/* Runs until loop_stop(), which may have been called before; returns 0 or a negative errno of
 * epoll. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

struct loop_view {
    uint64_t lag_ns;           /* how late the last interval timer fired */
    uint64_t lag_max_ns;       /* the worst since start */
    uint64_t iterations_total; /* wake-ups of the loop */
};
/* Kept by the loop, for its life. */
const struct loop_view *loop_view(const struct loop *loop);

#endif
