#include "collect/visibility.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "collect/cgroup_path.h"
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Kernel threads are in the initial PID namespace only, and hidepid= hides them with the rest. */
static bool processes_seen(const struct host *host)
{
    CLEANUP_FREE char *comm = NULL;
    size_t len;

    return file_read_all(host->proc, "2/comm", 64, &comm, &len) == 0 &&
           strcmp(comm, "kthreadd\n") == 0;
}

/* Every cgroup has a type but the root of the hierarchy
 * (Documentation/admin-guide/cgroup-v2.rst). */
static bool cgroups_seen(const struct host *host)
{
    struct cgroup_paths *paths = NULL;
    char path[PATH_MAX + 16];
    const char *mount;
    bool seen = true;

    if (cgroup_paths_create(&paths, host, CGROUP_UNIFIED) < 0)
        return true;
    mount = cgroup_paths_mount(paths, 1);
    if (mount) {
        snprintf(path, sizeof(path), "%s/cgroup.type", mount);
        seen = access(path, F_OK) < 0;
    }
    cgroup_paths_destroy(paths);
    return seen;
}

/* Whether init's /proc/1/root is what is taken for the host's. */
static bool disks_seen(const struct host *host)
{
    struct stat own, of_init;
    char path[PATH_MAX];
    struct statfs fs;

    snprintf(path, sizeof(path), "%s/1/root/.", host->proc);
    if (processes_seen(host) && stat(path, &of_init) == 0 && stat("/", &own) == 0)
        return own.st_dev == of_init.st_dev && own.st_ino == of_init.st_ino;
    /* The first process may be one of a container, or not ours to look at. */
    return statfs("/", &fs) < 0 || (unsigned long)fs.f_type != OVERLAYFS_SUPER_MAGIC;
}

/* Kernel threads stay in the initial network namespace; init itself may not be ours to look at. */
static bool network_seen(const struct host *host)
{
    char own[64], initial[64], path[PATH_MAX];
    ssize_t n, m;

    snprintf(path, sizeof(path), "%s/self/ns/net", host->proc);
    n = readlink(path, own, sizeof(own));
    snprintf(path, sizeof(path), "%s/2/ns/net", host->proc);
    m = readlink(path, initial, sizeof(initial));
    return !processes_seen(host) || n <= 0 || m <= 0 ||
           (n == m && memcmp(own, initial, (size_t)n) == 0);
}

static const struct {
    const char *name;
    bool (*seen)(const struct host *host);
    const char *why;
} parts[VISIBILITY_PARTS] = {
    {"processes", processes_seen,
     "only processes of its own PID namespace are seen, or /proc is mounted with hidepid: run the "
     "agent in the host's (docker: --pid=host)"},
    {"cgroups", cgroups_seen,
     "only cgroups below its own have names, everybody else is `other`: run the agent in the "
     "host's cgroup namespace (docker: --cgroupns=host)"},
    {"disks", disks_seen,
     "the disks are those of a root directory of its own: run the agent outside of the container"},
    {"network", network_seen,
     "interfaces and TCP figures are those of a network namespace of its own: run the agent in the "
     "host's (docker: --network=host)"},
};

void visibility_find(const struct host *host, struct visibility_part ret[VISIBILITY_PARTS])
{
    for (size_t i = 0; i < VISIBILITY_PARTS; i++)
        ret[i] = (struct visibility_part){parts[i].name, parts[i].seen(host) ? NULL : parts[i].why};
}
