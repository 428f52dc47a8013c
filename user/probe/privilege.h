/* Which capabilities the process has, of those that matter here. */
#ifndef MOONWATCH_PROBE_PRIVILEGE_H
#define MOONWATCH_PROBE_PRIVILEGE_H

#include <stdbool.h>
#include <stddef.h>

struct privilege {
    const char *name; /* "CAP_BPF" */
    const char *use;  /* what the agent needs it for */
    bool held;
};

size_t privilege_count(void);
void privilege_view(size_t index, struct privilege *ret);

/* NULL when BPF programs may be loaded; else one line saying what is missing. Static. */
const char *privilege_missing_for_bpf(void);

#endif
