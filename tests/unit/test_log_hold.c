/* Lines that wait for what they tell to be on the disk. */
#include "base/log.h"
#include "program.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    int read_fd, write_fd;
    struct log *log;
    char text[4 * LOG_LINE_BYTES];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];

    if (!f || pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
        return -1;
    f->read_fd = fds[0];
    f->write_fd = fds[1];
    *state = f;
    return log_create(&f->log, fds[1], LOG_LEVEL_INFO, clock_system());
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    log_destroy(f->log);
    close(f->read_fd);
    close(f->write_fd);
    free(f);
    return 0;
}

/* What is there to read now. */
static const char *written(struct fixture *f)
{
    ssize_t n = read(f->read_fd, f->text, sizeof(f->text) - 1);

    f->text[n > 0 ? n : 0] = '\0';
    return f->text;
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
    assert_non_null(strstr(written(f), "first"));
    assert_null(strstr(f->text, "second"));
    log_release(f->log, log_mark(f->log));
    assert_true(log_flush(f->log, PROGRAM_DEADLINE_NS));
    assert_non_null(strstr(written(f), "second"));
    LOG_INFO(f->log, "x", "third");
    assert_true(log_flush(f->log, PROGRAM_DEADLINE_NS));
    assert_non_null(strstr(written(f), "third"));
}

static void a_hold_is_bounded(void **state)
{
    struct fixture *f = *state;

    log_hold(f->log);
    LOG_INFO(f->log, "x", "late");
    assert_true(log_flush(f->log, PROGRAM_DEADLINE_NS));
    assert_non_null(strstr(written(f), "late"));
}

static void an_end_writes_what_is_held(void **state)
{
    struct fixture *f = *state;

    log_hold(f->log);
    LOG_INFO(f->log, "x", "held");
    log_destroy(f->log);
    f->log = NULL;
    assert_non_null(strstr(written(f), "held"));
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
