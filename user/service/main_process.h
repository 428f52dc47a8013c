/* Whether a process that ended was what services[] means, where neither a unit nor a container
 * tells.
 */
#ifndef MOONWATCH_SERVICE_MAIN_PROCESS_H
#define MOONWATCH_SERVICE_MAIN_PROCESS_H

#include "abi/record.h"
#include "config/config.h"
#include <stdbool.h>

/* By its name, unless its parent is called so too, or as the head of the cgroup. */
bool is_main_process(const struct config *config, const struct record_exit *record);

#endif
