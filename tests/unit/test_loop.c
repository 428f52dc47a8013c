/* The event loop on real descriptors. No test waits for a time: each runs the loop until what it
 * expects has happened, and CTest's limit ends one that waits in vain. */
#include "base/loop.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct scene {
    struct loop *loop;
    struct loop_source *source, *other, *alarm;
    int fd, other_fd;
    int calls, other_calls;
    int stop_at;
    int signo;
    uint64_t times[16];
};

static struct scene new_scene(void)
{
    struct scene s = {.fd = -1, .other_fd = -1};

    assert_int_equal(loop_create(&s.loop, clock_system()), 0);
    return s;
}

static int ready_fd(void)
{
    int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static void count_fd(void *ctx, uint32_t events)
{
    struct scene *s = ctx;

    assert_true(events & EPOLLIN);
    if (++s->calls == s->stop_at)
        loop_stop(s->loop);
}

static void count_timer(void *ctx, uint64_t now_ns)
{
    struct scene *s = ctx;

    if (s->calls < 16)
        s->times[s->calls] = now_ns;
    if (++s->calls == s->stop_at)
        loop_stop(s->loop);
}

static void count_signal(void *ctx, int signo)
{
    struct scene *s = ctx;

    s->signo = signo;
    if (++s->calls == s->stop_at)
        loop_stop(s->loop);
}

static void a_ready_fd_is_reported_until_stop(void **state)
{
    struct scene s = new_scene();
    struct loop_view view;

    s.stop_at = 3;
    s.fd = ready_fd();
    assert_int_equal(loop_add_fd(s.loop, &s.source, s.fd, EPOLLIN, count_fd, &s), 0);
    assert_int_equal(loop_add_fd(s.loop, &s.other, s.fd, EPOLLIN, count_fd, &s), -EEXIST);
    assert_null(s.other);
    assert_int_equal(loop_add_fd(s.loop, NULL, -1, EPOLLIN, count_fd, &s), -EBADF);
    assert_int_equal(loop_run(s.loop), 0);
    assert_int_equal(s.calls, 3);
    view = *loop_view(s.loop);
    assert_int_equal(view.iterations_total, 3);
    loop_destroy(s.loop);
    /* Borrowed: still open. */
    assert_int_equal(eventfd_write(s.fd, 1), 0);
    close(s.fd);
}

static void a_stop_before_the_run_counts(void **state)
{
    struct scene s = new_scene();

    s.fd = ready_fd();
    assert_int_equal(loop_add_fd(s.loop, NULL, s.fd, EPOLLIN, count_fd, &s), 0);
    loop_stop(s.loop);
    assert_int_equal(loop_run(s.loop), 0);
    assert_int_equal(s.calls, 0);
    s.stop_at = 1;
    assert_int_equal(loop_run(s.loop), 0);
    assert_int_equal(s.calls, 1);
    loop_destroy(s.loop);
    close(s.fd);
}

static void hang_up_is_reported(void **state)
{
    struct scene s = new_scene();
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    close(pair[1]);
    s.stop_at = 1;
    assert_int_equal(loop_add_fd(s.loop, NULL, pair[0], EPOLLIN, count_fd, &s), 0);
    assert_int_equal(loop_run(s.loop), 0);
    loop_destroy(s.loop);
    close(pair[0]);
}

static void remove_self(void *ctx, uint32_t events)
{
    struct scene *s = ctx;

    s->calls++;
    loop_remove(s->source);
    loop_remove(s->source); /* until the round ends it may be named again */
    loop_stop(s->loop);
}

static void a_source_may_remove_itself(void **state)
{
    struct scene s = new_scene();

    s.fd = ready_fd();
    assert_int_equal(loop_add_fd(s.loop, &s.source, s.fd, EPOLLIN, remove_self, &s), 0);
    assert_int_equal(loop_run(s.loop), 0);
    assert_int_equal(s.calls, 1);
    /* The fd may be added again. */
    s.stop_at = 2;
    assert_int_equal(loop_add_fd(s.loop, &s.source, s.fd, EPOLLIN, count_fd, &s), 0);
    assert_int_equal(loop_run(s.loop), 0);
    loop_remove(s.source);
    loop_remove(NULL);
    loop_destroy(s.loop);
    close(s.fd);
}

static void stop(void *ctx, uint64_t now_ns)
{
    struct scene *s = ctx;

    loop_stop(s->loop);
}

/* Both are ready in one round; whichever comes first removes the other. The alarm that stops the
 * loop comes in a later round, so that the rest of this one is dispatched. */
static void remove_other(void *ctx, uint32_t events)
{
    struct scene *s = ctx;

    s->calls++;
    loop_remove(s->other);
    close(s->other_fd);
    assert_int_equal(loop_set_alarm(s->alarm, 1), 0);
}

static void remove_first(void *ctx, uint32_t events)
{
    struct scene *s = ctx;

    s->other_calls++;
    loop_remove(s->source);
    close(s->fd);
    assert_int_equal(loop_set_alarm(s->alarm, 1), 0);
}

static void a_source_removed_in_its_round_is_not_called(void **state)
{
    struct scene s = new_scene();

    s.fd = ready_fd();
    s.other_fd = ready_fd();
    assert_int_equal(loop_add_alarm(s.loop, &s.alarm, stop, &s), 0);
    assert_int_equal(loop_add_fd(s.loop, &s.source, s.fd, EPOLLIN | EPOLLET, remove_other, &s), 0);
    assert_int_equal(loop_add_fd(s.loop, &s.other, s.other_fd, EPOLLIN | EPOLLET, remove_first, &s),
                     0);
    assert_int_equal(loop_run(s.loop), 0);
    assert_int_equal(s.calls + s.other_calls, 1);
    if (s.calls)
        close(s.fd);
    else
        close(s.other_fd);
    loop_destroy(s.loop);
}

static void add_another(void *ctx, uint32_t events)
{
    struct scene *s = ctx;

    loop_remove(s->source);
    assert_int_equal(loop_add_fd(s->loop, &s->source, s->fd, EPOLLIN, count_fd, s), 0);
}

static void a_source_may_be_replaced_in_its_callback(void **state)
{
    struct scene s = new_scene();

    s.fd = ready_fd();
    s.stop_at = 2;
    assert_int_equal(loop_add_fd(s.loop, &s.source, s.fd, EPOLLIN, add_another, &s), 0);
    assert_int_equal(loop_run(s.loop), 0);
    assert_int_equal(s.calls, 2);
    loop_destroy(s.loop);
    close(s.fd);
}

static void an_interval_timer_fires_on_its_grid(void **state)
{
    const uint64_t interval_ns = 2 * NS_PER_MS;
    struct scene s = new_scene();
    struct loop_view view;
    uint64_t start_ns;
    int i;

    s.stop_at = 5;
    assert_int_equal(loop_add_timer(s.loop, &s.source, 0, count_timer, &s), -EINVAL);
    start_ns = clock_monotonic_ns(clock_system());
    assert_int_equal(loop_add_timer(s.loop, &s.source, interval_ns, count_timer, &s), 0);
    assert_int_equal(loop_run(s.loop), 0);
    for (i = 0; i < 5; i++)
        assert_true(s.times[i] >= start_ns + (uint64_t)(i + 1) * interval_ns);
    view = *loop_view(s.loop);
    assert_true(view.lag_max_ns >= view.lag_ns);
    assert_true(view.lag_max_ns <= s.times[4] - start_ns);
    loop_destroy(s.loop);
}

/* A callback that blocks for several intervals: they are merged, and the lag shows it. */
static void block(void *ctx, uint64_t now_ns)
{
    struct scene *s = ctx;

    s->times[s->calls++] = now_ns;
    if (s->calls == 1)
        while (clock_monotonic_ns(clock_system()) < now_ns + 20 * NS_PER_MS)
            ;
    else
        loop_stop(s->loop);
}

static void missed_intervals_are_not_made_up_for(void **state)
{
    struct scene s = new_scene();
    struct loop_view view;

    assert_int_equal(loop_add_timer(s.loop, NULL, NS_PER_MS, block, &s), 0);
    assert_int_equal(loop_run(s.loop), 0);
    assert_int_equal(s.calls, 2);
    assert_true(s.times[1] - s.times[0] >= 20 * NS_PER_MS);
    view = *loop_view(s.loop);
    assert_true(view.lag_max_ns >= 18 * NS_PER_MS);
    loop_destroy(s.loop);
}

static void an_alarm_fires_once_and_can_be_set_again(void **state)
{
    struct scene s = new_scene();
    struct loop_source *alarm, *timer;
    uint64_t at_ns;

    assert_int_equal(loop_add_alarm(s.loop, &alarm, count_timer, &s), 0);
    at_ns = clock_monotonic_ns(clock_system()) + 3 * NS_PER_MS;
    assert_int_equal(loop_set_alarm(alarm, at_ns), 0);
    s.stop_at = 1;
    assert_int_equal(loop_run(s.loop), 0);
    assert_true(s.times[0] >= at_ns);
    /* In the past: at once. */
    assert_int_equal(loop_set_alarm(alarm, 1), 0);
    s.stop_at = 2;
    assert_int_equal(loop_run(s.loop), 0);
    /* Disarmed, it stays silent while a timer fires. */
    assert_int_equal(loop_set_alarm(alarm, clock_monotonic_ns(clock_system()) + NS_PER_MS), 0);
    assert_int_equal(loop_set_alarm(alarm, 0), 0);
    assert_int_equal(loop_add_timer(s.loop, &timer, 3 * NS_PER_MS, count_timer, &s), 0);
    assert_int_equal(loop_set_alarm(timer, 1), -EINVAL);
    s.stop_at = 3;
    assert_int_equal(loop_run(s.loop), 0);
    loop_remove(timer);
    loop_remove(alarm);
    loop_destroy(s.loop);
    assert_int_equal(s.calls, 3);
}

static uint64_t frozen_ns(void *ctx)
{
    return *(uint64_t *)ctx;
}

static void alarms_follow_the_injected_clock(void **state)
{
    uint64_t now_ns = 1000 * NS_PER_SECOND;
    const struct clock frozen = {frozen_ns, frozen_ns, &now_ns};
    struct scene s = {.fd = -1};
    struct loop_source *alarm;

    assert_int_equal(loop_create(&s.loop, &frozen), 0);
    assert_int_equal(loop_add_alarm(s.loop, &alarm, count_timer, &s), 0);
    assert_int_equal(loop_set_alarm(alarm, now_ns + NS_PER_MS), 0);
    s.stop_at = 1;
    assert_int_equal(loop_run(s.loop), 0);
    assert_int_equal(s.times[0], now_ns);
    loop_destroy(s.loop);
}

static void signals_come_through_the_loop(void **state)
{
    struct scene s = new_scene();

    assert_int_equal(loop_add_signal(s.loop, &s.source, SIGUSR1, count_signal, &s), 0);
    assert_int_equal(loop_add_signal(s.loop, &s.other, SIGUSR1, count_signal, &s), -EEXIST);
    assert_int_equal(loop_add_signal(s.loop, &s.other, 12345, count_signal, &s), -EINVAL);
    assert_int_equal(raise(SIGUSR1), 0);
    s.stop_at = 1;
    assert_int_equal(loop_run(s.loop), 0);
    assert_int_equal(s.signo, SIGUSR1);
    /* Removed: a late one does not kill, and the next source gets it. */
    loop_remove(s.source);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(loop_add_signal(s.loop, &s.source, SIGUSR1, count_signal, &s), 0);
    s.stop_at = 2;
    assert_int_equal(loop_run(s.loop), 0);
    loop_destroy(s.loop);
}

static void many_sources_are_all_served(void **state)
{
    struct scene s = new_scene();
    struct loop_source *sources[200];
    int fds[200], i;

    for (i = 0; i < 200; i++) {
        fds[i] = ready_fd();
        assert_int_equal(loop_add_fd(s.loop, &sources[i], fds[i], EPOLLIN | EPOLLET, count_fd, &s),
                         0);
    }
    s.stop_at = 200;
    assert_int_equal(loop_run(s.loop), 0);
    for (i = 0; i < 200; i += 2)
        loop_remove(sources[i]);
    loop_destroy(s.loop);
    for (i = 0; i < 200; i++)
        close(fds[i]);
    loop_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ready_fd_is_reported_until_stop),
        cmocka_unit_test(a_stop_before_the_run_counts),
        cmocka_unit_test(hang_up_is_reported),
        cmocka_unit_test(a_source_may_remove_itself),
        cmocka_unit_test(a_source_removed_in_its_round_is_not_called),
        cmocka_unit_test(a_source_may_be_replaced_in_its_callback),
        cmocka_unit_test(an_interval_timer_fires_on_its_grid),
        cmocka_unit_test(missed_intervals_are_not_made_up_for),
        cmocka_unit_test(an_alarm_fires_once_and_can_be_set_again),
        cmocka_unit_test(alarms_follow_the_injected_clock),
        cmocka_unit_test(signals_come_through_the_loop),
        cmocka_unit_test(many_sources_are_all_served),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
