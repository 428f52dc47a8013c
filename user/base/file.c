#include "base/file.h"
#include "base/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Most files of /proc and /sys fit a page. */
#define FIRST_BYTES 4096
/* sysfs says a page, which may have 64 KiB, of each of its files. */
#define NUMBER_BYTES (64 << 10)
/* No file of /proc or /sys is near it. */
#define PROC_BYTES_MAX (64UL << 20)

static int join(char out[PATH_MAX], const char *root, const char *relative)
{
    int n = snprintf(out, PATH_MAX, "%s%s%s", root ? root : "", root ? "/" : "", relative);

    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int check_kind(int fd, size_t limit)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (S_ISDIR(st.st_mode))
        return -EISDIR;
    if (!S_ISREG(st.st_mode))
        return FILE_NOT_REGULAR;
    return st.st_size > 0 && (uintmax_t)st.st_size > limit ? -EFBIG : 0;
}

int file_open(const char *path, size_t limit)
{
    int fd, err;

    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return errno == ENXIO ? FILE_NOT_REGULAR : -errno; /* a socket, or a device without one */
    err = check_kind(fd, limit);
    if (err < 0) {
        close(fd);
        return err;
    }
    return fd;
}

const char *file_error(int error)
{
    return error == FILE_NOT_REGULAR ? "it is not a regular file" : strerror(-error);
}

static int reopen(struct proc_file *file)
{
    int fd = file_open(file->path, PROC_BYTES_MAX);

    file->fd = fd < 0 ? -1 : fd;
    file->open_error = fd < 0 ? -fd : 0;
    return fd < 0 ? fd : 0;
}

int proc_file_open(struct proc_file *file, const char *root, const char *relative)
{
    char path[PATH_MAX];
    int err = join(path, root, relative);

    *file = (struct proc_file){.fd = -1};
    if (!err) {
        file->path = strdup(path);
        err = file->path ? 0 : -ENOMEM;
    }
    if (err) {
        file->open_error = -err;
        return err;
    }
    return reopen(file);
}

void proc_file_close(struct proc_file *file)
{
    if (file->path && file->fd >= 0)
        close(file->fd);
    free(file->path);
    *file = (struct proc_file){.fd = -1};
}

static int grow(char **buffer, size_t *capacity)
{
    size_t larger = *capacity ? *capacity * 2 : FIRST_BYTES;
    char *grown = realloc(*buffer, larger);

    if (!grown)
        return -ENOMEM;
    *buffer = grown;
    *capacity = larger;
    return 0;
}

/* To the end, or, with `line`, until the first line is there. */
static ssize_t read_from_start(struct proc_file *file, bool line, char **buffer, size_t *capacity)
{
    size_t len = 0;
    ssize_t n;
    int err;

    if (!file->path)
        return file->open_error ? -file->open_error : -EBADF;
    if (file->fd < 0) {
        err = reopen(file);
        if (err)
            return err;
    }
    for (;;) {
        if (len + 1 >= *capacity) {
            err = len >= PROC_BYTES_MAX ? -EFBIG : grow(buffer, capacity);
            if (err)
                return err;
        }
        n = pread(file->fd, *buffer + len, *capacity - len - 1, (off_t)len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err = -errno;
            /* The object behind it may be gone (ENODEV): start afresh next time. */
            close(file->fd);
            file->fd = -1;
            file->open_error = -err;
            return err;
        }
        if (n == 0)
            break;
        len += (size_t)n;
        if (line && memchr(*buffer + len - (size_t)n, '\n', (size_t)n))
            break;
    }
    (*buffer)[len] = '\0';
    return len ? (ssize_t)len : -ENODATA;
}

ssize_t proc_file_read(struct proc_file *file, char **buffer, size_t *capacity)
{
    return read_from_start(file, false, buffer, capacity);
}

ssize_t proc_file_read_line(struct proc_file *file, char **buffer, size_t *capacity)
{
    return read_from_start(file, true, buffer, capacity);
}

int file_read_all(const char *root, const char *relative, size_t limit, char **ret, size_t *ret_len)
{
    CLEANUP_CLOSE int fd = -1;
    CLEANUP_FREE char *buffer = NULL;
    char path[PATH_MAX];
    size_t len = 0, capacity = 0;
    ssize_t n;
    int err = join(path, root, relative);

    if (err)
        return err;
    fd = file_open(path, limit);
    if (fd < 0)
        return fd;
    for (;;) {
        if (len + 1 >= capacity) {
            err = grow(&buffer, &capacity);
            if (err)
                return err;
        }
        n = read(fd, buffer + len, capacity - len - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        len += (size_t)n;
        if (len > limit)
            return -EFBIG;
    }
    buffer[len] = '\0';
    *ret = buffer;
    *ret_len = len;
    buffer = NULL;
    return 0;
}

int file_read_u64(const char *root, const char *relative, unsigned long long *ret)
{
    CLEANUP_FREE char *content = NULL;
    unsigned long long value;
    size_t len = 0;
    char *end;
    int err = file_read_all(root, relative, NUMBER_BYTES, &content, &len);

    if (err || !content)
        return err == -EFBIG ? -EINVAL : err;
    if (len && content[len - 1] == '\n')
        content[--len] = '\0';
    if (strcmp(content, "max") == 0) {
        *ret = UINT64_MAX;
        return 0;
    }
    if (content[0] < '0' || content[0] > '9')
        return -EINVAL;
    errno = 0;
    value = strtoull(content, &end, 10);
    if (errno)
        return -errno;
    if (end != content + len)
        return -EINVAL;
    *ret = value;
    return 0;
}

int dir_create_all(const char *path, mode_t mode)
{
    char partial[PATH_MAX];
    struct stat st;
    char *slash;
    int err = join(partial, NULL, path);

    if (err)
        return err;
    if (!partial[0])
        return -ENOENT;
    for (slash = partial; slash; *slash = '/') {
        slash = strchr(slash + 1, '/');
        if (slash)
            *slash = '\0';
        if (mkdir(partial, mode) < 0 && errno != EEXIST)
            return -errno;
        if (!slash)
            break;
    }
    if (stat(path, &st) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int dir_create_parent(const char *path, mode_t mode)
{
    char parent[PATH_MAX];
    int err = join(parent, NULL, path);
    char *slash = err ? NULL : strrchr(parent, '/');

    if (!slash || slash == parent)
        return err;
    *slash = '\0';
    return dir_create_all(parent, mode);
}
