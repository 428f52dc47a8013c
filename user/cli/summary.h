/* The agent's answers as text for a person. */
#ifndef MOONWATCH_CLI_SUMMARY_H
#define MOONWATCH_CLI_SUMMARY_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>

/* `answers` has the members health, resources, scheduler and priority, each the body of its route;
 * what is missing or null in them is said to be unknown. `coloured`: for a terminal. 0 or a
 * negative errno of writing. */
int summary_print(FILE *out, const cJSON *answers, const char *address, bool coloured);

#endif
