#include "base/text.h"
#include <string.h>

/* The length of the valid UTF-8 sequence at `s` (RFC 3629: no overlong forms, no surrogates, at
 * most U+10FFFF), or 0. The bytes are NUL-terminated or `n` long, whichever ends first. */
static size_t utf8_sequence(const unsigned char *s, size_t n)
{
    unsigned char low = 0x80, high = 0xbf;
    size_t length, i;

    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xc2 || s[0] > 0xf4)
        return 0;
    length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (length > n)
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f;
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (i = 2; i < length; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

size_t utf8_valid_prefix(const char *s, size_t n)
{
    size_t i = 0, length;

    while (i < n) {
        length = utf8_sequence((const unsigned char *)s + i, n - i);
        if (!length)
            break;
        i += length;
    }
    return i;
}

static void add_escaped(struct text *t, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char *const named[] = {
        ['\b'] = "\\b", ['\t'] = "\\t", ['\n'] = "\\n",  ['\f'] = "\\f",
        ['\r'] = "\\r", ['"'] = "\\\"", ['\\'] = "\\\\",
    };
    char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

    if (c < sizeof(named) / sizeof(named[0]) && named[c])
        text_add_n(t, named[c], 2);
    else
        text_add_n(t, escape, sizeof(escape));
}

static bool plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* `n` less the bytes of a character that was cut off at the end. */
static size_t whole_characters(const unsigned char *s, size_t n)
{
    size_t i;

    for (i = 1; i <= 3 && i <= n; i++) {
        unsigned char c = s[n - i];

        if (c >= 0xc0)
            return i < (c < 0xe0 ? 2u : c < 0xf0 ? 3u : 4u) ? n - i : n;
        if (c < 0x80)
            break;
    }
    return n;
}

void text_add_json_string(struct text *t, const char *s, size_t max_bytes)
{
    const unsigned char *bytes = (const unsigned char *)s;
    size_t n, i = 0, run, length;

    if (!s) {
        text_add_n(t, "null", 4);
        return;
    }
    n = strnlen(s, max_bytes);
    if (n == max_bytes)
        n = whole_characters(bytes, n);
    text_add_char(t, '"');
    for (i = 0; i < n;) {
        for (run = i; run < n && plain(bytes[run]); run++)
            ;
        if (run > i) {
            text_add_n(t, s + i, run - i);
            i = run;
            continue;
        }
        if (bytes[i] < 0x80) {
            add_escaped(t, bytes[i++]);
            continue;
        }
        length = utf8_sequence(bytes + i, n - i);
        if (length)
            text_add_n(t, s + i, length);
        else
            text_add_n(t, "\xef\xbf\xbd", 3);
        i += length ? length : 1;
    }
    text_add_char(t, '"');
}
