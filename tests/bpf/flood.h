/* What flood.bpf.c and the tests that use it share. */
#ifndef MOONWATCH_TEST_FLOOD_H
#define MOONWATCH_TEST_FLOOD_H

#include "abi/record.h"

struct flood_control {
    __u64 tgid;
    __u64 syscall;
    __u64 records;       /* per call */
    __u64 sequence;      /* of the next record */
    __u64 default_flags; /* submit without the wake policy, as plain programs do */
};

struct record_flood {
    struct record_head head;
    __u64 sequence;
    __u64 filler[5];
};

struct flood_row {
    __u64 a;
    __u32 b; /* leaves a tail the kernel rounds up */
};

#endif
