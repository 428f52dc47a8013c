/* Walking the kernel's text files, line by line and word by word.
 *
 * A line counts only with its newline and a number only when a blank or the line's end follows: a
 * file that was cut short loses figures, it never yields smaller ones. Nothing is copied and the
 * text need not be NUL-terminated.
 */
#ifndef MOONWATCH_BASE_SCAN_H
#define MOONWATCH_BASE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct scan {
    const char *at, *end;
};

static inline struct scan scan_of(const char *text, size_t len)
{
    return (struct scan){.at = text, .end = text + len};
}

static inline size_t scan_len(const struct scan *s)
{
    return (size_t)(s->end - s->at);
}

/* The next complete line, without its newline; false at the end. */
static inline bool scan_line(struct scan *file, struct scan *ret_line)
{
    const char *newline;

    /* The text of a file that could not be read may be NULL. */
    if (file->at == file->end)
        return false;
    newline = memchr(file->at, '\n', scan_len(file));
    if (!newline)
        return false;
    *ret_line = (struct scan){.at = file->at, .end = newline};
    file->at = newline + 1;
    return true;
}

/* The next run of characters that are not blank; false at the end. */
static inline bool scan_word(struct scan *line, struct scan *ret_word)
{
    const char *p = line->at, *start;

    while (p < line->end && (*p == ' ' || *p == '\t'))
        p++;
    start = p;
    while (p < line->end && *p != ' ' && *p != '\t')
        p++;
    line->at = p;
    *ret_word = (struct scan){.at = start, .end = p};
    return p > start;
}

/* Most words differ in their first character from what is looked for. */
static inline bool scan_is(const struct scan *word, const char *literal)
{
    size_t len = scan_len(word);

    return (len == 0 || *word->at == *literal) && strlen(literal) == len &&
           memcmp(word->at, literal, len) == 0;
}

/* Steps over `prefix` if the text begins with it. */
static inline bool scan_skip(struct scan *s, const char *prefix)
{
    size_t len = strlen(prefix);

    if (scan_len(s) < len || memcmp(s->at, prefix, len) != 0)
        return false;
    s->at += len;
    return true;
}

/* Copies into `out`, cut to fit, always terminated. */
static inline void scan_copy(const struct scan *s, char *out, size_t size)
{
    size_t len = scan_len(s) < size ? scan_len(s) : size - 1;

    memcpy(out, s->at, len);
    out[len] = '\0';
}

/* Likewise from a string. */
static inline void scan_copy_string(const char *string, char *out, size_t size)
{
    struct scan s = scan_of(string, strlen(string));

    scan_copy(&s, out, size);
}

/* The whole text as an unsigned decimal number. */
static inline bool scan_is_u64(const struct scan *s, uint64_t *ret)
{
    uint64_t value = 0;

    if (s->at == s->end)
        return false;
    for (const char *p = s->at; p < s->end; p++) {
        unsigned digit = (unsigned)(*p - '0');

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret = value;
    return true;
}

/* The next word as an unsigned decimal number. */
static inline bool scan_u64(struct scan *line, uint64_t *ret)
{
    struct scan word;

    return scan_word(line, &word) && scan_is_u64(&word, ret);
}

/* The next word as a plain decimal such as 0.25 (what loadavg and PSI print, two decimals). */
static inline bool scan_decimal(struct scan *line, double *ret)
{
    struct scan word, whole, fraction;
    uint64_t integer, digits;
    double scale = 1;
    const char *dot;

    if (!scan_word(line, &word))
        return false;
    dot = memchr(word.at, '.', scan_len(&word));
    if (!dot)
        return false;
    whole = (struct scan){.at = word.at, .end = dot};
    fraction = (struct scan){.at = dot + 1, .end = word.end};
    if (!scan_is_u64(&whole, &integer) || !scan_is_u64(&fraction, &digits))
        return false;
    for (size_t i = scan_len(&fraction); i > 0; i--)
        scale *= 10;
    *ret = (double)integer + (double)digits / scale;
    return true;
}

#endif
