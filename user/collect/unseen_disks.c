#include "collect/unseen_disks.h"
#include "base/fitted_name.h"
#include <stdio.h>
#include <string.h>

#define NAMED_MAX 4

void unseen_disks_begin(struct unseen_disks *unseen)
{
    *unseen = (struct unseen_disks){.count = 0};
}

void unseen_disks_add(struct unseen_disks *unseen, const char *mount)
{
    size_t room = sizeof(unseen->names) / NAMED_MAX;
    char name[sizeof(unseen->names) / NAMED_MAX - 2];

    unseen->count++;
    if (unseen->named == NAMED_MAX || sizeof(unseen->names) - unseen->len < room)
        return;
    fitted_name(mount, name, sizeof(name));
    unseen->len += (size_t)snprintf(unseen->names + unseen->len, room, "%s%s",
                                    unseen->named ? ", " : "", name);
    unseen->named++;
}

const char *unseen_disks_say(struct unseen_disks *unseen)
{
    char more[48] = "";

    if (unseen->count == 0)
        return NULL;
    if (unseen->count > unseen->named)
        snprintf(more, sizeof(more), " and %zu more", unseen->count - unseen->named);
    snprintf(unseen->sentence, sizeof(unseen->sentence),
             "mounted on the host, but not seen below server.host_root: %s%s: " UNSEEN_DISKS_MEND,
             unseen->names, more);
    return unseen->sentence;
}
