/* A log that writes into a pipe. */
#ifndef MOONWATCH_TEST_LOG_FIXTURE_H
#define MOONWATCH_TEST_LOG_FIXTURE_H

#include "base/log.h"
#include "program.h"
#include <errno.h>
#include <fcntl.h>
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

static inline int log_fixture_open(void **state, const struct clock *clock)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];

    if (!f || pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
        return -1;
    f->read_fd = fds[0];
    f->write_fd = fds[1];
    *state = f;
    return log_create(&f->log, fds[1], LOG_LEVEL_INFO, clock);
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    log_destroy(f->log);
    close(f->read_fd);
    close(f->write_fd);
    free(f);
    return 0;
}

/* What is there to read now. */
static inline const char *log_fixture_read(struct fixture *f)
{
    ssize_t n = read(f->read_fd, f->text, sizeof(f->text) - 1);

    f->text[n > 0 ? n : 0] = '\0';
    return f->text;
}

#endif
