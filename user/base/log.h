/* Structured logs: one JSON object per line on stderr, fields as in
 * {"ts","level","logger","msg","module","func", then typed fields}. Where stderr is the journal
 * ($JOURNAL_STREAM), "<N>" stands before it, which the journal takes for the priority.
 *
 * Nothing here waits for the reader (base/log_queue.h). Only the agent and the command line log;
 * the layers below return what went wrong.
 */
#ifndef MOONWATCH_BASE_LOG_H
#define MOONWATCH_BASE_LOG_H

#include "base/clock.h"
#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_LEVEL_DEBUG,
    LOG_LEVEL_INFO,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_ERROR,
    LOG_LEVEL_CRITICAL,
    LOG_LEVEL_COUNT
};

enum log_field_type { LOG_FIELD_STRING, LOG_FIELD_DOUBLE, LOG_FIELD_U64, LOG_FIELD_BOOL };

struct log_field {
    const char *name;
    enum log_field_type type;
    union {
        const char *string; /* NULL is written as null */
        double number;      /* NaN is written as null */
        uint64_t u64;
        bool boolean;
    };
};

#define LOG_STRING(n, v) ((struct log_field){.name = (n), .type = LOG_FIELD_STRING, .string = (v)})
#define LOG_DOUBLE(n, v) ((struct log_field){.name = (n), .type = LOG_FIELD_DOUBLE, .number = (v)})
#define LOG_U64(n, v) ((struct log_field){.name = (n), .type = LOG_FIELD_U64, .u64 = (v)})
#define LOG_BOOL(n, v) ((struct log_field){.name = (n), .type = LOG_FIELD_BOOL, .boolean = (v)})

struct log;

/* PIPE_BUF: a line written to a pipe stays whole between the lines of other writers. */
#define LOG_LINE_BYTES 4096

/* `fd` is duplicated. Lines below `level` are not written. `clock` is read from two threads. */
int log_create(struct log **ret, int fd, enum log_level level, const struct clock *clock);
/* Waits 2 s at most for a reader that has stalled. NULL is fine. */
void log_destroy(struct log *log);
void log_set_level(struct log *log, enum log_level level);

/* Whatever is printed to `stderr`, by a library too, goes the log's way as lines of its own, until
 * the log is destroyed. At most one log at a time. */
int log_adopt_stderr(struct log *log);

/* What the lines from here on tell is to be on the disk before they are written: they wait for
 * their release, 2 s at most, or until so many wait that some would be lost. */
void log_hold(struct log *log);
/* Of the last line, for log_release(), which lets it go with those before it. */
uint64_t log_mark(struct log *log);
void log_release(struct log *log, uint64_t mark);

/* Whether all lines are written, or dropped, within `wait_ns`. */
bool log_flush(struct log *log, uint64_t wait_ns);

struct log_view {
    uint64_t lines_dropped_total; /* for want of a reader, or since a write failed */
    uint64_t queued_bytes;        /* not written yet */
};
void log_view(struct log *log, struct log_view *ret);

/* `module` is the file's name without directory and suffix. One write(2) per line, which is cut to
 * LOG_LINE_BYTES: strings are shortened and fields that do not fit are left out, which the line
 * then says ("truncated":true). In the place of lines that were dropped, one says how many
 * ("lines_lost"). `log` may be NULL: nothing is written. */
void log_write(struct log *log, enum log_level level, const char *logger, const char *file,
               const char *func, const char *msg, const struct log_field *fields, size_t count);

#define LOG_AT(log, level, logger, msg, ...)                                                       \
    log_write((log), (level), (logger), __FILE__, __func__, (msg),                                 \
              (const struct log_field[]){__VA_ARGS__},                                             \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define LOG_DEBUG(log, logger, ...) LOG_AT(log, LOG_LEVEL_DEBUG, logger, __VA_ARGS__)
#define LOG_INFO(log, logger, ...) LOG_AT(log, LOG_LEVEL_INFO, logger, __VA_ARGS__)
#define LOG_WARNING(log, logger, ...) LOG_AT(log, LOG_LEVEL_WARNING, logger, __VA_ARGS__)
#define LOG_ERROR(log, logger, ...) LOG_AT(log, LOG_LEVEL_ERROR, logger, __VA_ARGS__)
#define LOG_CRITICAL(log, logger, ...) LOG_AT(log, LOG_LEVEL_CRITICAL, logger, __VA_ARGS__)

const char *log_level_name(enum log_level level); /* "DEBUG" ... */

#endif
