/* Reading the configuration, with what the command line says above it. */
#ifndef MOONWATCH_AGENT_AGENT_CONFIG_H
#define MOONWATCH_AGENT_AGENT_CONFIG_H

#include "base/log.h"
#include "cli/cli.h"
#include "config/config.h"
#include "config/reload.h"

/* At the start: errors go to stderr, warnings to the log, whose level is then as configured. An
 * exit code; `*ret` may be set in any case. */
int agent_config_read(const struct run_options *options, struct log *log, struct config **ret);
/* For a reload: `path` as config_find() says. 0, or a negative errno after the log's lines with one
 * in `error` and no `*ret`. */
int agent_config_read_again(const struct run_options *options, struct log *log, const char *path,
                            struct config **ret, char error[RELOAD_ERROR_BYTES]);

#endif
