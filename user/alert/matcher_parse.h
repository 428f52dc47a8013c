/* The text of a matcher, taken apart. Inside this layer only. */
#ifndef MOONWATCH_ALERT_MATCHER_PARSE_H
#define MOONWATCH_ALERT_MATCHER_PARSE_H

#include "alert/matcher.h"

#define MATCHER_NAME_BYTES 64
#define MATCHER_VALUE_BYTES 256

struct matcher_text {
    char name[MATCHER_NAME_BYTES];
    enum matcher_operator op;
    char value[MATCHER_VALUE_BYTES];
};

/* Takes one matcher from `*at`, which moves behind it. `start` is where columns count from. 0 or
 * -EINVAL with `error`. */
int matcher_parse_one(struct matcher_text *ret, const char **at, const char *start,
                      char error[MATCHER_ERROR_BYTES]);
const char *matcher_operator_text(enum matcher_operator o); /* "=~" */

#endif
