/* What this kernel has, asked of its BTF: never of its version. */
#ifndef MOONWATCH_PROBE_FEATURE_H
#define MOONWATCH_PROBE_FEATURE_H

#include <stdbool.h>

struct btf;

/* "type" or "type.field" (structures; fields of anonymous members count). */
bool feature_present(const struct btf *kernel, const char *what);
/* False when `target` is a tp_btf section whose tracepoint this kernel lacks. */
bool feature_tracepoint(const struct btf *kernel, const char *target);

#endif
