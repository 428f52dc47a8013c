/* Programs shed and attached again, without their having to be costly. */
#ifndef MOONWATCH_TEST_ATTACHED_AGAIN_H
#define MOONWATCH_TEST_ATTACHED_AGAIN_H

#include "probe_fixture.h"
#include <errno.h>
#include <sched.h>
#include <string.h>

/* Before 6.5 a link ends some time after its descriptor was closed, and is there twice until then.
 */
static inline void attach_when_gone(struct probe *probe, unsigned group)
{
    uint64_t deadline = monotonic_ns() + DEADLINE_NS;
    struct program *culprit;
    int r;

    while ((r = group_attach(probe, group, &culprit)) == -EEXIST && monotonic_ns() < deadline)
        sched_yield();
    if (r < 0)
        fail_msg("%s cannot be attached again: %s", culprit->name, strerror(-r));
}

static inline void attach_again(struct probe *probe, enum attached_word word)
{
    for (unsigned g = 0; g < probe->group_count; g++) {
        if (!probe->groups[g].spec || probe->groups[g].spec->attached != word)
            continue;
        group_detach(probe, g);
        attach_when_gone(probe, g);
    }
}

#endif
