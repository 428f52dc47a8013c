/* What requests.bpf.c and the tests that use it share. */
#ifndef MOONWATCH_TEST_REQUESTS_H
#define MOONWATCH_TEST_REQUESTS_H

#include "abi/blkio.h"

struct requests_seen {
    __u64 parts; /* completions */
    __u64 whole; /* those that ended a request */
};

#endif
