/* Sentences for people, built piece by piece in a fixed buffer; what does not fit is cut, and
 * the last it shows is "...". */
#ifndef MOONWATCH_HEALTH_PHRASE_H
#define MOONWATCH_HEALTH_PHRASE_H

#include <stdbool.h>
#include <stddef.h>

struct phrase {
    char *out; /* always NUL-terminated */
    size_t size, len;
    bool cut;
};

void phrase_init(struct phrase *p, char *out, size_t size);
void phrase_add(struct phrase *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void phrase_bytes(struct phrase *p, double bytes);      /* "3.1 GiB" */
void phrase_duration(struct phrase *p, double seconds); /* "45 s", "12 min", "3 h", "2 days" */
void phrase_wait(struct phrase *p, double seconds);     /* "950 us", "61 ms", "2.4 s" */
/* At most the last 80 bytes, so that a long path leaves room for what is wrong with it. */
void phrase_path(struct phrase *p, const char *path);

#endif
