/* One agent to a pin directory. */
#include "base/cleanup.h"
#include "base/hash.h"
#include "probe/pin.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

/* The kernel lists a flock as "1: FLOCK  ADVISORY  WRITE PID MAJOR:MINOR:INODE 0 EOF". */
static int find_lock_owner(const struct stat *st)
{
    CLEANUP_FCLOSE FILE *locks = fopen("/proc/locks", "re");
    char line[256];

    while (locks && fgets(line, sizeof(line), locks)) {
        unsigned major_number, minor_number;
        unsigned long inode;
        int pid;

        if (sscanf(line, "%*d: FLOCK %*s %*s %d %x:%x:%lu", &pid, &major_number, &minor_number,
                   &inode) == 4 &&
            inode == st->st_ino && makedev(major_number, minor_number) == st->st_dev && pid > 0)
            return pid;
    }
    return -ESRCH;
}

/* Opens and locks the directory. 0, -EAGAIN when it was removed meanwhile, or a negative errno. */
int pin_lock_directory(const char *path, int *ret_fd, int *ret_holder)
{
    CLEANUP_CLOSE int fd = -1;
    struct stat opened, present;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return -errno;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &opened) < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return -errno;
        *ret_holder = find_lock_owner(&opened);
        return -EBUSY;
    }
    /* The agent before us may have removed it between our open and its unlock. */
    if (stat(path, &present) < 0 || present.st_ino != opened.st_ino)
        return -EAGAIN;
    *ret_fd = fd;
    fd = -1;
    return 0;
}

static socklen_t name_of(const char *path, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, "moonwatch/pins/%016" PRIx64,
             fnv_string(FNV_START, path));
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(ret->sun_path + 1));
}

/* The pid of the agent that has the name, 0 when none has, -ESRCH when it is not visible from this
 * pid namespace. Anybody may take a name: only an agent's privileges make it an agent. */
static int find_name_owner(const struct sockaddr_un *name, socklen_t len)
{
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct ucred owner;
    socklen_t size = sizeof(owner);

    if (fd < 0 || connect(fd, (const struct sockaddr *)name, len) < 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &size) < 0 ||
        (owner.uid != 0 && owner.uid != geteuid()))
        return 0;
    return owner.pid > 0 ? owner.pid : -ESRCH;
}

int pin_lock_name(const char *path, int *ret_holder)
{
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un name;
    socklen_t len = name_of(path, &name);
    int taken;

    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&name, len) < 0) {
        int err = -errno;

        *ret_holder = err == -EADDRINUSE ? find_name_owner(&name, len) : 0;
        return *ret_holder ? -EBUSY : err;
    }
    if (listen(fd, SOMAXCONN) < 0)
        return -errno;
    taken = fd;
    fd = -1;
    return taken;
}

void pin_lock_answer(int name_fd)
{
    int visitor;

    for (int i = 0; i < SOMAXCONN; i++) {
        visitor = accept4(name_fd, NULL, NULL, SOCK_CLOEXEC);
        if (visitor < 0)
            return;
        close(visitor);
    }
}

int pin_holder(const char *path)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int err = fd < 0 ? -errno : 0, holder;
    struct sockaddr_un name;
    socklen_t len = name_of(path, &name);
    struct stat st;

    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0)
        return errno != EWOULDBLOCK || fstat(fd, &st) < 0 ? -errno : find_lock_owner(&st);
    /* The directory it held may have been removed, and made again. */
    holder = find_name_owner(&name, len);
    return holder ? holder : err;
}
