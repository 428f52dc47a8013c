/* Lines that wait for what they tell to be on the disk. */
#include "log_fixture.h"
#include <poll.h>

static int set_up(void **state)
{
    return log_fixture_open(state, clock_system());
}

static void held_lines_wait_for_their_release(void **state)
{
    struct fixture *f = *state;
    struct pollfd readable = {.fd = f->read_fd, .events = POLLIN};
    uint64_t mark;

    log_hold(f->log);
    LOG_INFO(f->log, "x", "first");
    mark = log_mark(f->log);
    LOG_INFO(f->log, "x", "second");
    assert_false(log_flush(f->log, NS_PER_MS));
    log_release(f->log, mark);
    assert_int_equal(poll(&readable, 1, -1), 1);
    assert_non_null(strstr(log_fixture_read(f), "first"));
    assert_null(strstr(f->text, "second"));
    log_release(f->log, log_mark(f->log));
    assert_true(log_flush(f->log, PROGRAM_DEADLINE_NS));
    assert_non_null(strstr(log_fixture_read(f), "second"));
    LOG_INFO(f->log, "x", "third");
    assert_true(log_flush(f->log, PROGRAM_DEADLINE_NS));
    assert_non_null(strstr(log_fixture_read(f), "third"));
}

static void a_hold_is_bounded(void **state)
{
    struct fixture *f = *state;

    log_hold(f->log);
    LOG_INFO(f->log, "x", "late");
    assert_true(log_flush(f->log, PROGRAM_DEADLINE_NS));
    assert_non_null(strstr(log_fixture_read(f), "late"));
}

static void an_end_writes_what_is_held(void **state)
{
    struct fixture *f = *state;

    log_hold(f->log);
    LOG_INFO(f->log, "x", "held");
    log_destroy(f->log);
    f->log = NULL;
    assert_non_null(strstr(log_fixture_read(f), "held"));
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(held_lines_wait_for_their_release),
        LOG_TEST(a_hold_is_bounded),
        LOG_TEST(an_end_writes_what_is_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
