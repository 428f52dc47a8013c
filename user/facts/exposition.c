#include "facts/exposition.h"
#include "base/clock.h"
#include <stdio.h>
#include <string.h>

/* The longest label is a path: PATH_MAX bytes, each up to five when it is not UTF-8. What could
 * be longer is left empty. */
#define BYTE_OUT_MAX (MARKED_BYTE_BYTES - 1)
#define LINE_BYTES 24576
/* What follows the labels: a bound, braces, a count. */
#define LINE_TAIL_BYTES 64
/* With its suffix. */
#define FAMILY_NAME_BYTES 128
#define U64_BYTES 21

/* The bounds of the slots in seconds, 2^(10 + i) / 10^9, as OpenMetrics wants a float written:
 * shortest, so that both formats name the same series. */
static const char *const bounds[SLOT_COUNT - 1] = {
    "1.024e-06",    "2.048e-06",    "4.096e-06",   "8.192e-06",   "1.6384e-05",  "3.2768e-05",
    "6.5536e-05",   "0.000131072",  "0.000262144", "0.000524288", "0.001048576", "0.002097152",
    "0.004194304",  "0.008388608",  "0.016777216", "0.033554432", "0.067108864", "0.134217728",
    "0.268435456",  "0.536870912",  "1.073741824", "2.147483648", "4.294967296", "8.589934592",
    "17.179869184", "34.359738368",
};

void exposition_init(struct exposition *e, struct text *out, bool openmetrics)
{
    *e = (struct exposition){.out = out, .openmetrics = openmetrics};
}

void exposition_init_sink(struct exposition *e, const struct exposition_sink *sink)
{
    *e = (struct exposition){.sink = sink};
}

void exposition_family(struct exposition *e, const struct metric_family *family)
{
    if (e->sink)
        e->wanted = e->sink->wants(e->sink->ctx, family);
    e->family = family;
    e->headed = false;
}

static const char *type_name(const struct exposition *e)
{
    return metric_type_name(!e->openmetrics && e->family->type == METRIC_INFO ? METRIC_GAUGE
                                                                              : e->family->type);
}

static void add_header_line(struct exposition *e, const char *keyword, const char *value)
{
    text_add(e->out, keyword);
    text_add(e->out, e->family->name);
    if (!e->openmetrics)
        text_add(e->out, metric_suffix(e->family->type));
    text_add_char(e->out, ' ');
    text_add(e->out, value);
    text_add_char(e->out, '\n');
}

static void add_unit(struct exposition *e)
{
    const char *unit = metric_unit(e->family->name);

    if (*unit)
        add_header_line(e, "# UNIT ", unit);
}

static void add_header(struct exposition *e)
{
    if (e->headed)
        return;
    e->headed = true;
    add_header_line(e, "# HELP ", e->family->help);
    add_header_line(e, "# TYPE ", type_name(e));
    if (e->openmetrics)
        add_unit(e);
}

/* One sample's line in the making. A line in a fixed buffer and one append per line is what makes a
 * page of a thousand lines cheap. */
struct line {
    struct text *out;
    size_t len;
    char data[LINE_BYTES];
};

static void line_add_n(struct line *line, const char *s, size_t n)
{
    size_t room = sizeof(line->data) - line->len;

    if (n > room)
        n = room;
    memcpy(line->data + line->len, s, n);
    line->len += n;
}

static void line_flush(struct line *line)
{
    text_add_n(line->out, line->data, line->len);
}

static void line_add(struct line *line, const char *s)
{
    line_add_n(line, s, strlen(s));
}

static void line_add_u64(struct line *line, uint64_t v)
{
    char digits[U64_BYTES];
    char *begin = digits + sizeof(digits);

    do {
        *--begin = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    line_add_n(line, begin, (size_t)(digits + sizeof(digits) - begin));
}

static void add_escaped(struct line *line, char c)
{
    line_add(line, c == '\n' ? "\\n" : c == '"' ? "\\\"" : "\\\\");
}

/* Room for the longest output of each byte and for what ends the line. */
static bool has_room(const struct line *line, size_t n)
{
    return BYTE_OUT_MAX * n + LINE_TAIL_BYTES <= sizeof(line->data) - line->len;
}

/* Prometheus rejects a whole page for one label that is not UTF-8, and for two series of the same
 * labels: with U+FFFD itself doubled, no two values become one. */
static void add_value_part(struct line *line, const char *s, size_t n)
{
    char mark[MARKED_BYTE_BYTES];

    while (n > 0) {
        size_t run = utf8_valid_prefix(s, n);
        const char *replacement = memmem(s, run, REPLACEMENT, strlen(REPLACEMENT));

        if (replacement)
            run = (size_t)(replacement - s) + strlen(REPLACEMENT);
        line_add_n(line, s, run);
        s += run;
        n -= run;
        if (replacement) {
            line_add(line, REPLACEMENT);
        } else if (n > 0) {
            text_mark_byte(mark, *s++);
            line_add(line, mark);
            n--;
        }
    }
}

static void add_label_value(struct line *line, const char *value)
{
    if (!has_room(line, strlen(value)))
        return;
    while (*value) {
        size_t plain = strcspn(value, "\\\"\n");

        add_value_part(line, value, plain);
        value += plain;
        if (*value)
            add_escaped(line, *value++);
    }
}

/* NAME{a="b",c="d" without the closing brace. */
static void begin_line(struct exposition *e, struct line *line, const char *suffix,
                       const struct label *labels, size_t label_count)
{
    line->out = e->out;
    line->len = 0;
    line_add(line, e->family->name);
    line_add(line, suffix);
    for (size_t i = 0; i < label_count; i++) {
        line_add_n(line, i ? "," : "{", 1);
        line_add(line, labels[i].name);
        line_add_n(line, "=\"", 2);
        add_label_value(line, labels[i].value ? labels[i].value : "");
        line_add_n(line, "\"", 1);
    }
}

static void begin_sample(struct exposition *e, struct line *line, const char *suffix,
                         const struct label *labels, size_t label_count)
{
    begin_line(e, line, suffix, labels, label_count);
    line_add(line, label_count ? "} " : " ");
    e->series++;
}

static void hand_over(struct exposition *e, const char *suffix, const struct label *labels,
                      size_t label_count, double value)
{
    char name[FAMILY_NAME_BYTES];

    if (!e->wanted)
        return;
    snprintf(name, sizeof(name), "%s%s", e->family->name, suffix);
    e->sink->sample(e->sink->ctx, name, labels, label_count, value);
}

void exposition_sample(struct exposition *e, const struct label *labels, size_t label_count,
                       double value)
{
    struct line line;

    if (e->sink) {
        hand_over(e, metric_suffix(e->family->type), labels, label_count, value);
        return;
    }
    add_header(e);
    begin_sample(e, &line, metric_suffix(e->family->type), labels, label_count);
    line_flush(&line);
    text_add_double(e->out, value);
    text_add_char(e->out, '\n');
}

void exposition_count(struct exposition *e, const struct label *labels, size_t label_count,
                      uint64_t value)
{
    struct line line;

    if (e->sink) {
        hand_over(e, metric_suffix(e->family->type), labels, label_count, (double)value);
        return;
    }
    add_header(e);
    begin_sample(e, &line, metric_suffix(e->family->type), labels, label_count);
    line_add_u64(&line, value);
    line_add_n(&line, "\n", 1);
    line_flush(&line);
}

void exposition_reading(struct exposition *e, const struct label *labels, size_t label_count,
                        struct reading value, double divisor)
{
    if (reading_known(value))
        exposition_sample(e, labels, label_count, value.value / divisor);
}

static void add_bucket(struct line *line, size_t prefix, const char *bound, uint64_t count)
{
    line->len = prefix;
    line_add(line, bound);
    line_add_n(line, "\"} ", 3);
    line_add_u64(line, count);
    line_add_n(line, "\n", 1);
    line_flush(line);
}

static void add_buckets(struct exposition *e, const struct label *labels, size_t label_count,
                        const struct latency *latency, unsigned step, uint64_t total)
{
    struct line line;
    uint64_t count = 0;
    size_t prefix;

    begin_line(e, &line, "_bucket", labels, label_count);
    line_add(&line, label_count ? ",le=\"" : "{le=\"");
    prefix = line.len;
    for (unsigned slot = 0; slot + 1 < SLOT_COUNT; slot++) {
        count += latency->slots[slot];
        if (slot % step == 0) {
            add_bucket(&line, prefix, bounds[slot], count);
            e->series++;
        }
    }
    add_bucket(&line, prefix, "+Inf", total);
    e->series++;
}

void exposition_histogram(struct exposition *e, const struct label *labels, size_t label_count,
                          const struct latency *latency, unsigned step)
{
    struct line line;
    uint64_t total = 0;

    for (unsigned slot = 0; slot < SLOT_COUNT; slot++)
        total += latency->slots[slot];
    if (e->sink) {
        hand_over(e, "_sum", labels, label_count, (double)latency->sum_ns / NS_PER_SECOND);
        hand_over(e, "_count", labels, label_count, (double)total);
        return;
    }
    add_header(e);
    add_buckets(e, labels, label_count, latency, step, total);
    begin_sample(e, &line, "_sum", labels, label_count);
    line_flush(&line);
    text_add_double(e->out, (double)latency->sum_ns / NS_PER_SECOND);
    text_add_char(e->out, '\n');
    begin_sample(e, &line, "_count", labels, label_count);
    line_add_u64(&line, total);
    line_add_n(&line, "\n", 1);
    line_flush(&line);
}

void exposition_end(struct exposition *e)
{
    if (e->openmetrics)
        text_add(e->out, "# EOF\n");
}
