/* What others.bpf.c and the tests that use it share. */
#ifndef MOONWATCH_TEST_OTHERS_H
#define MOONWATCH_TEST_OTHERS_H

#include "abi/runq.h"

struct others {
    __u64 waits;
    __u64 switches_voluntary;
    __u64 switches_involuntary;
    __u64 on_cpu_ns;
};

#endif
