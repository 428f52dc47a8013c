/* Rows of maps that can be full. The row `other` of each is made by user space before any program
 * runs (user/probe/other_rows.c), so that no other can take its room. */
#ifndef MOONWATCH_LIB_ROW_OR_OTHER_BPF_H
#define MOONWATCH_LIB_ROW_OR_OTHER_BPF_H

#include "lib/emit.bpf.h"

/* Makes the row of a key that was not found. When that fails (the map is full, or the allocator
 * has no spare row on this CPU until interrupts are on again) the drop is counted and the row of
 * `other` is returned. That it failed is told by the lookup: another CPU may have been first. */
static __noinline void *row_made_or_other(void *map, const void *key, const void *other,
                                          const void *empty, u32 drop_site)
{
    void *row;

    bpf_map_update_elem(map, key, empty, BPF_NOEXIST);
    row = bpf_map_lookup_elem(map, key);
    if (row)
        return row;
    count_map_drop(drop_site);
    return bpf_map_lookup_elem(map, other);
}

/* The row of the key, made if need be; NULL only where that of `other` is missing too. */
static __always_inline void *row_or_other(void *map, const void *key, const void *other,
                                          const void *empty, u32 drop_site)
{
    void *row = bpf_map_lookup_elem(map, key);

    return row ? row : row_made_or_other(map, key, other, empty, drop_site);
}

#endif
