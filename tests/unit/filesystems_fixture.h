/* Rows of filesystems over a mountinfo of the test's own, and a kernel that answers as told. */
#ifndef MOONWATCH_TEST_FILESYSTEMS_FIXTURE_H
#define MOONWATCH_TEST_FILESYSTEMS_FIXTURE_H

#include "base/mounts.h"
#include "base/text.h"
#include "collect/filesystems.h"
#include "tree.h"
#include <errno.h>
#include <sys/statvfs.h>

/* What the test's kernel answers, by path. */
struct answer {
    const char *target;
    int err;
    struct statvfs v;
};

static const struct answer *answers;
static size_t answer_count;
static char asked[1 << 16];
static bool asked_automounted;

static inline int usage(void *ctx, const struct filesystem_place *place, struct statvfs *ret)
{
    const char *target = place->path;
    static const struct statvfs plain = {.f_frsize = 4096,
                                         .f_blocks = 1000,
                                         .f_bfree = 400,
                                         .f_bavail = 350,
                                         .f_files = 100,
                                         .f_ffree = 90};

    asked_automounted |= place->automounted;
    strncat(asked, target, sizeof(asked) - strlen(asked) - 2);
    strcat(asked, " ");
    for (size_t i = 0; i < answer_count; i++) {
        if (strcmp(answers[i].target, target) != 0)
            continue;
        *ret = answers[i].v;
        return answers[i].err;
    }
    *ret = plain;
    return 0;
}

static const struct filesystems_ops ops = {.usage = usage};

static inline struct disk_snapshot sample(const char *mountinfo, struct tree **ret_tree,
                                          struct filesystems **ret_fs)
{
    struct disk_snapshot disk = {.missing = NULL};

    *ret_tree = tree_create();
    asked[0] = '\0';
    asked_automounted = false;
    if (mountinfo)
        tree_write(*ret_tree, "proc/self/mountinfo", mountinfo);
    assert_int_equal(filesystems_create(ret_fs, &(*ret_tree)->host, &ops), 0);
    filesystems_sample(*ret_fs, (*ret_tree)->now_ns, &disk);
    return disk;
}

static inline void done(struct tree *t, struct filesystems *fs)
{
    filesystems_destroy(fs);
    tree_destroy(t);
    answers = NULL;
    answer_count = 0;
}

static inline const struct filesystem *find(const struct disk_snapshot *disk, const char *mount)
{
    for (size_t i = 0; i < disk->filesystem_count; i++)
        if (strcmp(disk->filesystems[i].mount, mount) == 0)
            return &disk->filesystems[i];
    return NULL;
}

#endif
