/* Programs of somebody else at the cgroups of a test: they let everything pass. */
#ifndef MOONWATCH_TEST_FOREIGN_PROGRAM_H
#define MOONWATCH_TEST_FOREIGN_PROGRAM_H

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <unistd.h>

/* Of type connect4, connect6 or ingress. Its file descriptor, or -1 with errno. */
static inline int foreign_program_load(enum bpf_attach_type type)
{
    static const struct bpf_insn pass[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1},
        {.code = BPF_JMP | BPF_EXIT},
    };
    LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type);

    return bpf_prog_load(type == BPF_CGROUP_INET_INGRESS ? BPF_PROG_TYPE_CGROUP_SKB
                                                         : BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
                         "foreign", "GPL", pass, 2, &opts);
}

/* Attached until the cgroup goes or foreign_programs_detach(); how many could be. One program may
 * be at a cgroup once: each is another. */
static inline int foreign_programs_attach(const char *cgroup, enum bpf_attach_type type,
                                          unsigned flags, int count, int programs[])
{
    int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC), attached = 0;

    while (attached < count) {
        programs[attached] = foreign_program_load(type);
        if (programs[attached] < 0)
            break;
        if (bpf_prog_attach(programs[attached], fd, type, flags) < 0) {
            close(programs[attached]);
            break;
        }
        attached++;
    }
    close(fd);
    return attached;
}

static inline void foreign_programs_detach(const char *cgroup, enum bpf_attach_type type, int count,
                                           const int programs[])
{
    int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    for (int i = 0; i < count; i++) {
        bpf_prog_detach2(programs[i], fd, type);
        close(programs[i]);
    }
    close(fd);
}

/* Attached to this very cgroup; -1: it cannot be asked. */
static inline int programs_at(const char *cgroup, enum bpf_attach_type type)
{
    int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint32_t count = 0, flags;
    int r = bpf_prog_query(fd, type, 0, &flags, NULL, &count);

    close(fd);
    return r < 0 ? -1 : (int)count;
}

#endif
