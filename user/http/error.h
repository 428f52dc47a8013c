/* Errors: {"error": {"code", "message"}}. */
#ifndef MOONWATCH_HTTP_ERROR_H
#define MOONWATCH_HTTP_ERROR_H

#include "http/body.h"

extern const struct field_table error_table;

/* `code` is for programs, `message` for people: it names the mend. 0 or -ENOMEM. */
int error_body(struct body *ret, unsigned status, const char *code, const char *message);

#endif
