/* A growing text buffer with a cap: output that would pass the cap is cut and remembered as such.
 */
#ifndef MOONWATCH_BASE_TEXT_H
#define MOONWATCH_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text {
    char *data; /* NUL-terminated once anything was added; NULL before */
    size_t len;
    size_t capacity;
    size_t limit;
    bool failed; /* the cap was met or memory ran out: the content is incomplete */
};

bool text_begins(const char *s, const char *begin);
bool text_ends(const char *s, const char *end);

void text_init(struct text *t, size_t limit);
void text_reset(struct text *t); /* empties, keeps the memory */
void text_free(struct text *t);
void text_add(struct text *t, const char *s);
void text_add_n(struct text *t, const char *s, size_t n);
void text_add_char(struct text *t, char c);
void text_add_u64(struct text *t, uint64_t v);
/* Shortest decimal that reads back to the same double; NaN, +Inf, -Inf as Prometheus writes them.
 */
void text_add_double(struct text *t, double v);
/* A JSON string in quotes ("null" for NULL); at most `max_bytes` of `s` are taken. Bytes that are
 * not UTF-8 become what text_mark_byte() writes; what text_clean_prefix() stops at is escaped. */
void text_add_json_string(struct text *t, const char *s, size_t max_bytes);
/* The same of a name: U+FFFD itself is doubled, so that no two names become one. */
void text_add_json_name(struct text *t, const char *s, size_t max_bytes);
/* What comes from outside and people read: bytes that are not UTF-8 and what text_clean_prefix()
 * stops at become U+FFFD, ends of lines and tabulators a space. */
void text_add_clean(struct text *t, const char *s);
/* The same, but of several lines: those two stay. */
void text_add_clean_lines(struct text *t, const char *s);
/* A name that tells one thing from others: as text_add_clean(), but every byte that cannot stay
 * becomes what text_mark_byte() writes, and U+FFFD itself is doubled: no two names become one. */
void text_add_name(struct text *t, const char *s);
#define MARKED_BYTE_BYTES 6
/* U+FFFD and two hexadecimal digits. */
void text_mark_byte(char out[MARKED_BYTE_BYTES], char byte);
/* Whether text_add_clean() and text_add_name() add nothing but the same. */
bool text_is_clean(const char *s);
bool text_is_name(const char *s);
/* What text_add_clean() makes of it, owned by the caller; NULL: out of memory. */
char *text_cleaned(const char *s);
/* How many bytes from the start are UTF-8 without controls: C0, DEL, C1, those of the direction of
 * writing and the separators of lines and paragraphs. */
size_t text_clean_prefix(const char *s, size_t n);
/* How many bytes from the start are valid UTF-8. */
size_t utf8_valid_prefix(const char *s, size_t n);
/* Of the character at the start; 0 when it is none. `n` is not 0. */
size_t utf8_character_bytes(const char *s, size_t n);
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The content, handed to the caller, who frees it. NULL when `failed`. */
char *text_steal(struct text *t);

#endif
