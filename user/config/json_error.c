#include "config/json_error.h"
#include <string.h>

struct json_scan {
    const char *text, *at;
    struct json_error *error;
};

static bool fail_at(struct json_scan *scan, const char *at, const char *what, const char *allowed)
{
    *scan->error = (struct json_error){(size_t)(at - scan->text), what, allowed};
    return false;
}

static bool fail(struct json_scan *scan, const char *allowed)
{
    if (!*scan->at)
        return fail_at(scan, scan->at, "the JSON ends too early", allowed);
    return fail_at(scan, scan->at, "not JSON from here", allowed);
}

static bool skip_blanks(struct json_scan *scan)
{
    scan->at += strspn(scan->at, " \t\r\n");
    if (*scan->at == '#' || (*scan->at == '/' && (scan->at[1] == '/' || scan->at[1] == '*')))
        return fail_at(scan, scan->at, "a comment, which JSON does not have", "no comments");
    return true;
}

static bool scan_string(struct json_scan *scan)
{
    const char *start = scan->at++;

    for (; *scan->at && *scan->at != '"'; scan->at++) {
        if (*scan->at == '\n')
            return fail_at(scan, start, "the string that begins here is not closed on its line",
                           "a \" at its end, and \\n for a new line");
        if (*scan->at != '\\')
            continue;
        scan->at++;
        if (!*scan->at || !strchr("\"\\/bfnrtu", *scan->at))
            return fail_at(scan, scan->at - 1, "no escape of JSON",
                           "\\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX; \\\\ for a backslash");
        if (*scan->at == 'u' && strspn(scan->at + 1, "0123456789abcdefABCDEF") < 4)
            return fail_at(scan, scan->at - 1, "no escape of JSON", "\\u with four hex digits");
    }
    if (!*scan->at)
        return fail_at(scan, scan->at, "the JSON ends too early", "a \" that ends the string");
    scan->at++;
    return true;
}

static bool scan_plain(struct json_scan *scan)
{
    static const char *const words[] = {"true", "false", "null"};
    const char *s = scan->at + (*scan->at == '-');
    size_t digits = strspn(s, "0123456789");

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t n = strlen(words[i]);

        if (strncmp(scan->at, words[i], n) != 0)
            continue;
        scan->at += n;
        return true;
    }
    if (!digits)
        return fail(scan, *scan->at == '\'' ? "double quotes" : "a value; texts in double quotes");
    s += digits;
    if (*s == '.')
        s += 1 + strspn(s + 1, "0123456789");
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '+' || *s == '-';
        s += strspn(s, "0123456789");
    }
    scan->at = s;
    return true;
}

static bool scan_value(struct json_scan *scan);

static bool scan_member(struct json_scan *scan)
{
    if (*scan->at != '"')
        return fail(scan, "a name in double quotes");
    if (!scan_string(scan) || !skip_blanks(scan))
        return false;
    if (*scan->at != ':')
        return fail(scan, "a colon behind the name");
    scan->at++;
    return scan_value(scan);
}

static bool scan_items(struct json_scan *scan, char end, bool (*one)(struct json_scan *scan),
                       const char *allowed)
{
    scan->at++;
    if (!skip_blanks(scan))
        return false;
    if (*scan->at == end) {
        scan->at++;
        return true;
    }
    for (;;) {
        const char *comma;

        if (!one(scan) || !skip_blanks(scan))
            return false;
        comma = scan->at;
        if (*comma == end) {
            scan->at++;
            return true;
        }
        if (*comma != ',')
            return fail(scan, allowed);
        scan->at++;
        if (!skip_blanks(scan))
            return false;
        if (*scan->at == end)
            return fail_at(scan, comma, "a comma behind the last one", "no comma there");
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): its depth is bounded before */
static bool scan_value(struct json_scan *scan)
{
    if (!skip_blanks(scan))
        return false;
    if (*scan->at == '{')
        return scan_items(scan, '}', scan_member, "a comma or }");
    if (*scan->at == '[')
        return scan_items(scan, ']', scan_value, "a comma or ]");
    return *scan->at == '"' ? scan_string(scan) : scan_plain(scan);
}

bool json_find_error(const char *text, struct json_error *ret)
{
    struct json_scan scan = {text, text, ret};

    if (!scan_value(&scan) || !skip_blanks(&scan))
        return true;
    if (!*scan.at)
        return false;
    fail(&scan, "nothing behind the JSON");
    return true;
}

const char *json_find_nul(const char *text)
{
    for (const char *s = text; *s; s++) {
        if (*s != '\\')
            continue;
        if (strncmp(s, "\\u0000", 6) == 0)
            return s;
        if (!*++s)
            break;
    }
    return NULL;
}
