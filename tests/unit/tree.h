/* A /proc and /sys of the test's own in a temporary directory, and collectors over it. */
#ifndef MOONWATCH_TEST_TREE_H
#define MOONWATCH_TEST_TREE_H

#include "base/file.h"
#include "collect/collector.h"
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct tree {
    char root[64], proc[80], sys[80];
    struct host host;
    uint64_t now_ns;
    struct clock clock;
    struct collector_env env;
    const struct collector *collector;
    void *state;
    struct snapshot snapshot;
};

static inline uint64_t tree_clock(void *ctx)
{
    return ((struct tree *)ctx)->now_ns;
}

static inline struct tree *tree_create(void)
{
    struct tree *t = calloc(1, sizeof(*t));

    assert_non_null(t);
    strcpy(t->root, "/tmp/moonwatch-tree-XXXXXX");
    assert_non_null(mkdtemp(t->root));
    snprintf(t->proc, sizeof(t->proc), "%s/proc", t->root);
    snprintf(t->sys, sizeof(t->sys), "%s/sys", t->root);
    assert_int_equal(dir_create_all(t->proc, 0755), 0);
    assert_int_equal(dir_create_all(t->sys, 0755), 0);
    t->host = (struct host){.root = "/", .proc = t->proc, .sys = t->sys, .own_proc = t->proc};
    t->now_ns = 1000 * NS_PER_SECOND;
    t->clock = (struct clock){.monotonic_ns = tree_clock, .realtime_ns = tree_clock, .ctx = t};
    t->env = (struct collector_env){.host = &t->host, .clock = &t->clock};
    return t;
}

/* `path` is relative to the root: "proc/stat". Keeps the inode of a file that is there, and does
 * not empty it first: ext4 would write the new content to the disk when the file is closed. */
static inline void tree_write_n(struct tree *t, const char *path, const char *text, size_t len)
{
    char full[512], *slash;
    int fd;

    snprintf(full, sizeof(full), "%s/%s", t->root, path);
    slash = strrchr(full, '/');
    *slash = '\0';
    assert_int_equal(dir_create_all(full, 0755), 0);
    *slash = '/';
    fd = open(full, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    assert_int_equal(ftruncate(fd, (off_t)len), 0);
    close(fd);
}

static inline void tree_write(struct tree *t, const char *path, const char *text)
{
    tree_write_n(t, path, text, strlen(text));
}

static inline int tree_unlink_one(const char *path, const struct stat *st, int type,
                                  struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static inline void tree_remove(struct tree *t, const char *path)
{
    char full[512];

    snprintf(full, sizeof(full), "%s/%s", t->root, path);
    nftw(full, tree_unlink_one, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void tree_open(struct tree *t, const struct collector *collector)
{
    t->collector = collector;
    t->state = calloc(1, collector->state_size);
    assert_non_null(t->state);
    assert_int_equal(collector->open(t->state, &t->env), 0);
}

/* Samples `seconds` after the last time. */
static inline const struct snapshot *tree_sample(struct tree *t, double seconds)
{
    t->now_ns += (uint64_t)(seconds * 1e9);
    t->collector->sample(t->state, t->now_ns, &t->snapshot);
    return &t->snapshot;
}

static inline void tree_destroy(struct tree *t)
{
    if (t->collector)
        t->collector->close(t->state);
    free(t->state);
    tree_remove(t, "");
    free(t);
}

static inline void assert_known(struct reading r, double value)
{
    if (r.missing)
        fail_msg("missing: %s", r.missing);
    if (fabs(r.value - value) > 1e-6 * (1 + fabs(value)))
        fail_msg("%g is not %g", r.value, value);
}

static inline void assert_missing(struct reading r, const char *word)
{
    if (!r.missing)
        fail_msg("not missing: %g", r.value);
    assert_true(isnan(r.value));
    if (!strstr(r.missing, word))
        fail_msg("\"%s\" does not say \"%s\"", r.missing ? r.missing : "", word);
}

#endif
