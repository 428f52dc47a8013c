#include "collect/mount_choice.h"
#include "collect/mounts.h"
#include <errno.h>
#include <stdlib.h>

/* A host with 1,000 pods has some thousand bind mounts. */
#define CANDIDATES_MAX 8192

/* Storage without a block device number of its own (major 0). An overlay is storage only where it
 * is the root, in a container: elsewhere the filesystem below it has its own row. */
static bool has_storage(const struct mount_line *m)
{
    static const char *const types[] = {"btrfs", "zfs", "bcachefs", "ubifs"};

    if (m->major != 0)
        return true;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(m->type, types[i]) == 0)
            return true;
    return strcmp(m->type, "overlay") == 0 && strcmp(m->target, "/") == 0;
}

/* A path through one of these may hang. FUSE over a block device (fuseblk) does too when its daemon
 * does. */
static bool may_hang(const struct mount_line *m)
{
    static const char *const types[] = {
        "nfs",  "nfs4",   "cifs", "smb3",  "smbfs",  "ceph",   "9p",       "afs",      "ncpfs",
        "coda", "lustre", "gfs2", "ocfs2", "autofs", "beegfs", "virtiofs", "orangefs", "pvfs2"};

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(m->type, types[i]) == 0)
            return true;
    return strncmp(m->type, "fuse", 4) == 0 && strcmp(m->type, "fusectl") != 0;
}

static bool below(const char *path, const char *directory)
{
    size_t len = strlen(directory);

    return strncmp(path, directory, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static int add(struct mount_choice *c, const struct mount_line *m)
{
    struct mount_candidate *candidate;

    if (c->count == c->capacity) {
        size_t capacity = c->capacity ? 2 * c->capacity : 16;
        struct mount_candidate *list;

        if (c->count >= CANDIDATES_MAX)
            return 0;
        list = realloc(c->list, capacity * sizeof(*list));
        if (!list)
            return -ENOMEM;
        c->list = list;
        c->capacity = capacity;
    }
    candidate = &c->list[c->count];
    *candidate = (struct mount_candidate){
        .mount_id = m->id,
        .device = (uint64_t)m->major << 32 | m->minor,
        .whole = strcmp(m->root, "/") == 0,
        .read_only = m->read_only,
        .target = strdup(m->target),
    };
    if (!candidate->target)
        return -ENOMEM;
    scan_copy_string(m->source, candidate->source, sizeof(candidate->source));
    scan_copy_string(m->type, candidate->type, sizeof(candidate->type));
    c->count++;
    return 0;
}

static void remove_below(struct mount_choice *c, const char *directory)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->count; i++) {
        if (below(c->list[i].target, directory))
            free(c->list[i].target);
        else
            c->list[kept++] = c->list[i];
    }
    c->count = kept;
}

static int by_preference(const void *a, const void *b)
{
    const struct mount_candidate *x = a, *y = b;
    size_t x_len = strlen(x->target), y_len = strlen(y->target);

    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    if (x->whole != y->whole)
        return x->whole ? -1 : 1;
    if (x_len != y_len)
        return x_len < y_len ? -1 : 1;
    return strcmp(x->target, y->target);
}

int mount_choice_read(struct mount_choice *choice, struct scan mountinfo)
{
    struct scan again = mountinfo;
    struct mount_line line;

    while (mounts_next(&mountinfo, &line))
        if (has_storage(&line) && !may_hang(&line) && add(choice, &line))
            return -ENOMEM;
    /* In a second pass: lines are not sorted by where they are mounted. */
    while (mounts_next(&again, &line))
        if (may_hang(&line) && strcmp(line.target, "/") != 0)
            remove_below(choice, line.target);
    if (choice->count > 0)
        qsort(choice->list, choice->count, sizeof(choice->list[0]), by_preference);
    return 0;
}

void mount_choice_free(struct mount_choice *choice)
{
    for (size_t i = 0; i < choice->count; i++)
        free(choice->list[i].target);
    free(choice->list);
    *choice = (struct mount_choice){.list = NULL};
}
