#include "base/text.h"
#include <string.h>

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

/* What is escaped beyond ASCII has two or three bytes. */
static void add_escaped_character(struct text *t, const unsigned char *s, size_t length)
{
    unsigned code = length == 2 ? (s[0] & 0x1fu) << 6 | (s[1] & 0x3fu)
                                : (s[0] & 0xfu) << 12 | (s[1] & 0x3fu) << 6 | (s[2] & 0x3fu);

    text_printf(t, "\\u%04x", code);
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

static void add_marked(struct text *t, char byte)
{
    char mark[MARKED_BYTE_BYTES];

    text_mark_byte(mark, byte);
    text_add(t, mark);
}

static void add_json(struct text *t, const char *s, size_t max_bytes, bool is_name)
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
        length = utf8_character_bytes(s + i, n - i);
        if (!length)
            add_marked(t, s[i]);
        else if (text_clean_prefix(s + i, length) != length)
            add_escaped_character(t, bytes + i, length);
        else
            text_add_n(t, s + i, length);
        if (is_name && length == strlen(REPLACEMENT) && memcmp(s + i, REPLACEMENT, length) == 0)
            text_add(t, REPLACEMENT);
        i += length ? length : 1;
    }
    text_add_char(t, '"');
}

void text_add_json_string(struct text *t, const char *s, size_t max_bytes)
{
    add_json(t, s, max_bytes, false);
}

void text_add_json_name(struct text *t, const char *s, size_t max_bytes)
{
    add_json(t, s, max_bytes, true);
}
