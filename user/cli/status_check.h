/* `moonwatch status --check`: a plugin for Nagios, Icinga and their kin, as the Monitoring Plugins
 * Development Guidelines want it. */
#ifndef MOONWATCH_CLI_STATUS_CHECK_H
#define MOONWATCH_CLI_STATUS_CHECK_H

#include <cjson/cJSON.h>
#include <stdio.h>

enum plugin_exit { PLUGIN_OK, PLUGIN_WARNING, PLUGIN_CRITICAL, PLUGIN_UNKNOWN };

/* One line: the state, what is wrong, and behind a bar the shares with their levels. `resources` is
 * the body of /health/resources, or NULL for a caller who may not see it. Returns the exit code. */
enum plugin_exit status_check_print(FILE *out, const cJSON *health, const cJSON *resources);
/* The line of a check that could not be made. */
enum plugin_exit status_check_fail(FILE *out, const char *why);

#endif
