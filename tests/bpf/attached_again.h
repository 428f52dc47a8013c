/* Programs shed and attached again, without their having to be costly. */
#ifndef MOONWATCH_TEST_ATTACHED_AGAIN_H
#define MOONWATCH_TEST_ATTACHED_AGAIN_H

#include "probe_fixture.h"

static inline void attach_again(struct probe *probe, enum attached_word word)
{
    for (unsigned g = 0; g < probe->group_count; g++) {
        struct program *culprit;

        if (!probe->groups[g].spec || probe->groups[g].spec->attached != word)
            continue;
        group_detach(probe, g);
        if (group_attach(probe, g, &culprit) != 0)
            fail_msg("%s cannot be attached again", culprit->name);
    }
}

#endif
