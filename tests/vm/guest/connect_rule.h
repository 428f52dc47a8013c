/* What connect.bpf.c and its test share. */
#ifndef MOONWATCH_TEST_CONNECT_RULE_H
#define MOONWATCH_TEST_CONNECT_RULE_H

#include <linux/types.h>

enum connect_verdict { CONNECT_PASS, CONNECT_REFUSE, CONNECT_REDIRECT };

struct connect_rule {
    __u32 port; /* of the destination, host order; others pass */
    __u32 verdict;
    __u32 to_port; /* the redirected connect goes to this port of the loopback */
    __u32 refused;
    __u32 redirected;
};

#endif
