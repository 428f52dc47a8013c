/* The checks that there are at the moment: one instance per row of the tables and mount, class,
 * cgroup. They come and go with what they judge. */
#ifndef MOONWATCH_HEALTH_INSTANCE_H
#define MOONWATCH_HEALTH_INSTANCE_H

#include "health/definition.h"

#define CHECK_NAME_BYTES 288 /* a definition's name, a colon, a mount's path */

struct instance {
    const struct check_definition *definition;
    bool seen; /* in this tick */
    bool essential;
    struct check check;
    double warning, critical;
    struct reading value;
    char name[CHECK_NAME_BYTES];
    char reason[REASON_BYTES];
};

/* Grows when there is more to judge; otherwise a tick allocates nothing. All zero is empty. */
struct instances {
    struct instance *list;
    size_t count, capacity;
    bool out_of_memory; /* in this tick: not everything could be judged */
};

void instances_free(struct instances *all);
void instances_judge(struct instances *all, const struct health_input *in);

/* An earlier unknown instance of the same component lacks the same source: one reason is enough. */
bool instances_said(const struct instances *all, const struct instance *instance);

#endif
