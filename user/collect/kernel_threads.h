/* Which of the processes in /proc are threads of the kernel, told apart by walks over it: they
 * never open a file, and most of a small host's processes are of them.
 *
 * One is known by its number and the inode of its directory, which is of that process alone. It is
 * sure in the second walk that finds it: on kernels before 5.19 a program that the kernel starts
 * looks like one until its exec.
 */
#ifndef MOONWATCH_COLLECT_KERNEL_THREADS_H
#define MOONWATCH_COLLECT_KERNEL_THREADS_H

#include "base/places.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kernel_thread {
    uint32_t pid;
    bool sure;
    uint64_t inode;
};

/* Zeroed before the first use. */
struct kernel_threads {
    struct kernel_thread *before; /* of the last walk */
    struct places places;         /* of these, by pid */
    void *found;                  /* of the walk under way */
    size_t before_count, before_capacity, found_count, found_capacity;
};

void kernel_threads_begin_walk(struct kernel_threads *threads);
/* True when it is one for sure. */
bool kernel_threads_know(struct kernel_threads *threads, uint32_t pid, uint64_t inode);
/* Of a process without open files: finds out whether it is one. `proc` is the directory. */
void kernel_threads_look(struct kernel_threads *threads, int proc, uint32_t pid, uint64_t inode);
void kernel_threads_free(struct kernel_threads *threads);

#endif
