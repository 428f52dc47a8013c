#include "service/netns.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

/* Of the calling thread's namespace. */
static int read_cookie(uint64_t *ret)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), r = 0;
    socklen_t len = sizeof(*ret);

    if (fd < 0)
        return -errno;
    if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, ret, &len) < 0)
        r = -errno;
    close(fd);
    return r;
}

struct visit {
    int fd;
    uint64_t cookie;
    int r;
};

/* A thread of its own, which ends there: nothing else ever runs in the other namespace. */
static void *visit(void *ctx)
{
    struct visit *v = ctx;

    v->r = setns(v->fd, CLONE_NEWNET) < 0 ? -errno : read_cookie(&v->cookie);
    return NULL;
}

static int read_cookie_of(int fd, uint64_t *ret)
{
    struct visit v = {.fd = fd};
    pthread_t thread;
    int r = -pthread_create(&thread, NULL, visit, &v);

    if (r < 0)
        return r;
    pthread_join(thread, NULL);
    *ret = v.cookie;
    return v.r;
}

/* What else may lie at the path is not opened for reading: that might block, or do something. */
static int open_namespace(const char *path)
{
    int fd = open(path, O_PATH | O_CLOEXEC), r;
    struct statfs fs;

    if (fd < 0)
        return -errno;
    r = fstatfs(fd, &fs) < 0 ? -errno : fs.f_type == NSFS_MAGIC ? 0 : -EINVAL;
    close(fd);
    if (r < 0)
        return r;
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int look(const char *path, struct netns_seen *ret)
{
    struct stat st;
    int fd = open_namespace(path), r;

    if (fd < 0)
        return fd;
    r = fstat(fd, &st) < 0 ? -errno : read_cookie_of(fd, &ret->cookie);
    close(fd);
    ret->device = st.st_dev;
    ret->inode = st.st_ino;
    ret->changed = st.st_ctim;
    return r;
}

static bool is_same(const struct netns_seen *seen, const struct stat *st)
{
    return seen->cookie && seen->device == st->st_dev && seen->inode == st->st_ino &&
           seen->changed.tv_sec == st->st_ctim.tv_sec &&
           seen->changed.tv_nsec == st->st_ctim.tv_nsec;
}

int netns_find(const char *netns, struct netns_seen *seen, uint64_t *ret_cookie)
{
    struct stat st;
    int r = 0;

    *ret_cookie = 0;
    if (strcmp(netns, NETNS_ANY) == 0)
        return 0;
    if (strcmp(netns, NETNS_OWN) == 0) {
        if (!seen->cookie)
            r = read_cookie(&seen->cookie);
    } else if (stat(netns, &st) < 0) {
        r = -errno;
    } else if (!is_same(seen, &st)) {
        *seen = (struct netns_seen){0};
        r = look(netns, seen);
    }
    if (r < 0)
        *seen = (struct netns_seen){0};
    *ret_cookie = seen->cookie;
    return r;
}
