#include "alert/recording_source.h"
#include "base/file.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct source {
    int fd;
    unsigned wait_ms;
    uint64_t left_bytes;
};

static ssize_t read_source(void *cookie, char *buffer, size_t size)
{
    struct source *source = cookie;
    struct pollfd pollfd = {.fd = source->fd, .events = POLLIN};
    ssize_t n;
    int ready;

    do {
        do
            ready = poll(&pollfd, 1, (int)source->wait_ms);
        while (ready < 0 && errno == EINTR);
        if (ready == 0)
            errno = ETIMEDOUT;
        if (ready <= 0)
            return -1;
        n = read(source->fd, buffer, size);
    } while (n < 0 && (errno == EINTR || errno == EAGAIN));
    if (n > 0 && (uint64_t)n > source->left_bytes) {
        errno = EFBIG;
        return -1;
    }
    source->left_bytes -= n > 0 ? (uint64_t)n : 0;
    return n;
}

static int close_source(void *cookie)
{
    struct source *source = cookie;
    int r = close(source->fd);

    free(source);
    return r;
}

/* A descriptor, or a negative errno. */
static int open_pipe(const char *path)
{
    struct stat st;
    int fd;

    /* Without waiting for who writes; and nothing that is no pipe is opened, which may do things.
     */
    if (stat(path, &st) < 0)
        return -errno;
    if (!S_ISFIFO(st.st_mode))
        return FILE_NOT_REGULAR;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int recording_source_open(FILE **ret, const char *path, unsigned wait_ms)
{
    static const cookie_io_functions_t functions = {.read = read_source, .close = close_source};
    struct source *source = calloc(1, sizeof(*source));
    int fd;

    if (!source)
        return -ENOMEM;
    *source = (struct source){.wait_ms = wait_ms, .left_bytes = UINT64_MAX};
    if (strcmp(path, "-") == 0) {
        fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
        fd = fd < 0 ? -errno : fd;
        source->left_bytes = RECORDING_PIPE_BYTES_MAX;
    } else {
        /* Row by row: its size does not matter. */
        fd = file_open(path, SSIZE_MAX);
    }
    if (fd == FILE_NOT_REGULAR) {
        fd = open_pipe(path);
        source->left_bytes = RECORDING_PIPE_BYTES_MAX;
    }
    source->fd = fd;
    *ret = fd < 0 ? NULL : fopencookie(source, "r", functions);
    if (*ret)
        return 0;
    if (fd >= 0) {
        close(fd);
        fd = -ENOMEM;
    }
    free(source);
    return fd;
}
