#include "probe/hook_point.h"
#include "base/cleanup.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The kernel's BPF_CGROUP_MAX_PROGS. */
#define PROGRAMS_PER_CGROUP 64

/* False: it is no cgroup, or cannot be asked. */
static bool count_programs(const char *cgroup, enum bpf_attach_type attach, uint32_t *ret_count,
                           uint32_t *ret_flags)
{
    CLEANUP_CLOSE int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    *ret_count = *ret_flags = 0;
    return fd >= 0 && bpf_prog_query(fd, attach, 0, ret_flags, NULL, ret_count) == 0;
}

/* A program attached with BPF_F_ALLOW_OVERRIDE would let ours in below it, and no longer run there:
 * what it was to do for its owner is not this agent's to end. The nearest ones decide. */
int hook_point_check(const struct hook_point *point, const char *cgroup, char why[HOOK_WHY_BYTES])
{
    char path[PATH_MAX], *slash;
    uint32_t count, flags;

    snprintf(path, sizeof(path), "%s", cgroup);
    while (count_programs(path, point->attach, &count, &flags)) {
        if (count >= PROGRAMS_PER_CGROUP && strlen(path) == strlen(cgroup)) {
            snprintf(why, HOOK_WHY_BYTES,
                     "%u programs are attached there, the most that the kernel takes", count);
            return -E2BIG;
        }
        if (count && !(flags & BPF_F_ALLOW_MULTI)) {
            snprintf(
                why, HOOK_WHY_BYTES,
                "a program at %.40s is attached without BPF_F_ALLOW_MULTI, for no other beside "
                "it",
                path);
            return -EPERM;
        }
        slash = strrchr(path, '/');
        if (count || !slash || slash == path)
            return 0;
        *slash = '\0';
    }
    return 0;
}

int hook_point_load_pass(const struct hook_point *point)
{
    static const struct bpf_insn pass[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1},
        {.code = BPF_JMP | BPF_EXIT},
    };
    LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = point->attach);
    int fd = bpf_prog_load(point->program, "moonwatch_pass", "GPL", pass, 2, &opts);

    return fd < 0 ? -errno : fd;
}
