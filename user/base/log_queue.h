/* Lines on their way to a descriptor that may not take them: a pipe nobody reads, a stopped
 * terminal, a file on a server that is gone. Adding never waits. One thread writes, and owns
 * nothing but what it writes: a descriptor cannot be made non-blocking without doing the same to
 * whoever else holds it (the parent's terminal), and a hung file is never writable in time.
 *
 * What finds no room is dropped and counted, and a line says so where it is missing.
 */
#ifndef MOONWATCH_BASE_LOG_QUEUE_H
#define MOONWATCH_BASE_LOG_QUEUE_H

#include "base/text.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_queue;

/* Makes the line that says how many are missing. From either thread. */
typedef void log_queue_lost_fn(void *ctx, uint64_t lines, struct text *line);

struct log_queue_ops {
    log_queue_lost_fn *lost;
    void (*released)(void *ctx); /* the last call: from destroy, or from the thread after it */
    void *ctx;
};

/* `fd` is duplicated; one that is closed loses every line. `limit_bytes` bounds what waits. */
int log_queue_create(struct log_queue **ret, int fd, size_t limit_bytes,
                     const struct log_queue_ops *ops);
/* Waits at most `wait_ns` for the last line to be written; what then remains is left to the thread,
 * which ends once it is written, or with the process. NULL is fine. */
void log_queue_destroy(struct log_queue *queue, uint64_t wait_ns);

/* One line with its newline; one write(2) for it. */
void log_queue_add(struct log_queue *queue, const char *line, size_t length);
/* One that could not be made. */
void log_queue_add_lost(struct log_queue *queue);

/* Lines from here on wait for their release, at most 2 s, or until half of the room is taken. The
 * end writes them. */
void log_queue_hold(struct log_queue *queue);
/* Of the last line, for log_queue_release(), which lets it go with those before it. */
uint64_t log_queue_mark(struct log_queue *queue);
void log_queue_release(struct log_queue *queue, uint64_t mark);

/* Whether everything is written, or lost, within `wait_ns`. */
bool log_queue_flush(struct log_queue *queue, uint64_t wait_ns);

struct log_queue_view {
    uint64_t dropped_total; /* lines that were never written whole */
    size_t queued_bytes;
};
void log_queue_view(struct log_queue *queue, struct log_queue_view *ret);

#endif
