/* Reading the task iterator. */
#include "abi/task.h"
#include "base/cleanup.h"
#include "probe/map.h"
#include "probe/probe_state.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The kernel fills a buffer of eight pages between two copies to user space; asking for less would
 * only add system calls. */
#define CHUNK_BYTES (32 * 1024)

const struct program *program_running(const struct probe *probe, const char *target)
{
    for (size_t i = 0; i < probe->program_count; i++) {
        const struct program *program = &probe->programs[i];

        if (strcmp(program->target, target) == 0 && program->link_fd >= 0)
            return program;
    }
    return NULL;
}

int probe_tasks_for_each(struct probe *probe, probe_task_row_fn *fn, void *ctx)
{
    const struct program *iterator = program_running(probe, "iter/task");
    CLEANUP_CLOSE int fd = -1;
    size_t have = 0;
    int total = 0;

    if (!iterator)
        return -ENOENT;
    if (!probe->task_rows)
        probe->task_rows = malloc(CHUNK_BYTES);
    if (!probe->task_rows)
        return -ENOMEM;
    fd = bpf_iter_create(iterator->link_fd);
    if (fd < 0)
        return -errno;
    for (;;) {
        ssize_t n = read(fd, probe->task_rows + have, CHUNK_BYTES - have);
        size_t used = 0;

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return have ? -EPROTO : total;
        have += (size_t)n;
        for (; have - used >= sizeof(struct task_row); used += sizeof(struct task_row), total++)
            fn(ctx, (const struct task_row *)(const void *)(probe->task_rows + used));
        /* A read may end inside a row. */
        memmove(probe->task_rows, probe->task_rows + used, have - used);
        have -= used;
    }
}
