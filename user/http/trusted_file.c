#include "http/trusted_file.h"
#include "base/cleanup.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* NULL: only root and the agent's user can change it. In a sticky directory others can make files,
 * but neither rename nor remove what is not theirs. */
static const char *weakness(const struct stat *st)
{
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return "belongs to another user (chown it to root or the agent's user)";
    if (!(st->st_mode & (S_IWGRP | S_IWOTH)) || (S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX))
        return NULL;
    return st->st_mode & S_IWOTH ? "anybody may write to it (chmod o-w)"
                                 : "its group may write to it (chmod g-w)";
}

static int refuse(const char *path, const char *why, char *error, size_t size)
{
    snprintf(error, size, "%s: %s", path, why);
    return -EPERM;
}

/* Whoever can replace a directory above can replace the file. */
static int check_directories(char *directory, char *error, size_t size)
{
    for (;;) {
        char *slash = strrchr(directory, '/');
        const char *weak;
        struct stat st;

        if (stat(*directory ? directory : "/", &st) < 0)
            return -errno;
        weak = weakness(&st);
        if (weak)
            return refuse(*directory ? directory : "/", weak, error, size);
        if (!slash)
            return 0;
        *slash = '\0';
    }
}

static int check_above(const char *path, char *error, size_t size)
{
    const char *slash = strrchr(path, '/');
    CLEANUP_FREE char *named = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
    CLEANUP_FREE char *directory = named ? realpath(*named ? named : "/", NULL) : NULL;

    if (!directory)
        return named ? -errno : -ENOMEM;
    return check_directories(directory, error, size);
}

/* A link may lead to the file, as those of a secret that Kubernetes mounts: nobody else may replace
 * the link, nor what it leads to. What is checked is where the file is opened. */
static int open_checked(const char *path, int *ret, char *error, size_t size)
{
    CLEANUP_FREE char *resolved = realpath(path, NULL);
    int fd, r;

    if (!resolved)
        return -errno;
    fd = open(resolved, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    *ret = fd;
    r = check_above(path, error, size);
    return r < 0 ? r : check_above(resolved, error, size);
}

static int read_whole(int fd, size_t limit, char **ret, size_t *ret_len)
{
    CLEANUP_FREE char *text = malloc(limit + 2);
    size_t len = 0;
    ssize_t n = 1;

    if (!text)
        return -ENOMEM;
    while (n > 0 && len <= limit) {
        n = read(fd, text + len, limit + 1 - len);
        if (n < 0)
            return -errno;
        len += (size_t)n;
    }
    if (len > limit)
        return -EFBIG;
    text[len] = '\0';
    *ret = realloc(text, len + 1);
    if (!*ret)
        return -ENOMEM;
    text = NULL; /* kept from the cleanup */ // NOLINT(clang-analyzer-deadcode.DeadStores)
    *ret_len = len;
    return 0;
}

/* Whoever reads the text as a string would not see what comes after. */
static int refuse_nul(const char *path, const char *text, size_t len, char *error, size_t size)
{
    size_t line = 1, end = strlen(text);

    if (end == len)
        return 0;
    for (size_t i = 0; i < end; i++)
        line += text[i] == '\n';
    snprintf(error, size, "%s:%zu: the line holds a NUL byte (write the file as plain text)", path,
             line);
    return -EINVAL;
}

int trusted_file_read(const char *path, size_t limit, char **ret, char *error, size_t size)
{
    CLEANUP_CLOSE int fd = -1;
    const char *weak;
    CLEANUP_FREE char *text = NULL;
    size_t len = 0;
    struct stat st;
    int r;

    *error = '\0';
    r = open_checked(path, &fd, error, size);
    if (r == 0 && fstat(fd, &st) < 0)
        r = -errno;
    if (r == 0 && !S_ISREG(st.st_mode))
        r = refuse(path, file_error(FILE_NOT_REGULAR), error, size);
    if (r == 0) {
        weak = weakness(&st);
        r = weak ? refuse(path, weak, error, size) : read_whole(fd, limit, &text, &len);
    }
    if (r == 0)
        r = refuse_nul(path, text, len, error, size);
    if (r == 0) {
        *ret = text;
        text = NULL; /* kept from the cleanup */ // NOLINT(clang-analyzer-deadcode.DeadStores)
    }
    if (r < 0 && !*error)
        snprintf(error, size, "%s: cannot be read: %s", path, file_error(r));
    return r;
}
