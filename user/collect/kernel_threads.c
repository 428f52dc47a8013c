#include "collect/kernel_threads.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "base/scan.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* PF_KTHREAD of linux/sched.h, since 2.6.27. */
#define FLAG_KERNEL_THREAD 0x00200000u
/* Words between the name and the flags in /proc/PID/stat. */
#define WORDS_BEFORE_FLAGS 6

void kernel_threads_begin_walk(struct kernel_threads *t)
{
    struct kernel_thread *found = t->found;
    size_t capacity = t->found_capacity;

    t->found = t->before;
    t->found_capacity = t->before_capacity;
    t->before = found;
    t->before_capacity = capacity;
    t->before_count = places_reset(&t->places, t->found_count) ? t->found_count : 0;
    t->found_count = 0;
    for (size_t i = 0; i < t->before_count; i++)
        places_add(&t->places, t->before[i].pid, i);
}

/* What finds no room is looked at again. */
static void add(struct kernel_threads *t, const struct kernel_thread *thread)
{
    if (array_grow(&t->found, &t->found_capacity, t->found_count + 1, sizeof(*thread)))
        ((struct kernel_thread *)t->found)[t->found_count++] = *thread;
}

static const struct kernel_thread *find_before(const struct kernel_threads *t, uint32_t pid,
                                               uint64_t inode)
{
    size_t step = places_begin(&t->places, pid), at;

    if (t->before_count == 0)
        return NULL;
    do
        at = places_next(&t->places, &step);
    while (at != PLACES_END && t->before[at].pid != pid);
    return at != PLACES_END && t->before[at].inode == inode ? &t->before[at] : NULL;
}

bool kernel_threads_know(struct kernel_threads *t, uint32_t pid, uint64_t inode)
{
    const struct kernel_thread *thread = find_before(t, pid, inode);

    if (!thread || !thread->sure)
        return false;
    add(t, thread);
    return true;
}

/* "2 (kthreadd) S 0 0 0 0 -1 2129984 ...": the name may hold anything. */
static bool is_kernel_thread(int proc, uint32_t pid)
{
    CLEANUP_CLOSE int fd = -1;
    struct scan rest, word;
    const char *name_end;
    char path[32], text[512];
    uint64_t flags;
    ssize_t len;

    snprintf(path, sizeof(path), "%u/stat", pid);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    len = fd < 0 ? -1 : read(fd, text, sizeof(text));
    name_end = len > 0 ? memrchr(text, ')', (size_t)len) : NULL;
    if (!name_end)
        return false;
    rest = (struct scan){.at = name_end + 1, .end = text + len};
    for (int i = 0; i < WORDS_BEFORE_FLAGS; i++)
        if (!scan_word(&rest, &word))
            return false;
    return scan_u64(&rest, &flags) && flags & FLAG_KERNEL_THREAD;
}

void kernel_threads_look(struct kernel_threads *t, int proc, uint32_t pid, uint64_t inode)
{
    struct kernel_thread thread = {
        .pid = pid, .sure = find_before(t, pid, inode) != NULL, .inode = inode};

    if (is_kernel_thread(proc, pid))
        add(t, &thread);
}

void kernel_threads_free(struct kernel_threads *t)
{
    free(t->before);
    free(t->found);
    places_free(&t->places);
    *t = (struct kernel_threads){.before = NULL};
}
