/* POST /admin/reload. */
#ifndef MOONWATCH_HTTP_RELOAD_H
#define MOONWATCH_HTTP_RELOAD_H

#include "http/body.h"

extern const struct field_table reload_table;

int body_reload(const struct body_env *env, struct body *ret);

#endif
