/* The programs that are attached to cgroups, and their links. Inside this directory only. */
#ifndef MOONWATCH_PROBE_HOOK_ROW_H
#define MOONWATCH_PROBE_HOOK_ROW_H

#include "probe/probe_state.h"

#define HOOK_ROWS 3

struct hook_row {
    enum probe_hook hook;
    const char *target;
    struct hook_point point;
    const char *pin_name; /* NULL: it ends with the agent */
};
extern const struct hook_row hook_rows[HOOK_ROWS];

/* NULL unless it is. */
const struct program *hook_loaded(const struct probe *probe, const char *target);
/* Of the row and the cgroup of this id; NULL without one. */
struct hook_link *hook_find(struct probe *probe, const struct hook_row *hook, uint64_t id);
/* The pin of a link is "NAME_CGROUPID". */
void hook_row_pin_path(const struct probe *probe, const struct hook_row *hook, uint64_t id,
                       char out[512]);
/* A link whose cgroup was removed, or that somebody detached, names no cgroup any more. */
struct bpf_link_info hook_look(const struct hook_link *link);
bool hook_is_at(const struct bpf_link_info *info, const struct hook_row *hook, uint64_t id);

#endif
