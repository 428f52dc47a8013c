#include "alert/regex_syntax.h"
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ESCAPES "AbBzEpPdDsSwWaftnrvx0"
#define CLASS_ESCAPES "pPdDsSwWaftnrvx0"
#define GROUP_FLAGS "imsU-"
/* The compiler goes through the ranges of classes in search of other cases: 10 ns a character. */
#define CASELESS_CHARACTERS_MAX 0x8000

struct regex_scan {
    const char *at;
    bool repeated;                        /* what is before `at` has its repeat */
    unsigned last;                        /* repeats in what is before `at`, by their product */
    unsigned depth;                       /* open groups */
    bool caseless;                        /* some of what is before `at` */
    unsigned long caseless_characters;    /* in ranges of classes */
    unsigned most[REGEX_NESTING_MAX + 1]; /* the largest product in each of them */
    char *error;
    size_t error_bytes;
};

static int refuse(const struct regex_scan *scan, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(scan->error, scan->error_bytes, format, args);
    va_end(args);
    return -EINVAL;
}

static void take_atom(struct regex_scan *scan, unsigned product)
{
    scan->repeated = false;
    scan->last = product;
    if (product > scan->most[scan->depth])
        scan->most[scan->depth] = product;
}

static int scan_escape(struct regex_scan *scan, const char *allowed)
{
    char c = scan->at[1];
    const char *end;

    if (c >= '1' && c <= '9')
        return refuse(scan, "a back reference \\%c is not allowed", c);
    if (c == 'Q' && allowed[0] == 'A') {
        end = strstr(scan->at, "\\E");
        scan->at = end ? end + 2 : scan->at + strlen(scan->at);
        return 0;
    }
    if (isalnum((unsigned char)c) && !strchr(allowed, c))
        return refuse(scan, "\\%c is not allowed (allowed: the escapes of RE2)", c);
    scan->at += c ? 2 : 1;
    return 0;
}

/* Its number; 0 for an escape other than \x, which stands for a small one at most. */
static unsigned long character_at(const char *s)
{
    const unsigned char *byte = (const unsigned char *)s;
    unsigned long number = *byte;

    if (strncmp(s, "\\x", 2) == 0)
        return strtoul(s + (s[2] == '{' ? 3 : 2), NULL, 16);
    if (*s == '\\')
        return 0;
    if (number < 0xc0)
        return number;
    number &= number >= 0xf0 ? 0x07 : number >= 0xe0 ? 0x0f : 0x1f;
    while ((*++byte & 0xc0) == 0x80)
        number = number << 6 | (*byte & 0x3f);
    return number;
}

static int scan_class_item(struct regex_scan *scan)
{
    const char *named = strncmp(scan->at, "[:", 2) == 0 ? strstr(scan->at, ":]") : NULL;
    const char *number = strncmp(scan->at, "\\x{", 3) == 0 ? strchr(scan->at, '}') : NULL;

    if (number)
        scan->at = number + 1;
    else if (*scan->at == '\\')
        return scan_escape(scan, CLASS_ESCAPES);
    else if (named)
        scan->at = named + 2;
    else if (*scan->at)
        do
            scan->at++;
        while ((*scan->at & 0xc0) == 0x80);
    return 0;
}

static int scan_range(struct regex_scan *scan)
{
    unsigned long first = character_at(scan->at), last;
    int r = scan_class_item(scan);

    if (r < 0 || *scan->at != '-' || scan->at[1] == ']')
        return r;
    scan->at++;
    last = character_at(scan->at);
    if (scan->caseless && last > first && last <= 0x10ffff)
        scan->caseless_characters += last - first + 1;
    if (scan->caseless_characters > CASELESS_CHARACTERS_MAX)
        return refuse(scan, "ranges of more than %d characters in all after (?i)",
                      CASELESS_CHARACTERS_MAX);
    return scan_class_item(scan);
}

static int scan_class(struct regex_scan *scan)
{
    int r;

    scan->at++;
    scan->at += *scan->at == '^';
    do
        r = scan_range(scan);
    while (r == 0 && *scan->at && *scan->at != ']');
    scan->at += *scan->at == ']';
    return r;
}

static int scan_open(struct regex_scan *scan)
{
    const char *after = scan->at + 1;
    size_t flags;

    if (*after == '*')
        return refuse(scan, "(* is not allowed");
    if (*after == '?') {
        after++;
        flags = strspn(after, GROUP_FLAGS);
        scan->caseless |= memchr(after, 'i', flags) != NULL;
        if (after[flags] == ')') {
            scan->at = after + flags + 1;
            return 0;
        }
        if (after[flags] != ':' && strncmp(after, "P<", 2) != 0 &&
            (*after != '<' || after[1] == '=' || after[1] == '!'))
            return refuse(scan,
                          "(?%.2s is not allowed (allowed: the groups of RE2, which looks neither "
                          "ahead nor behind)",
                          after);
    }
    if (scan->depth == REGEX_NESTING_MAX)
        return refuse(scan, "groups are nested more than %d deep", REGEX_NESTING_MAX);
    scan->most[++scan->depth] = 1;
    scan->at = after;
    return 0;
}

static void scan_close(struct regex_scan *scan)
{
    unsigned product = scan->most[scan->depth];

    scan->at++;
    if (scan->depth > 0) /* else the compiler says it */
        scan->depth--;
    take_atom(scan, product);
}

/* The length of {n}, {n,} or {n,m}, else 0. */
static size_t braces(const char *s, unsigned *ret_most)
{
    char *end;
    unsigned long least, most;

    if (*s != '{' || !isdigit((unsigned char)s[1]))
        return 0;
    most = least = strtoul(s + 1, &end, 10);
    if (*end == ',' && isdigit((unsigned char)*++end))
        most = strtoul(end, &end, 10);
    if (*end != '}')
        return 0;
    most = most > least ? most : least;
    *ret_most = most > REGEX_REPEATS_MAX ? REGEX_REPEATS_MAX + 1 : (unsigned)most;
    return (size_t)(end + 1 - s);
}

static int scan_repeat(struct regex_scan *scan, size_t n, unsigned most)
{
    if (scan->repeated)
        return refuse(scan,
                      "a repeat of a repeat (%.*s) is not allowed (allowed: a group around "
                      "the inner one)",
                      (int)(n < 16 ? n : 16), scan->at);
    if (scan->last * (most ? most : 1) > REGEX_REPEATS_MAX)
        return refuse(scan, "{...} repeats more than %d times in all", REGEX_REPEATS_MAX);
    take_atom(scan, scan->last * (most ? most : 1));
    scan->at += n;
    scan->at += *scan->at == '?';
    scan->repeated = true;
    return 0;
}

static int scan_one(struct regex_scan *scan)
{
    unsigned most = 1;
    size_t n = *scan->at == '{' ? braces(scan->at, &most) : 1;

    if (*scan->at && strchr("*+?{", *scan->at) && n > 0)
        return scan_repeat(scan, n, most);
    /* Later versions of PCRE2 take it for a repeat, RE2 does not. */
    if (*scan->at == '{' && scan->at[1] && strchr(" ,0123456789", scan->at[1]))
        return refuse(scan, "a { that begins no {n}, {n,} or {n,m} (write \\{)");
    if (*scan->at == '(')
        return scan_open(scan);
    if (*scan->at == ')') {
        scan_close(scan);
        return 0;
    }
    take_atom(scan, 1);
    if (*scan->at == '[')
        return scan_class(scan);
    if (*scan->at == '\\')
        return scan_escape(scan, ESCAPES);
    scan->at++;
    return 0;
}

int regex_check_syntax(const char *pattern, char *error, size_t error_bytes)
{
    struct regex_scan scan = {
        .at = pattern, .last = 1, .most = {1}, .error = error, .error_bytes = error_bytes};
    int r = 0;

    while (r == 0 && *scan.at)
        r = scan_one(&scan);
    return r;
}
