/* Which of the types it can have a client wants (RFC 9110, 12.5.1). */
#ifndef MOONWATCH_HTTP_ACCEPT_H
#define MOONWATCH_HTTP_ACCEPT_H

#include <stddef.h>

/* What the headers have said about one type so far; begins zeroed. */
struct accept_choice {
    unsigned specificity; /* of the range that fits best; 0: none does */
    double quality;       /* that it gives, 0..1 */
};

/* Reads the value of one Accept header: of its ranges the most specific that fits `type` decides.
 * A range's version and charset must be those of the type; other parameters are extensions. */
void accept_consider(const char *header, const char *type, struct accept_choice *choice);

/* The wanted one of two types where the first is the usual one: 0, 1, or -1 when the headers refuse
 * both. Of equal qualities the one that is named more closely. One that no header speaks of is as
 * good as none. */
int accept_choose(const struct accept_choice *usual, const struct accept_choice *other);

#endif
