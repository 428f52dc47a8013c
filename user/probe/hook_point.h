/* Where programs are attached in a cgroup, beside those of others. Inside this directory only. */
#ifndef MOONWATCH_PROBE_HOOK_POINT_H
#define MOONWATCH_PROBE_HOOK_POINT_H

#include <bpf/bpf.h>

#define HOOK_WHY_BYTES 128

struct hook_point {
    enum bpf_prog_type program;
    enum bpf_attach_type attach;
};

/* Whether a program may be attached to the cgroup (absolute path): 0, or with one line in `why`
 * -E2BIG when the kernel takes no more there, and -EPERM when a program of others there or above
 * shares with none, or would be switched off by ours. */
int hook_point_check(const struct hook_point *point, const char *cgroup, char why[HOOK_WHY_BYTES]);

/* A program that lets everything pass: its file descriptor, or a negative errno. */
int hook_point_load_pass(const struct hook_point *point);

#endif
