/* What TCP's timers do at the test's own ports, as far as the kernel tells programs of it. What it
 * tells none of, the probe cannot count: then the test does it once more.
 */
#ifndef MOONWATCH_TEST_TOLD_FIXTURE_H
#define MOONWATCH_TEST_TOLD_FIXTURE_H

#include "own_ports.h"
#include "told.h"
#include "told.skel.h"
#include <linux/membarrier.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

/* To be closed in the teardown; NULL is fine there. */
static inline struct told_bpf *told_open(void)
{
    struct told_bpf *told = told_bpf__open();

    assert_non_null(told);
    told->rodata->first_port = own_ports.first;
    told->rodata->ports = OWN_PORTS;
    assert_int_equal(told_bpf__load(told), 0);
    assert_int_equal(told_bpf__attach(told), 0);
    return told;
}

/* Until now: a timer that has begun has ended. */
static inline struct told told_until_now(const struct told_bpf *told)
{
    assert_int_equal(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0), 0);
    return *(const volatile struct told *)&told->data_told->told;
}

#endif
