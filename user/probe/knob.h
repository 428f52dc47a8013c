/* Setting an opened object up before it is loaded. */
#ifndef MOONWATCH_PROBE_KNOB_H
#define MOONWATCH_PROBE_KNOB_H

#include "probe/probe.h"

struct bpf_object;

/* Writes the configuration into the object's `const volatile` globals, those it has of the list in
 * knob.c. 0 or a negative errno (-EMSGSIZE: a global of another width than 1, 4 or 8 bytes). */
int knobs_set(struct bpf_object *object, const struct probe_config *config);

#endif
