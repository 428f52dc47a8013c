#include "base/log.h"
#include "base/text.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One long string must not push out the fields after it. */
#define STRING_BYTES_MAX 1024
/* Room kept for what ends every line: ,"truncated":true} and the newline. */
#define TAIL_BYTES 32

struct log {
    int fd;
    enum log_level level;
    const struct clock *clock;
    uint64_t lines_lost;
    struct text line;
};

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {
        [LOG_LEVEL_DEBUG] = "DEBUG",       [LOG_LEVEL_INFO] = "INFO",
        [LOG_LEVEL_WARNING] = "WARNING",   [LOG_LEVEL_ERROR] = "ERROR",
        [LOG_LEVEL_CRITICAL] = "CRITICAL",
    };

    return names[level];
}

int log_create(struct log **ret, int fd, enum log_level level, const struct clock *clock)
{
    struct log *log = calloc(1, sizeof(*log));

    if (!log)
        return -ENOMEM;
    log->fd = fd;
    log->level = level;
    log->clock = clock;
    text_init(&log->line, LOG_LINE_BYTES);
    *ret = log;
    return 0;
}

void log_set_level(struct log *log, enum log_level level)
{
    log->level = level;
}

void log_destroy(struct log *log)
{
    if (!log)
        return;
    text_free(&log->line);
    free(log);
}

static void add_key(struct text *line, const char *name)
{
    if (line->len > 1) /* the first key follows the brace */
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

void log_write(struct log *log, enum log_level level, const char *logger, const char *file,
               const char *func, const char *msg, const struct log_field *fields, size_t count)
{
    char ts[CLOCK_RFC3339_BYTES];
    struct text *line;
    bool truncated = false;
    size_t i, mark;
    ssize_t written;

    if (!log || level < log->level)
        return;
    line = &log->line;
    text_reset(line);
    clock_format_rfc3339(clock_realtime_ns(log->clock), ts);
    text_add_char(line, '{');
    add_string(line, "ts", ts, sizeof(ts));
    add_string(line, "level", log_level_name(level), STRING_BYTES_MAX);
    add_string(line, "logger", logger, STRING_BYTES_MAX);
    mark = line->len;
    add_string(line, "msg", msg, STRING_BYTES_MAX);
    truncated = too_long(msg);
    if (line->len > LOG_LINE_BYTES / 2) { /* mostly escapes, which take six bytes for one */
        line->len = mark;
        line->failed = false;
        add_string(line, "msg", msg, STRING_BYTES_MAX / 6);
        truncated = true;
    }
    add_module(line, file);
    add_string(line, "func", func, STRING_BYTES_MAX);
    if (log->lines_lost) {
        add_key(line, "lines_lost");
        text_add_u64(line, log->lines_lost);
    }
    for (i = 0; i < count; i++) {
        mark = line->len;
        add_field(line, &fields[i]);
        if (!keep(line, mark) || (fields[i].type == LOG_FIELD_STRING && too_long(fields[i].string)))
            truncated = true;
    }
    if (truncated)
        text_add(line, ",\"truncated\":true");
    text_add(line, "}\n");
    if (line->failed) {
        log->lines_lost++;
        return;
    }
    do
        written = write(log->fd, line->data, line->len);
    while (written < 0 && errno == EINTR);
    if (written == (ssize_t)line->len)
        log->lines_lost = 0;
    else
        log->lines_lost++;
}
