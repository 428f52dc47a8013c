/* Which lines of mountinfo get a row: storage of its own, once, visible, and safe to ask. */
#ifndef MOONWATCH_COLLECT_MOUNT_CHOICE_H
#define MOONWATCH_COLLECT_MOUNT_CHOICE_H

#include "base/scan.h"
#include "collect/filesystem_watch.h"
#include <stdbool.h>
#include <stdint.h>

struct mount_candidate {
    unsigned mount_id; /* 0: the root directory, which has no mount of its own here */
    uint64_t device;   /* major << 32 | minor */
    bool whole;        /* the filesystem's root directory is mounted, not a part of it */
    struct filesystem_signs signs;
    bool on_device;     /* a block device or a pool of them, not memory */
    bool behind_server; /* the root only: must not be asked */
    bool automounted;   /* the path may have to wait while it is unmounted */
    char *target;       /* as the host calls it; owned */
    char *path;         /* where the agent sees it; owned; NULL: nowhere */
    char source[128], type[32];
};

struct mount_choice {
    struct mount_candidate *list; /* of one device: the best one to name it by comes first */
    size_t count, capacity;
};

/* Fills an empty (zeroed) choice with what the agent's own list of mounts has of the host, whose
 * tree is at `root`; 0 or -ENOMEM. Mounts of one device stay next to each other. */
int mount_choice_read(struct mount_choice *choice, struct scan own, const char *root);
/* The same of the host's list. What is mounted at a path below the root need not be what the host
 * has there: it is found by the device that both lists give, which a file's st_dev (of a btrfs
 * subvolume) is not. */
int mount_choice_read_host(struct mount_choice *choice, struct scan host, struct scan own,
                           const char *root);
/* Why what is mounted at a path of the host, in the agent's own list, never gets a row; NULL: it
 * gets one, or nothing is mounted there. */
const char *mount_hidden(struct scan own, const char *root, const char *path);
/* The same of every mount of a type; NULL: it depends. */
const char *mount_type_hidden(const char *type);
void mount_choice_free(struct mount_choice *choice);

#endif
