#include "alert/recording.h"
#include "alert/recording_column.h"
#include "alert/recording_source.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "model/metric.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So many events in one row are a mistake in the recording. */
#define EVENTS_PER_CELL_MAX 1000
#define BYTE_ORDER_MARK "\xef\xbb\xbf"
/* A row of as many columns as there may be, of 1 KiB each. */
#define RECORDING_LINE_BYTES (RECORDING_COLUMNS_MAX << 10)

struct row {
    struct sample *samples;
    struct alert_condition *conditions;
    struct alert_event *events;
    size_t event_capacity;
};

struct recording {
    FILE *file;
    unsigned wait_ms;
    size_t line_number;
    char *line; /* of RECORDING_LINE_BYTES */
    size_t field_count;
    char **fields; /* in the line */
    size_t column_count;
    struct recording_column *columns; /* without the time */
    uint64_t last_ns;
    struct row rows[2], *row; /* the last two, and where the next one goes */
};

/* Splits the line in place as RFC 4180 says, but for lines within quotes. */
static int split(struct recording *r, char error[RECORDING_ERROR_BYTES])
{
    char *in = r->line, *out = r->line;

    r->field_count = 0;
    for (;;) {
        char *field = out;
        bool quoted = *in == '"', ended;

        if (r->field_count > RECORDING_COLUMNS_MAX) {
            snprintf(error, RECORDING_ERROR_BYTES, "line %zu: more than %d columns", r->line_number,
                     RECORDING_COLUMNS_MAX);
            return -EINVAL;
        }
        in += quoted;
        for (; *in && (quoted ? *in != '"' || in[1] == '"' : *in != ','); in++) {
            in += quoted && *in == '"';
            *out++ = *in;
        }
        if (quoted && *in++ != '"') {
            snprintf(error, RECORDING_ERROR_BYTES, "line %zu: a quote is not closed",
                     r->line_number);
            return -EINVAL;
        }
        if (*in && *in != ',') {
            snprintf(error, RECORDING_ERROR_BYTES, "line %zu: text behind a closing quote",
                     r->line_number);
            return -EINVAL;
        }
        ended = !*in;
        *out++ = '\0';
        r->fields[r->field_count++] = field;
        if (ended)
            return 0;
        in++;
    }
}

static int failed(const struct recording *r, int error_number, char error[RECORDING_ERROR_BYTES])
{
    if (error_number == ETIMEDOUT)
        snprintf(error, RECORDING_ERROR_BYTES, "line %zu: nothing was written into it for %g s",
                 r->line_number, r->wait_ms / 1000.0);
    else if (error_number == EFBIG)
        snprintf(error, RECORDING_ERROR_BYTES, "line %zu: more than %llu bytes out of a pipe",
                 r->line_number, RECORDING_PIPE_BYTES_MAX);
    return error_number > 0 ? -error_number : -EIO;
}

/* Without its end: its length, -1 at the end of the file, or another negative errno. */
static ssize_t get_line(struct recording *r, char error[RECORDING_ERROR_BYTES])
{
    size_t n = 0;
    int c;

    r->line_number++;
    while ((c = getc_unlocked(r->file)) != EOF && c != '\n') {
        if (c == '\0' || n == RECORDING_LINE_BYTES - 1) {
            snprintf(error, RECORDING_ERROR_BYTES,
                     c ? "line %zu: longer than %d bytes" : "line %zu: a NUL byte", r->line_number,
                     RECORDING_LINE_BYTES - 1);
            return -EINVAL;
        }
        r->line[n++] = (char)c;
    }
    if (c == EOF && ferror(r->file))
        return failed(r, errno, error);
    if (c == EOF && n == 0)
        return -ENODATA;
    while (n > 0 && r->line[n - 1] == '\r')
        n--;
    r->line[n] = '\0';
    return (ssize_t)n;
}

/* 1, 0 at the end, or a negative errno. Empty lines are left out. */
static int read_line(struct recording *r, char error[RECORDING_ERROR_BYTES])
{
    ssize_t n;
    int err;

    do
        n = get_line(r, error);
    while (n == 0);
    if (n < 0)
        return n == -ENODATA ? 0 : (int)n;
    err = split(r, error);
    return err < 0 ? err : 1;
}

/* As spreadsheets begin a file. */
static void skip_byte_order_mark(struct recording *r)
{
    if (text_begins(r->fields[0], BYTE_ORDER_MARK))
        r->fields[0] += strlen(BYTE_ORDER_MARK);
}

static int read_header(struct recording *r, check_name_fn *check_name,
                       char error[RECORDING_ERROR_BYTES])
{
    int err = read_line(r, error);

    if (err == 0) {
        snprintf(error, RECORDING_ERROR_BYTES, "the file is empty (allowed: CSV with a header)");
        return -EINVAL;
    }
    if (err < 0)
        return err;
    skip_byte_order_mark(r);
    if (strcmp(r->fields[0], "timestamp") != 0 || r->field_count < 2) {
        snprintf(error, RECORDING_ERROR_BYTES,
                 "line %zu: the header is not timestamp,SERIES[,SERIES...]", r->line_number);
        return -EINVAL;
    }
    r->columns = calloc(r->field_count, sizeof(*r->columns));
    if (!r->columns)
        return -ENOMEM;
    for (size_t i = 0; i < 2; i++) {
        r->rows[i].samples = calloc(r->field_count, sizeof(struct sample));
        r->rows[i].conditions = calloc(r->field_count, sizeof(struct alert_condition));
        if (!r->rows[i].samples || !r->rows[i].conditions)
            return -ENOMEM;
    }
    for (size_t i = 1; i < r->field_count && err >= 0; i++)
        err =
            recording_column_parse(&r->columns[r->column_count++], r->fields[i], check_name, error);
    return err < 0 ? err : 0;
}

int recording_open(struct recording **ret, const char *path, unsigned wait_ms,
                   check_name_fn *check_name, char error[RECORDING_ERROR_BYTES])
{
    struct recording *r = calloc(1, sizeof(*r));
    int err = -ENOMEM;

    error[0] = '\0';
    if (r) {
        r->wait_ms = wait_ms;
        r->fields = calloc(RECORDING_COLUMNS_MAX + 2, sizeof(char *));
        r->line = malloc(RECORDING_LINE_BYTES);
    }
    if (r && r->fields && r->line) {
        err = recording_source_open(&r->file, path, wait_ms);
        if (err == 0)
            err = read_header(r, check_name, error);
    }
    if (err < 0) {
        if (!error[0])
            snprintf(error, RECORDING_ERROR_BYTES, "%s%s", file_error(err),
                     err == FILE_NOT_REGULAR ? ", and no pipe" : "");
        recording_close(r);
        return err;
    }
    *ret = r;
    return 0;
}

void recording_close(struct recording *r)
{
    if (!r)
        return;
    if (r->file)
        fclose(r->file);
    for (size_t i = 0; i < r->column_count; i++)
        recording_column_release(&r->columns[i]);
    free(r->columns);
    for (size_t i = 0; i < 2; i++) {
        free(r->rows[i].samples);
        free(r->rows[i].conditions);
        free(r->rows[i].events);
    }
    free(r->fields);
    free(r->line);
    free(r);
}

const char *recording_unknown_metric(const struct recording *r, size_t *cursor)
{
    struct metric metric;

    while (metric_any_declared() && *cursor < r->column_count) {
        const char *name = r->columns[(*cursor)++].metric;

        if (name && text_begins(name, "moonwatch_") && !metric_find(name, &metric))
            return name;
    }
    return NULL;
}

static int bad_cell(const struct recording *r, size_t column, const char *allowed,
                    char error[RECORDING_ERROR_BYTES])
{
    snprintf(error, RECORDING_ERROR_BYTES,
             "line %zu, column %zu: \"%.40s\" is not accepted "
             "(allowed: %s)",
             r->line_number, column + 1, r->fields[column], allowed);
    return -EINVAL;
}

static bool parse_number(const char *text, double *ret)
{
    char *end;

    *ret = NAN;
    if (!*text)
        return true;
    *ret = strtod(text, &end);
    return end != text && !*end;
}

static int add_events(struct recording *r, struct alert_input *ret,
                      const struct recording_column *column, size_t count)
{
    if (!ARRAY_GROW(r->row->events, r->row->event_capacity, ret->event_count + count))
        return -ENOMEM;
    while (count-- > 0)
        r->row->events[ret->event_count++] =
            (struct alert_event){column->event, column->labels, column->label_count, NAN, NULL};
    return 0;
}

static int take_cell(struct recording *r, size_t field, struct alert_input *ret,
                     char error[RECORDING_ERROR_BYTES])
{
    const struct recording_column *column = &r->columns[field - 1];
    const char *text = r->fields[field];
    double number;
    int status = STATUS_UNKNOWN;

    if (column->kind == COLUMN_CHECK) {
        for (int s = 0; s < STATUS_COUNT; s++)
            if (strcmp(text, status_name((enum status)s)) == 0)
                status = s;
        if (status == STATUS_UNKNOWN && *text && strcmp(text, "unknown") != 0)
            return bad_cell(r, field, "healthy, degraded, unhealthy, unknown", error);
        r->row->conditions[ret->condition_count++] = (struct alert_condition){
            RULE_STATUS, column->labels, column->label_count, (enum status)status, NAN, NULL};
        return 0;
    }
    if (!parse_number(text, &number))
        return bad_cell(r, field, "a number or nothing", error);
    if (column->kind == COLUMN_METRIC) {
        r->row->samples[ret->sample_count++] =
            (struct sample){column->metric, column->labels, column->label_count, number};
        return 0;
    }
    if (isnan(number))
        return 0;
    if (!(number >= 0 && number <= EVENTS_PER_CELL_MAX) || number != floor(number))
        return bad_cell(r, field, "a whole number up to 1000", error);
    return add_events(r, ret, column, (size_t)number);
}

int recording_next(struct recording *r, struct alert_input *ret, char error[RECORDING_ERROR_BYTES])
{
    struct alert_input input = {0};
    uint64_t at;
    int err = read_line(r, error);

    if (err <= 0)
        return err;
    if (r->field_count != r->column_count + 1) {
        snprintf(error, RECORDING_ERROR_BYTES, "line %zu: %zu fields, the header has %zu",
                 r->line_number, r->field_count, r->column_count + 1);
        return -EINVAL;
    }
    if (!clock_parse_time(r->fields[0], &at))
        return bad_cell(r, 0, "epoch seconds, YYYY-MM-DD HH:MM:SS or ISO 8601", error);
    if (at < r->last_ns)
        return bad_cell(r, 0, "a time not before the one of the line before", error);
    r->last_ns = at;
    r->row = r->row == &r->rows[0] ? &r->rows[1] : &r->rows[0];
    input.monotonic_ns = input.realtime_ns = at;
    for (size_t i = 1; i < r->field_count; i++) {
        err = take_cell(r, i, &input, error);
        if (err < 0)
            return err;
    }
    input.samples = r->row->samples;
    input.conditions = r->row->conditions;
    input.events = r->row->events;
    *ret = input;
    return 1;
}
