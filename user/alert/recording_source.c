#include "alert/recording_source.h"
#include "base/file.h"
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct recording_input {
    int fd;
    unsigned wait_ms;
    uint64_t left_bytes;
};

static ssize_t read_source(void *cookie, char *buffer, size_t size)
{
    struct recording_input *source = cookie;
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
    struct recording_input *source = cookie;
    int r = close(source->fd);

    free(source);
    return r;
}

static bool is_pipe(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* A descriptor, or a negative errno. A pipe is opened once: who writes goes on then, and loses what
 * nobody holds it open for. */
static int open_input(const char *path, bool pipe)
{
    int fd;

    if (!pipe)
        return file_open(path, SSIZE_MAX);
    fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
                                : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int recording_source_open(FILE **ret, const char *path, unsigned wait_ms)
{
    static const cookie_io_functions_t functions = {.read = read_source, .close = close_source};
    struct recording_input *source = calloc(1, sizeof(*source));
    bool pipe;
    int fd;

    if (!source)
        return -ENOMEM;
    pipe = is_pipe(path) || strcmp(path, "-") == 0;
    fd = open_input(path, pipe);
    *source = (struct recording_input){
        .fd = fd, .wait_ms = wait_ms, .left_bytes = pipe ? RECORDING_PIPE_BYTES_MAX : UINT64_MAX};
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
