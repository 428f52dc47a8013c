/* Reading what the iterators write. */
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

int iterator_read(const struct program *iterator, char **buffer, size_t row_bytes,
                  void (*fn)(void *ctx, const void *row), void *ctx)
{
    CLEANUP_CLOSE int fd = -1;
    size_t have = 0;
    int total = 0;

    if (!*buffer)
        *buffer = malloc(CHUNK_BYTES);
    if (!*buffer)
        return -ENOMEM;
    fd = bpf_iter_create(iterator->link_fd);
    if (fd < 0)
        return -errno;
    for (;;) {
        ssize_t n = read(fd, *buffer + have, CHUNK_BYTES - have);
        size_t used = 0;

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return have ? -EPROTO : total;
        have += (size_t)n;
        for (; have - used >= row_bytes; used += row_bytes, total++)
            fn(ctx, *buffer + used);
        /* A read may end inside a row. */
        memmove(*buffer, *buffer + used, have - used);
        have -= used;
    }
}

struct task_reader {
    probe_task_row_fn *fn;
    void *ctx;
};

static void on_task(void *ctx, const void *row)
{
    const struct task_reader *reader = ctx;

    reader->fn(reader->ctx, row);
}

int probe_tasks_for_each(struct probe *probe, probe_task_row_fn *fn, void *ctx)
{
    const struct program *iterator = program_running(probe, "iter/task");

    if (!iterator)
        return -ENOENT;
    return iterator_read(iterator, &probe->task_rows, sizeof(struct task_row), on_task,
                         &(struct task_reader){fn, ctx});
}
