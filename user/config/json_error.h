/* Where a text stops being JSON, and why: for people, who write it by hand. */
#ifndef MOONWATCH_CONFIG_JSON_ERROR_H
#define MOONWATCH_CONFIG_JSON_ERROR_H

#include <stdbool.h>
#include <stddef.h>

struct json_error {
    size_t at; /* the byte; the length: it ends too early */
    const char *what, *allowed;
};

/* False when nothing is found. `text` ends with a NUL and is nested as deep as the stack bears. */
bool json_find_error(const char *text, struct json_error *ret);
/* The first \u0000 in a string, which would end it; NULL: none. `text` is JSON. */
const char *json_find_nul(const char *text);

#endif
