#include "base/log.h"
#include "base/log_queue.h"
#include "base/text.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

/* One long string must not push out the fields after it. */
#define STRING_BYTES_MAX 1024
/* Room kept for what ends every line: ,"truncated":true} and the newline. */
#define TAIL_BYTES 32

/* Of one printed line: a configuration error may quote a long value. */
#define PRINTED_BYTES_MAX (64UL * 1024)
/* Some thousand lines: a storm of events within one round of the loop finds room. */
#define QUEUE_BYTES_MAX (1024UL * 1024)
/* What an end may take longer for a reader that has stalled. */
#define END_WAIT_NS (2 * NS_PER_SECOND)

struct log {
    enum log_level level;
    bool priorities; /* begin each line with <N>, for the journal */
    const struct clock *clock;
    struct log_queue *queue;
    struct text line;
    FILE *adopted, *before; /* what `stderr` is and was; NULL: not adopted */
    struct text printed;    /* there, and not yet ended by a newline */
};

static const struct {
    const char *name;
    const char *priority; /* sd-daemon(3) */
} levels[] = {
    [LOG_LEVEL_DEBUG] = {"DEBUG", "<7>"},       [LOG_LEVEL_INFO] = {"INFO", "<6>"},
    [LOG_LEVEL_WARNING] = {"WARNING", "<4>"},   [LOG_LEVEL_ERROR] = {"ERROR", "<3>"},
    [LOG_LEVEL_CRITICAL] = {"CRITICAL", "<2>"},
};

const char *log_level_name(enum log_level level)
{
    return levels[level].name;
}

static void add_key(struct text *line, const char *name)
{
    if (line->data[line->len - 1] != '{')
        text_add_char(line, ',');
    text_add_json_string(line, name, STRING_BYTES_MAX);
    text_add_char(line, ':');
}

static void add_string(struct text *line, const char *name, const char *value, size_t length)
{
    add_key(line, name);
    text_add_json_string(line, value, length < STRING_BYTES_MAX ? length : STRING_BYTES_MAX);
}

static void add_field(struct text *line, const struct log_field *field)
{
    add_key(line, field->name);
    switch (field->type) {
    case LOG_FIELD_STRING:
        text_add_json_string(line, field->string, STRING_BYTES_MAX);
        break;
    case LOG_FIELD_DOUBLE:
        if (isfinite(field->number))
            text_add_double(line, field->number);
        else
            text_add(line, "null");
        break;
    case LOG_FIELD_U64:
        text_add_u64(line, field->u64);
        break;
    case LOG_FIELD_BOOL:
        text_add(line, field->boolean ? "true" : "false");
        break;
    }
}

/* Takes back what was added since `mark` when it leaves no room for the tail. */
static bool keep(struct text *line, size_t mark)
{
    if (!line->failed && line->len <= LOG_LINE_BYTES - TAIL_BYTES)
        return true;
    line->len = mark;
    line->failed = false;
    return false;
}

static bool too_long(const char *s)
{
    return s && strnlen(s, STRING_BYTES_MAX + 1) > STRING_BYTES_MAX;
}

static void add_module(struct text *line, const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *name = slash ? slash + 1 : file;
    const char *dot = strrchr(name, '.');

    add_string(line, "module", name, dot ? (size_t)(dot - name) : strlen(name));
}

struct line_head {
    enum log_level level;
    const char *logger, *file, *func, *msg;
};

/* Thread-safe: the queue's thread says what is missing. */
static void make_line(const struct log *log, struct text *line, const struct line_head *head,
                      const struct log_field *fields, size_t count)
{
    char ts[CLOCK_RFC3339_BYTES];
    bool truncated;
    size_t i, mark;

    text_reset(line);
    clock_format_rfc3339(clock_realtime_ns(log->clock), ts);
    if (log->priorities)
        text_add(line, levels[head->level].priority);
    text_add_char(line, '{');
    if (line->failed)
        return;
    add_string(line, "ts", ts, sizeof(ts));
    add_string(line, "level", levels[head->level].name, STRING_BYTES_MAX);
    add_string(line, "logger", head->logger, STRING_BYTES_MAX);
    mark = line->len;
    add_string(line, "msg", head->msg, STRING_BYTES_MAX);
    truncated = too_long(head->msg);
    if (line->len > LOG_LINE_BYTES / 2) { /* mostly escapes, which take six bytes for one */
        line->len = mark;
        line->failed = false;
        add_string(line, "msg", head->msg, STRING_BYTES_MAX / 6);
        truncated = true;
    }
    add_module(line, head->file);
    add_string(line, "func", head->func, STRING_BYTES_MAX);
    for (i = 0; i < count; i++) {
        mark = line->len;
        add_field(line, &fields[i]);
        if (!keep(line, mark) || (fields[i].type == LOG_FIELD_STRING && too_long(fields[i].string)))
            truncated = true;
    }
    if (truncated)
        text_add(line, ",\"truncated\":true");
    text_add(line, "}\n");
}

void log_write(struct log *log, enum log_level level, const char *logger, const char *file,
               const char *func, const char *msg, const struct log_field *fields, size_t count)
{
    const struct line_head head = {level, logger, file, func, msg};

    if (!log || level < log->level)
        return;
    make_line(log, &log->line, &head, fields, count);
    if (log->line.failed)
        log_queue_add_lost(log->queue);
    else
        log_queue_add(log->queue, log->line.data, log->line.len);
}

static void say_lost(void *ctx, uint64_t lines, struct text *line)
{
    const struct line_head head = {LOG_LEVEL_WARNING, "log", __FILE__, __func__,
                                   "Log lines are missing here: they were not read in time"};

    make_line(ctx, line, &head, &LOG_U64("lines_lost", lines), 1);
}

/* Of the journal, and not of a file or pipe that a unit or a shell has put in its place. */
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;

    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(fd, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

int log_create(struct log **ret, int fd, enum log_level level, const struct clock *clock)
{
    struct log *log = calloc(1, sizeof(*log));
    int r;

    if (!log)
        return -ENOMEM;
    log->level = level;
    log->clock = clock;
    log->priorities = is_journal(fd);
    text_init(&log->line, LOG_LINE_BYTES);
    text_init(&log->printed, PRINTED_BYTES_MAX);
    r = log_queue_create(&log->queue, fd, QUEUE_BYTES_MAX,
                         &(const struct log_queue_ops){say_lost, free, log});
    if (r < 0) {
        free(log);
        return r;
    }
    *ret = log;
    return 0;
}

void log_set_level(struct log *log, enum log_level level)
{
    log->level = level;
}

static void end_printed(struct log *log)
{
    if (log->printed.failed && log->printed.len > 0) /* cut */
        log->printed.data[log->printed.len - 1] = '\n';
    if (log->printed.len > 0)
        log_queue_add(log->queue, log->printed.data, log->printed.len);
    text_reset(&log->printed);
}

/* Whole lines, so that none is torn by a line of the log. */
static ssize_t on_printed(void *ctx, const char *data, size_t length)
{
    struct log *log = ctx;
    size_t done = 0;

    while (done < length) {
        const char *newline = memchr(data + done, '\n', length - done);
        size_t part = newline ? (size_t)(newline - data) + 1 - done : length - done;

        if (log->printed.len == 0 && log->priorities)
            text_add(&log->printed, levels[LOG_LEVEL_ERROR].priority);
        text_add_n(&log->printed, data + done, part);
        if (newline)
            end_printed(log);
        done += part;
    }
    return (ssize_t)length;
}

int log_adopt_stderr(struct log *log)
{
    const cookie_io_functions_t functions = {.write = on_printed};
    FILE *adopted = fopencookie(log, "w", functions);

    if (!adopted)
        return -errno;
    setvbuf(adopted, NULL, _IOLBF, 0);
    log->before = stderr;
    log->adopted = stderr = adopted;
    return 0;
}

void log_view(struct log *log, struct log_view *ret)
{
    struct log_queue_view queue;

    log_queue_view(log->queue, &queue);
    ret->lines_dropped_total = queue.dropped_total;
    ret->queued_bytes = queue.queued_bytes;
}

void log_hold(struct log *log)
{
    if (log)
        log_queue_hold(log->queue);
}

uint64_t log_mark(struct log *log)
{
    return log ? log_queue_mark(log->queue) : 0;
}

void log_release(struct log *log, uint64_t mark)
{
    if (log)
        log_queue_release(log->queue, mark);
}

bool log_flush(struct log *log, uint64_t wait_ns)
{
    return log_queue_flush(log->queue, wait_ns);
}

void log_destroy(struct log *log)
{
    if (!log)
        return;
    if (log->adopted) {
        fclose(log->adopted);
        stderr = log->before;
        end_printed(log);
    }
    text_free(&log->line);
    text_free(&log->printed);
    log_queue_destroy(log->queue, END_WAIT_NS); /* which releases the log */
}
