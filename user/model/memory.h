/* Memory figures of one tick, in bytes. */
#ifndef MOONWATCH_MODEL_MEMORY_H
#define MOONWATCH_MODEL_MEMORY_H

#include "model/reading.h"

struct memory_snapshot {
    const char *missing;
    struct reading total_bytes;
    struct reading available_bytes;       /* without swapping; ZFS's cache above its least too */
    struct reading arc_reclaimable_bytes; /* of these, ZFS's; missing without ZFS */
    struct reading free_bytes;
    struct reading usage_percent; /* (total - available) / total */
    struct reading buffers_bytes, cached_bytes;
    struct reading dirty_bytes, writeback_bytes;
    struct reading slab_bytes, slab_reclaimable_bytes;
    struct reading swap_total_bytes, swap_free_bytes;
    struct reading swap_usage_percent; /* missing without swap */
    struct reading hugepages_total, hugepages_free, hugepage_size_bytes;
    struct reading oom_kills_total;
    struct reading swap_in_pages_total, swap_out_pages_total, major_faults_total;
};

#endif
