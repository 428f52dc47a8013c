/* What else is to be said about a component beside its checks: recent events, the probes' state.
 */
#ifndef MOONWATCH_HEALTH_FINDING_H
#define MOONWATCH_HEALTH_FINDING_H

#include "health/health.h"

struct finding {
    enum component component;
    enum status status; /* healthy: a note, which is said but degrades nothing */
    char text[REASON_BYTES];
};

#define FINDINGS_MAX 32

struct findings {
    size_t count;
    struct finding list[FINDINGS_MAX];
};

/* A new finding, its text empty; NULL when there is no room, which is as good as saying it: nobody
 * reads thirty-two reasons. */
struct finding *findings_add(struct findings *findings, enum component component,
                             enum status status);

/* OOM kills and crash loops of the last minutes. */
void events_judge(const struct snapshot *snapshot, struct findings *ret);

#endif
