#include "collect/visibility.h"
#include "base/cgroup_path.h"
#include "base/cleanup.h"
#include "base/file.h"
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Kernel threads are in the initial PID namespace only, and hidepid= hides them with the rest. */
static bool has_kernel_threads(const char *proc)
{
    CLEANUP_FREE char *comm = NULL;
    size_t len;

    return file_read_all(proc, "2/comm", 64, &comm, &len) == 0 && strcmp(comm, "kthreadd\n") == 0;
}

/* The kernel lists tasks to BPF by the namespace of whoever asks, whatever proc is at hand. */
static const char *processes_unseen(const struct host *host)
{
    if (!has_kernel_threads(host->own_proc))
        return "only processes of its own PID namespace are listed, or /proc is mounted with "
               "hidepid: run the agent in the host's (docker: --pid=host)";
    if (!has_kernel_threads(host->proc))
        return "the proc below server.host_root is of another PID namespace than the host's, or "
               "mounted with hidepid: bind the host's own tree (docker: -v /:/host:ro,rslave)";
    return NULL;
}

/* Every cgroup has a type but the root of the hierarchy
 * (Documentation/admin-guide/cgroup-v2.rst). */
static const char *cgroups_unseen(const struct host *host)
{
    struct cgroup_paths *paths = NULL;
    char path[PATH_MAX + 16];
    const char *mount;
    bool seen = true;

    if (cgroup_paths_create(&paths, host, CGROUP_UNIFIED) < 0)
        return NULL;
    mount = cgroup_paths_mount(paths, 1);
    if (mount) {
        snprintf(path, sizeof(path), "%s/cgroup.type", mount);
        seen = access(path, F_OK) < 0;
    }
    cgroup_paths_destroy(paths);
    return seen ? NULL
                : "only cgroups below its own have names, everybody else is `other`: run the agent "
                  "in the host's cgroup namespace (docker: --cgroupns=host), or name the host's "
                  "tree in server.host_root";
}

/* Whether init's /proc/1/root is what is taken for the host's. */
static bool is_init_root(const struct host *host)
{
    struct stat own, of_init;
    char path[PATH_MAX];
    struct statfs fs;

    snprintf(path, sizeof(path), "%s/1/root/.", host->proc);
    if (has_kernel_threads(host->proc) && stat(path, &of_init) == 0 && stat(host->root, &own) == 0)
        return own.st_dev == of_init.st_dev && own.st_ino == of_init.st_ino;
    /* The first process may be one of a container, or not ours to look at. */
    return statfs(host->root, &fs) < 0 || (unsigned long)fs.f_type != OVERLAYFS_SUPER_MAGIC;
}

static const char *disks_unseen(const struct host *host)
{
    char mounts[PATH_MAX];

    if (host_is_own(host))
        return is_init_root(host) ? NULL
                                  : "the disks are those of a root directory of its own: bind the "
                                    "host's tree (docker: -v /:/host:ro,rslave) and name it in "
                                    "server.host_root";
    if (!is_init_root(host))
        return "server.host_root is not the root directory of the host's first process: bind that "
               "(docker: -v /:/host:ro,rslave)";
    snprintf(mounts, sizeof(mounts), "%s/1/mountinfo", host->proc);
    return access(mounts, R_OK) == 0
               ? NULL
               : "what is mounted on the host, but not below server.host_root, is not noticed: the "
                 "host's list (proc/1/mountinfo there) cannot be read: run the agent privileged, "
                 "and mount the host's /proc without hidepid";
}

/* Of net.core each network namespace has some, and the initial one all
 * (net/core/sysctl_net_core.c); proc shows those of who looks, whatever else a container hides. */
static bool has_initial_network(const struct host *host)
{
    char of_each[PATH_MAX], of_initial[PATH_MAX];

    snprintf(of_each, sizeof(of_each), "%s/sys/net/core/somaxconn", host->own_proc);
    snprintf(of_initial, sizeof(of_initial), "%s/sys/net/core/dev_weight", host->own_proc);
    return access(of_each, F_OK) < 0 || access(of_initial, F_OK) == 0;
}

static const char *network_unseen(const struct host *host)
{
    if (has_initial_network(host))
        return NULL;
    return host_is_own(host)
               ? "interfaces and TCP figures are those of a network namespace of its own: run the "
                 "agent in the host's (docker: --network=host)"
               : "listening sockets, connection tracking and checks are those of a network "
                 "namespace of its own: run the agent in the host's (docker: --network=host)";
}

enum part { PROCESSES, CGROUPS, DISKS, NETWORK };

static const struct {
    const char *name;
    const char *(*unseen)(const struct host *host);
} table[VISIBILITY_PARTS] = {
    [PROCESSES] = {"processes", processes_unseen},
    [CGROUPS] = {"cgroups", cgroups_unseen},
    [DISKS] = {"disks", disks_unseen},
    [NETWORK] = {"network", network_unseen},
};

void visibility_find(const struct host *host, struct visibility_part ret[VISIBILITY_PARTS])
{
    for (size_t i = 0; i < VISIBILITY_PARTS; i++)
        ret[i] = (struct visibility_part){table[i].name, table[i].unseen(host)};
}

void visibility_now(const struct visibility_part parts[VISIBILITY_PARTS],
                    const struct disk_snapshot *disk, struct visibility_part ret[VISIBILITY_PARTS])
{
    memcpy(ret, parts, VISIBILITY_PARTS * sizeof(*ret));
    if (!ret[DISKS].why)
        ret[DISKS].why = disk->unseen;
}
