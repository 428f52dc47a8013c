/* Says which of the host's disks have a row and no figure, since their mounts are not below
 * server.host_root: the agent's namespace got a copy, and no later mounts. */
#ifndef MOONWATCH_COLLECT_UNSEEN_DISKS_H
#define MOONWATCH_COLLECT_UNSEEN_DISKS_H

#include <stddef.h>

#define UNSEEN_DISKS_BYTES 768
#define UNSEEN_DISKS_MEND                                                                          \
    "bind the host's tree so that later mounts come along (docker: -v /:/host:ro,rslave)"

struct unseen_disks {
    size_t count, named;
    size_t len;
    char names[512];
    char sentence[UNSEEN_DISKS_BYTES];
};

void unseen_disks_begin(struct unseen_disks *unseen);
/* The first few are named, so the ones that matter most go first. */
void unseen_disks_add(struct unseen_disks *unseen, const char *mount);
/* A sentence to act on, good until the next begin; NULL when there are none. */
const char *unseen_disks_say(struct unseen_disks *unseen);

#endif
