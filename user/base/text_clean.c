/* Names of processes, mounts, cgroups and people may hold any bytes: what they become before
 * anybody reads them. */
#include "base/text.h"
#include <string.h>

/* RFC 3629: no overlong forms, no surrogates, at most U+10FFFF. */
size_t utf8_character_bytes(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
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
        length = utf8_character_bytes(s + i, n - i);
        if (!length)
            break;
        i += length;
    }
    return i;
}

/* C0 and C1 are commands to a terminal. What changes the direction of writing, or ends a line where
 * nobody sees it, makes a text look like another one. */
static bool is_harmful(const unsigned char *s, size_t length)
{
    if (length == 1)
        return s[0] < 0x20 || s[0] == 0x7f;
    if (length == 2)
        return (s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xd8 && s[1] == 0x9c);
    if (length != 3 || s[0] != 0xe2)
        return false;
    /* U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069 */
    return (s[1] == 0x80 && (s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xa8 && s[2] <= 0xae))) ||
           (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9);
}

size_t text_clean_prefix(const char *s, size_t n)
{
    size_t i = 0;

    while (i < n) {
        size_t length = utf8_character_bytes(s + i, n - i);

        if (!length || is_harmful((const unsigned char *)s + i, length))
            break;
        i += length;
    }
    return i;
}

void text_mark_byte(char out[MARKED_BYTE_BYTES], char byte)
{
    static const char digits[] = "0123456789abcdef";

    memcpy(out, REPLACEMENT, 3);
    out[3] = digits[(unsigned char)byte >> 4];
    out[4] = digits[byte & 0xf];
    out[5] = '\0';
}

enum dirt { DIRT_IN_LINE, DIRT_IN_LINES, DIRT_IN_NAME };

static void add_dirt(struct text *t, const char *s, size_t length, enum dirt in)
{
    char mark[MARKED_BYTE_BYTES];

    if (in == DIRT_IN_NAME) {
        for (size_t i = 0; i < length; i++) {
            text_mark_byte(mark, s[i]);
            text_add(t, mark);
        }
    } else if (*s == '\n' || *s == '\t') {
        text_add_char(t, in == DIRT_IN_LINES ? *s : ' ');
    } else {
        text_add(t, REPLACEMENT);
    }
}

static void add_doubled(struct text *t, const char *s, size_t n)
{
    const char *mark;

    while ((mark = memmem(s, n, REPLACEMENT, strlen(REPLACEMENT)))) {
        size_t run = (size_t)(mark - s) + strlen(REPLACEMENT);

        text_add_n(t, s, run);
        text_add(t, REPLACEMENT);
        s += run;
        n -= run;
    }
    text_add_n(t, s, n);
}

static void add(struct text *t, const char *s, enum dirt in)
{
    size_t left = strlen(s);

    while (left > 0) {
        size_t clean = text_clean_prefix(s, left), length;

        if (in == DIRT_IN_NAME)
            add_doubled(t, s, clean);
        else
            text_add_n(t, s, clean);
        s += clean;
        left -= clean;
        if (left == 0)
            return;
        length = utf8_character_bytes(s, left);
        length = length ? length : 1;
        add_dirt(t, s, length, in);
        s += length;
        left -= length;
    }
}

void text_add_clean(struct text *t, const char *s)
{
    add(t, s, DIRT_IN_LINE);
}

void text_add_clean_lines(struct text *t, const char *s)
{
    add(t, s, DIRT_IN_LINES);
}

void text_add_name(struct text *t, const char *s)
{
    add(t, s, DIRT_IN_NAME);
}

bool text_is_clean(const char *s)
{
    size_t n = strlen(s);

    return text_clean_prefix(s, n) == n;
}

bool text_is_name(const char *s)
{
    return text_is_clean(s) && !strstr(s, REPLACEMENT);
}

char *text_cleaned(const char *s)
{
    struct text clean;
    char *ret;

    text_init(&clean, SIZE_MAX / 2);
    text_add_clean(&clean, s);
    ret = text_steal(&clean);
    text_free(&clean);
    return ret;
}
