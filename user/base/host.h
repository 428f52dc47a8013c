/* Where the host's files are. Tests inject trees of their own. */
#ifndef MOONWATCH_BASE_HOST_H
#define MOONWATCH_BASE_HOST_H

struct host {
    const char *proc; /* "/proc" */
    const char *sys;  /* "/sys" */
};

extern const struct host host_default;

#endif
