/* The BPF objects as data: what the loader knows of each before it opens it.
 *
 * A row of abi/concerns.h is all it takes for programs that stand alone: each program the object
 * holds and no group names is a group of its own, with one way. Name programs in a group when
 *   - they mean nothing without each other (one way with several programs): they are attached,
 *     refused and shed together;
 *   - there is more than one way to the same figures: the ways stand in order of preference and
 *     the first whose `needs` this kernel has and whose programs load and attach is taken.
 * PROBE_TWIN takes the last one. The first group of a row is the concern's main one, which
 * probe_concern_active() and probe_concern_method() speak of; the first program in the object when
 * no group is named.
 *
 * Maps with one name are one map, whichever objects declare it: give them one definition. Maps
 * named in `cgroup_maps` get probe_config.cgroups_max rows. Knobs are `const volatile` globals
 * which the loader finds by name in any object that has them: see knob.c for the list.
 *
 * Sections the loader can attach: see the table in attach.c.
 */
#ifndef MOONWATCH_PROBE_OBJECTS_H
#define MOONWATCH_PROBE_OBJECTS_H

#include "abi/attached.h"
#include "probe/probe.h"

#define WAYS_MAX 2
#define GROUPS_MAX 6
#define PARTNERS_MAX 6
#define NEEDS_MAX 4
#define CGROUP_MAPS_MAX 3

struct way_row {
    const char *method; /* "rq-clock"; NULL where there is one way only */
    const char *programs[PARTNERS_MAX];
    const char *needs[NEEDS_MAX]; /* "type.field", or "type": what kernel BTF must have */
};

struct group_row {
    struct way_row ways[WAYS_MAX];
    enum attached_word attached; /* the word its programs compare their own times with */
};

struct object_row {
    enum probe_concern concern;
    const void *(*elf_bytes)(size_t *ret_size); /* NAME_bpf__elf_bytes of the skeleton */
    struct group_row groups[GROUPS_MAX];
    const char *cgroup_maps[CGROUP_MAPS_MAX];
};

extern const struct object_row object_rows[];
extern const size_t object_row_count;

/* probe_create() with a table of objects other than `object_rows`. The rows are borrowed for the
 * life of the probe. */
int probe_create_from(struct probe **ret, const struct object_row *rows, size_t row_count,
                      const struct probe_config *config, const struct clock *clock,
                      const struct probe_ops *ops, char error[PROBE_ERROR_BYTES]);

#endif
