/* The records of abi/record.h as user space knows them. */
#ifndef MOONWATCH_PROBE_RECORDS_H
#define MOONWATCH_PROBE_RECORDS_H

#include "abi/record.h"
#include <stddef.h>

const char *record_type_name(enum record_type t); /* "slow_wait" ... */
/* Of struct record_NAME: what a record of the type holds at least. */
size_t record_type_bytes(enum record_type t);
const char *map_drop_name(enum map_drop site); /* "runq_cgroup" ... */

#endif
