#include "base/host.h"
#include "base/cleanup.h"
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#define PROC "/proc"
#define SYS "/sys"

const struct host host_default = {.root = "/", .proc = PROC, .sys = SYS, .own_proc = PROC};

bool host_is_own(const struct host *host)
{
    return host->root[1] == '\0';
}

/* The struct and its paths in one piece. */
static struct host *lay_out(const char *root)
{
    const char *prefix = root[1] ? root : "";
    size_t root_bytes = strlen(root) + 1, proc_bytes = strlen(prefix) + sizeof(PROC),
           sys_bytes = strlen(prefix) + sizeof(SYS);
    struct host *host = malloc(sizeof(*host) + root_bytes + proc_bytes + sys_bytes);
    char *text;

    if (!host)
        return NULL;
    text = (char *)(host + 1);
    *host = (struct host){.root = text,
                          .proc = text + root_bytes,
                          .sys = text + root_bytes + proc_bytes,
                          .own_proc = host_default.own_proc};
    snprintf(text, root_bytes, "%s", root);
    snprintf(text + root_bytes, proc_bytes, "%s" PROC, prefix);
    snprintf(text + root_bytes + proc_bytes, sys_bytes, "%s" SYS, prefix);
    return host;
}

int host_create(struct host **ret, const char *root, char error[HOST_ERROR_BYTES])
{
    /* The kernel's lists of mounts know no links. */
    CLEANUP_FREE char *path = realpath(root, NULL);
    struct host *host = path ? lay_out(path) : NULL;
    struct statfs fs;

    if (!host) {
        int err = -errno;

        snprintf(error, HOST_ERROR_BYTES, "%.100s: %s", root, strerror(-err));
        return err;
    }
    if (!host_is_own(host) &&
        (statfs(host->proc, &fs) < 0 || (unsigned long)fs.f_type != PROC_SUPER_MAGIC)) {
        snprintf(error, HOST_ERROR_BYTES,
                 "no procfs is mounted at %.100s: bind the host's tree with all its mounts "
                 "(docker: -v /:%.60s:ro,rslave)",
                 host->proc, host->root);
        host_destroy(host);
        return -EINVAL;
    }
    *ret = host;
    return 0;
}

void host_destroy(struct host *host)
{
    free(host);
}
