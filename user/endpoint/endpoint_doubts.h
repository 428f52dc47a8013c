/* What active checks need on this host. */
#ifndef MOONWATCH_ENDPOINT_ENDPOINT_DOUBTS_H
#define MOONWATCH_ENDPOINT_ENDPOINT_DOUBTS_H

#include "config/config.h"

/* Adds a warning for each file of secrets or certificates that cannot be read. */
void endpoint_doubts_add(const struct config *config, struct config_errors *errors);

#endif
