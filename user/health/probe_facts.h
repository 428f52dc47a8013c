/* What the kernel side cannot tell at the moment, and about which component. It degrades nothing by
 * itself but has to be said: a component that looks healthy may just not be looked at. */
#ifndef MOONWATCH_HEALTH_PROBE_FACTS_H
#define MOONWATCH_HEALTH_PROBE_FACTS_H

#include "health/finding.h"

#define SHED_MAX 16

/* Plain data, so that tests can make it up. The strings belong to the probe. */
struct probe_facts {
    bool present;                        /* there is a probe at all */
    const char *inactive[CONCERN_COUNT]; /* why it does not run; NULL: it runs */
    size_t shed_count;
    struct {
        enum probe_concern concern;
        const char *program;
        double retry_in_seconds;
    } shed[SHED_MAX];
    const char *pins_lost;               /* what became of the pins; NULL: nothing */
    uint64_t dropped[RECORD_TYPE_COUNT]; /* records, since the maps were made */
};

void probe_facts_gather(struct probe_facts *ret, const struct probe *probe, uint64_t now_ns);

/* Remembers when records were last lost. All zero to begin with. */
struct probe_watch {
    uint64_t dropped[RECORD_TYPE_COUNT]; /* as of the last tick */
    uint64_t lost[RECORD_TYPE_COUNT];    /* in the current run of losses */
    uint64_t lost_ns[RECORD_TYPE_COUNT]; /* the last of them; 0: none */
};

void probe_facts_judge(const struct probe_facts *facts, struct probe_watch *watch, uint64_t now_ns,
                       struct findings *ret);

#endif
