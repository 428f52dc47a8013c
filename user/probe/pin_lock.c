/* One agent to a pin directory. */
#include "base/cleanup.h"
#include "base/hash.h"
#include "probe/pin.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define SOCKET_LISTENS 0x10000 /* the kernel's __SO_ACCEPTCON */

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

/* Of the socket that listens under the name, as /proc/net/unix lists it: "NUM: REFERENCES PROTOCOL
 * FLAGS TYPE STATE INODE @NAME". 0: there is none. */
static unsigned long find_listener(const struct sockaddr_un *name)
{
    CLEANUP_FCLOSE FILE *sockets = fopen("/proc/self/net/unix", "re");
    char line[256], path[sizeof(name->sun_path) + 1];
    unsigned long inode;
    unsigned flags;

    while (sockets && fgets(line, sizeof(line), sockets)) {
        if (sscanf(line, "%*x: %*x %*x %x %*x %*x %lu @%108s", &flags, &inode, path) == 3 &&
            flags & SOCKET_LISTENS && strcmp(path, name->sun_path + 1) == 0)
            return inode;
    }
    return 0;
}

/* The owner of /proc/PID says less: it is root for whoever asks not to be dumped. */
static bool may_be_agent(int proc, const char *pid)
{
    char path[64], line[128];
    unsigned euid;
    int fd;

    snprintf(path, sizeof(path), "%.32s/status", pid);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;

    CLEANUP_FCLOSE FILE *status = fdopen(fd, "r");

    if (!status)
        close(fd);
    while (status && fgets(line, sizeof(line), status))
        if (sscanf(line, "Uid: %*u %u", &euid) == 1)
            return euid == 0 || euid == geteuid();
    return false;
}

static bool has_socket(int proc, const char *pid, unsigned long inode)
{
    char path[64], wanted[64], found[64];
    const struct dirent *entry;
    bool has = false;
    DIR *directory;
    int fd;

    snprintf(path, sizeof(path), "%.32s/fd", pid);
    snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
    fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (!directory && fd >= 0)
        close(fd);
    while (directory && !has && (entry = readdir(directory))) {
        ssize_t len = readlinkat(dirfd(directory), entry->d_name, found, sizeof(found) - 1);

        found[len > 0 ? len : 0] = '\0';
        has = strcmp(found, wanted) == 0;
    }
    if (directory)
        closedir(directory);
    return has;
}

/* As find_name_owner(), for whoever finds that too many are asking already: nobody can keep others
 * from looking. It takes a look at all that processes have open. */
static int search_name_owner(const struct sockaddr_un *name)
{
    unsigned long inode = find_listener(name);
    DIR *proc = inode ? opendir("/proc") : NULL;
    const struct dirent *entry;
    int pid = 0;

    while (proc && !pid && (entry = readdir(proc)))
        if (*entry->d_name >= '1' && *entry->d_name <= '9' &&
            may_be_agent(dirfd(proc), entry->d_name) &&
            has_socket(dirfd(proc), entry->d_name, inode))
            pid = (int)strtol(entry->d_name, NULL, 10);
    if (proc)
        closedir(proc);
    return pid;
}

/* The pid of the agent that has the name, 0 when none has, -ESRCH when it is not visible from this
 * pid namespace. Anybody may take a name: only an agent's privileges make it an agent. */
static int find_name_owner(const struct sockaddr_un *name, socklen_t len)
{
    CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct ucred owner;
    socklen_t size = sizeof(owner);

    if (fd < 0)
        return 0;
    if (connect(fd, (const struct sockaddr *)name, len) < 0)
        return errno == EAGAIN ? search_name_owner(name) : 0;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &size) < 0 ||
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

int pin_holder(const char *configured)
{
    char path[PIN_PATH_BYTES];
    int err = pin_path_resolve(configured, path), holder;

    if (err < 0)
        return err;

    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct sockaddr_un name;
    socklen_t len = name_of(path, &name);
    struct stat st;

    err = fd < 0 ? -errno : 0;
    if (fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0)
        return errno != EWOULDBLOCK || fstat(fd, &st) < 0 ? -errno : find_lock_owner(&st);
    /* The directory it held may have been removed, and made again. */
    holder = find_name_owner(&name, len);
    return holder ? holder : err;
}
