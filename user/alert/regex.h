/* Regular expressions of the syntax and meaning of RE2 as Alertmanager uses it: the whole value has
 * to match; a dot also takes a newline, as in Prometheus 3. Compiling and matching are bounded in
 * time and memory whatever the expression and the value are. Not for several threads.
 */
#ifndef MOONWATCH_ALERT_REGEX_H
#define MOONWATCH_ALERT_REGEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one expression may take while it is compiled and afterwards. */
#define REGEX_BYTES_MAX 8192

struct regex;

enum regex_answer {
    REGEX_NO,
    REGEX_YES,
    REGEX_UNDECIDED, /* it takes more states than one may have, or the time is used up */
};

/* -EINVAL: `error` says what is wrong with it. */
int regex_compile(struct regex **ret, const char *pattern, char *error, size_t error_bytes);
void regex_destroy(struct regex *regex); /* NULL is fine */
size_t regex_bytes(const struct regex *regex);

/* Bytes that are no UTF-8 count as U+FFFD each. `*left_ns` is what may be used of the processor and
 * becomes less; NULL: a few milliseconds at most. */
enum regex_answer regex_match(const struct regex *regex, const char *value, uint64_t *left_ns);
/* Whether a value that begins so may match. */
bool regex_may_begin(const struct regex *regex, const char *begin);
/* Answers that were REGEX_UNDECIDED, ever. */
uint64_t regex_undecided_total(void);

#endif
