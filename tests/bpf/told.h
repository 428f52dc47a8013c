/* What told.bpf.c and the tests that use it share. */
#ifndef MOONWATCH_TEST_TOLD_H
#define MOONWATCH_TEST_TOLD_H

#include "abi/slots.h"

struct told {
    __u64 syn_acks_again;
    __u64 connects_failed;
};

#endif
