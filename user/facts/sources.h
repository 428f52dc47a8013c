/* The sources of the snapshot's figures: a row per source that can be missing by itself. */
#ifndef MOONWATCH_FACTS_SOURCES_H
#define MOONWATCH_FACTS_SOURCES_H

#include "facts/field.h"
#include "model/snapshot.h"

struct source {
    const char *name;  /* in moonwatch_source_missing; NULL: figures of several sources */
    size_t missing_at; /* in struct snapshot: why there is nothing of it, else NULL */
    /* Its single figures, and where their structure is in struct snapshot; NULL: it has rows. */
    const struct field_table *table;
    size_t at;
};

extern const struct source snapshot_sources[];
extern const size_t snapshot_source_count;

/* NULL: it is there. */
static inline const char *source_missing(const struct source *source,
                                         const struct snapshot *snapshot)
{
    if (!source->name)
        return NULL;
    return *(const char *const *)((const char *)snapshot + source->missing_at);
}

#endif
