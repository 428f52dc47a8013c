/* Resident set sizes. The kernel's counters are approximate: since 6.2 each CPU holds back up to
 * max(32, 2 x CPUs) pages of each counter, before that each thread up to 64.
 */
#ifndef MOONWATCH_LIB_RSS_BPF_H
#define MOONWATCH_LIB_RSS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>

const volatile u64 page_bytes = 4096; /* set by the loader */

/* `member` is MM_FILEPAGES ..., a constant. For an mm that may be read directly. Up to Linux 6.1
 * the counters are atomics in a structure of their own (commit f1a7941243c1 made them per-CPU), and
 * the verifier does not follow an array of atomics: that flavour is read by a helper. Its field is
 * asked for, not its type: for a type that is not in the kernel libbpf searches the modules' types,
 * which takes CAP_SYS_ADMIN. */
#define rss_bytes(mm, member)                                                                      \
    ({                                                                                             \
        s64 pages_ = 0;                                                                            \
        if (bpf_core_field_exists(struct mm_struct___rss_atomic, rss_stat.count))                  \
            bpf_core_read(&pages_, sizeof(pages_),                                                 \
                          &((struct mm_struct___rss_atomic *)(mm))->rss_stat.count[member]);       \
        else                                                                                       \
            pages_ = (mm)->rss_stat[member].count;                                                 \
        pages_ > 0 ? (u64)pages_ *page_bytes : 0;                                                  \
    })

#endif
