/* When programs were attached, as they are told it. */
#ifndef MOONWATCH_TEST_ATTACHED_WORD_H
#define MOONWATCH_TEST_ATTACHED_WORD_H

#include "abi/attached.h"
#include "probe/probe_state.h"
#include <bpf/bpf.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static inline void set_attached(struct probe *probe, uint32_t word, uint64_t ns)
{
    struct kernel_map *map = map_find(probe, "attached_since");

    assert_non_null(map);
    assert_int_equal(bpf_map_update_elem(map->fd, &word, &ns, BPF_EXIST), 0);
}

#endif
