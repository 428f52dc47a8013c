/* produced = consumed + dropped, exactly, with and without overload. */
#include "loader_fixture.h"
#include <sys/epoll.h>
#include <sys/wait.h>

static struct loader loader;

static int setup(void **state)
{
    loader_init(&loader);
    return 0;
}

static int teardown(void **state)
{
    loader_close(&loader);
    return 0;
}

static void drain_all(void)
{
    int n;

    do {
        n = probe_drain(loader.probe);
        assert_true(n >= 0);
    } while (n > 0);
}

static void assert_exact(uint64_t produced)
{
    struct probe_view view;

    probe_view(loader.probe, &view);
    assert_int_equal(view.records[RECORD_SLOW_WAIT].produced, produced);
    assert_int_equal(view.records[RECORD_SLOW_WAIT].consumed, loader.records);
    assert_int_equal(view.records[RECORD_SLOW_WAIT].produced,
                     view.records[RECORD_SLOW_WAIT].consumed +
                         view.records[RECORD_SLOW_WAIT].dropped);
    assert_int_equal(loader.out_of_order, 0);
}

static void test_nothing_is_lost_when_there_is_room(void **state)
{
    struct probe_view view;

    skip_unless_root();
    loader_open_flood(&loader);
    loader_arm_flood(&loader, 100);
    for (int i = 0; i < 50; i++) {
        flood_once();
        assert_int_equal(probe_drain(loader.probe), 100);
    }
    assert_exact(5000);
    probe_view(loader.probe, &view);
    assert_int_equal(view.records[RECORD_SLOW_WAIT].dropped, 0);
    assert_int_equal(loader.next_sequence, 5000);
}

static void test_overload_is_counted_exactly(void **state)
{
    struct probe_view view;
    /* A record takes its 64 bytes and a head of 8; the kernel keeps the buffer short of full. */
    const uint64_t room = (1 << 16) / 72;

    skip_unless_root();
    loader_open_flood(&loader);
    loader_arm_flood(&loader, 10000);
    flood_once();
    drain_all();
    assert_exact(10000);
    probe_view(loader.probe, &view);
    assert_in_range(view.records[RECORD_SLOW_WAIT].consumed, room - 2, room);
    /* And it goes on afterwards. */
    loader_arm_flood(&loader, 10);
    flood_once();
    drain_all();
    assert_exact(10010);
}

/* Threads of two processes overrun the buffer while it is being drained. */
static void test_overload_during_drain_is_counted_exactly(void **state)
{
    enum { CALLS = 200, PER_CALL = 2000 };
    pid_t child;
    int status = 0;

    skip_unless_root();
    loader_open_flood(&loader);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        loader_arm_flood(&loader, PER_CALL);
        for (int i = 0; i < CALLS; i++)
            flood_once();
        _exit(0);
    }
    while (waitpid(child, &status, WNOHANG) == 0)
        assert_true(probe_drain(loader.probe) >= 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    drain_all();
    assert_exact((uint64_t)CALLS * PER_CALL);
}

#define DEADLINE_MS 60000

/* A wake-up is an interrupt that the kernel sends itself: it comes, or it does not. */
static bool readable(int timeout_ms)
{
    struct pollfd ring = {.fd = probe_ring_fd(loader.probe), .events = POLLIN};

    return poll(&ring, 1, timeout_ms) == 1;
}

/* The wake policy: nobody is woken before an eighth of the buffer is full. */
static void test_an_eighth_wakes(void **state)
{
    const uint64_t eighth = (1 << 16) / 8 / 72;

    skip_unless_root();
    loader_open_flood(&loader);
    assert_false(readable(0));
    loader_arm_flood(&loader, eighth - 2);
    flood_once();
    assert_false(readable(0));
    loader_arm_flood(&loader, 4);
    flood_once();
    assert_true(readable(DEADLINE_MS));
    drain_all();
    assert_false(readable(0));
}

/* Wakeups of whoever waits for the ring buffer since the last call. */
static bool was_woken(int epoll_fd, int timeout_ms)
{
    struct epoll_event event;

    return epoll_wait(epoll_fd, &event, 1, timeout_ms) == 1;
}

/* A reader that was woken and has not read yet is not woken again; once it has, it is. */
static void test_a_late_reader_is_woken_once(void **state)
{
    const uint64_t eighth = (1 << 16) / 8 / 72;
    struct epoll_event edge = {.events = EPOLLIN | EPOLLET};
    int epoll_fd, events_fd;

    skip_unless_root();
    loader_open_flood(&loader);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    events_fd = loader_map_fd(&loader, "events");
    assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, events_fd, &edge), 0);
    for (int turn = 0; turn < 20; turn++) {
        loader_arm_flood(&loader, eighth + 2);
        flood_once();
        assert_true(was_woken(epoll_fd, DEADLINE_MS));
        loader_arm_flood(&loader, 300);
        flood_once();
        assert_false(was_woken(epoll_fd, 0));
        drain_all();
    }
    /* Nor when it is too late, and still it is woken when there is room again. */
    loader_arm_flood(&loader, 5000);
    flood_once();
    assert_true(was_woken(epoll_fd, DEADLINE_MS));
    flood_once();
    assert_false(was_woken(epoll_fd, 0));
    drain_all();
    loader_arm_flood(&loader, eighth + 2);
    flood_once();
    assert_true(was_woken(epoll_fd, DEADLINE_MS));
    close(events_fd);
    close(epoll_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_is_lost_when_there_is_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overload_is_counted_exactly, setup, teardown),
        cmocka_unit_test_setup_teardown(test_overload_during_drain_is_counted_exactly, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_eighth_wakes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_late_reader_is_woken_once, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
