/* What RE2 refuses and PCRE2 takes. Inside this layer only. */
#ifndef MOONWATCH_ALERT_REGEX_SYNTAX_H
#define MOONWATCH_ALERT_REGEX_SYNTAX_H

#include <stddef.h>

/* As in RE2, nested repeats by their product. */
#define REGEX_REPEATS_MAX 1000
#define REGEX_NESTING_MAX 32

/* 0 or -EINVAL with `error`. Does not say that the expression is right: the compiler does. */
int regex_check_syntax(const char *pattern, char *error, size_t error_bytes);

#endif
