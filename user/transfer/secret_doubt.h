/* Files of secrets and certificates that this host lacks: they may come later, so that it is only
 * worth a warning. */
#ifndef MOONWATCH_TRANSFER_SECRET_DOUBT_H
#define MOONWATCH_TRANSFER_SECRET_DOUBT_H

#include "config/config.h"

/* Adds one when the file cannot be read, `until` then saying what becomes of it meanwhile. `path`
 * NULL: none is configured. */
void secret_doubt(struct config_errors *errors, const char *pointer, const char *path,
                  const char *until);
void secret_doubt_ca(struct config_errors *errors, const char *pointer, const char *path,
                     const char *until);

#endif
