/* Kernel types for CO-RE, trimmed to the fields Moonwatch reads.
 *
 * Every structure carries preserve_access_index: libbpf relocates each access against the BTF of
 * the running kernel, so offsets, missing fields and other architectures cost nothing here and the
 * build needs no BTF of the build host. Only UAPI headers are included. Other layouts of a type are
 * flavours (`name___what`), each with the kernel commit that made them needed.
 */
#ifndef MOONWATCH_VMLINUX_H
#define MOONWATCH_VMLINUX_H

#include <linux/bpf.h>
#include <linux/types.h>

typedef _Bool bool;
enum { false = 0, true = 1 };

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef s64 ktime_t;
typedef struct {
    int counter;
} atomic_t;
typedef struct {
    s64 counter;
} atomic64_t;
typedef struct {
    long counter;
} atomic_long_t;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

#include "kernel/block.h"
#include "kernel/cgroup.h"
#include "kernel/iter.h"
#include "kernel/mm.h"
#include "kernel/net.h"
#include "kernel/sched.h"

#pragma clang attribute pop

#endif
