/* Where the host's files are. Tests inject trees of their own. */
#ifndef MOONWATCH_BASE_HOST_H
#define MOONWATCH_BASE_HOST_H

#include <stdbool.h>

/* What measures the host goes through `root`, `proc` and `sys`; what is the agent's own (its state,
 * its own usage, its mounts) does not. */
struct host {
    const char *root;     /* "/"; in a container where the host's tree is: "/host" */
    const char *proc;     /* "/proc", "/host/proc" */
    const char *sys;      /* "/sys", "/host/sys" */
    const char *own_proc; /* "/proc" */
};

extern const struct host host_default;

#define HOST_ERROR_BYTES 256

/* The host whose tree is at `root`, an existing directory; freed with host_destroy(). On failure a
 * negative errno, -EINVAL when it is no host's tree, and `error`: one line that says why. */
int host_create(struct host **ret, const char *root, char error[HOST_ERROR_BYTES]);
void host_destroy(struct host *host);

/* False in a container that is told where the host's tree is. */
bool host_is_own(const struct host *host);

#endif
