/* A cgroup of the test's own whose sockets lose the next N packets sent to them.
 *
 * A socket belongs to the cgroup its process was in when it was made: packet_drop_enter() and
 * packet_drop_leave() choose which ones are concerned.
 */
#ifndef MOONWATCH_TEST_PACKET_DROP_H
#define MOONWATCH_TEST_PACKET_DROP_H

#include "own_cgroup.h"
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define DROP_ALL (UINT64_MAX >> 1)
/* IP and TCP headers with every option Linux sends: what is longer carries data. */
#define DATA_BYTES 100

struct packet_drop {
    char cgroup[256], home[512];
    uint64_t cgroup_id;
    int map, program, link;
};

struct drop_order {
    uint64_t packets;   /* still to be dropped */
    uint64_t min_bytes; /* of the IP packet; shorter ones pass */
};

static inline int packet_drop_load(int map)
{
    const struct bpf_insn code[] = {
        /* r6 = skb->len; r7 = map[0] or pass */
        {BPF_LDX | BPF_W | BPF_MEM, 6, 1, offsetof(struct __sk_buff, len), 0},
        {BPF_ST | BPF_W | BPF_MEM, 10, 0, -4, 0},
        {BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0},
        {BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4},
        {BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map},
        {0},
        {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 8, 0},
        /* pass if it is short or nothing is to be dropped any more */
        {BPF_LDX | BPF_DW | BPF_MEM, 1, 0, offsetof(struct drop_order, min_bytes), 0},
        {BPF_JMP | BPF_JGT | BPF_X, 1, 6, 6, 0},
        {BPF_LDX | BPF_DW | BPF_MEM, 1, 0, offsetof(struct drop_order, packets), 0},
        {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 4, 0},
        {BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, -1},
        {BPF_STX | BPF_DW | BPF_MEM, 0, 1, offsetof(struct drop_order, packets), 0},
        {BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0},
        {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
        {BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1},
        {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
    };
    LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_CGROUP_INET_INGRESS);

    return bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "test_drop", "GPL", code,
                         sizeof(code) / sizeof(code[0]), &opts);
}

static inline void packet_drop_set(struct packet_drop *d, uint64_t packets, uint64_t min_bytes)
{
    const struct drop_order order = {.packets = packets, .min_bytes = min_bytes};
    const uint32_t key = 0;

    assert_int_equal(bpf_map_update_elem(d->map, &key, &order, BPF_ANY), 0);
}

static inline uint64_t packet_drop_left(struct packet_drop *d)
{
    struct drop_order order = {0};
    const uint32_t key = 0;

    assert_int_equal(bpf_map_lookup_elem(d->map, &key, &order), 0);
    return order.packets;
}

/* Drops nothing yet. False when the host has no cgroup v2. */
static inline bool packet_drop_open(struct packet_drop *d)
{
    char mount[128], line[256];
    FILE *own;
    int fd;

    memset(d, 0, sizeof(*d));
    d->map = d->program = d->link = -1;
    if (!cgroup_mount(NULL, mount, sizeof(mount)))
        return false;
    own = fopen("/proc/self/cgroup", "re");
    assert_non_null(own);
    while (fgets(line, sizeof(line), own)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0::", 3) == 0)
            snprintf(d->home, sizeof(d->home), "%s%s", mount, line + 3);
    }
    fclose(own);
    snprintf(d->cgroup, sizeof(d->cgroup), "%s/moonwatch-drop-%d", mount, getpid());
    d->cgroup_id = cgroup_make(d->cgroup);
    assert_true(d->cgroup_id != 0);
    d->map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "test_drop", sizeof(uint32_t),
                            sizeof(struct drop_order), 1, NULL);
    assert_true(d->map >= 0);
    d->program = packet_drop_load(d->map);
    assert_true(d->program >= 0);
    fd = open(d->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    d->link = bpf_link_create(d->program, fd, BPF_CGROUP_INET_INGRESS, NULL);
    close(fd);
    assert_true(d->link >= 0);
    return true;
}

static inline void packet_drop_enter(struct packet_drop *d)
{
    assert_true(cgroup_write(d->cgroup, "cgroup.procs", "0"));
}

static inline void packet_drop_leave(struct packet_drop *d)
{
    assert_true(cgroup_write(d->home, "cgroup.procs", "0"));
}

/* Fine for one that is not open, or only in part. */
static inline void packet_drop_close(struct packet_drop *d)
{
    const int fds[] = {d->link, d->program, d->map};

    if (!d->cgroup[0])
        return;
    cgroup_write(d->home, "cgroup.procs", "0");
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    cgroup_remove(d->cgroup);
    memset(d, 0, sizeof(*d));
}

#endif
