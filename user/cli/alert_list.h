/* Answers of /alerts and /silences as text. */
#ifndef MOONWATCH_CLI_ALERT_LIST_H
#define MOONWATCH_CLI_ALERT_LIST_H

#include <cjson/cJSON.h>

/* All return an exit code. */
int alert_list_print(const cJSON *alerts, const cJSON *silences);
int alert_list_print_silences(const cJSON *silences);
int alert_list_print_one(const cJSON *alert);

#endif
