/* The concerns of abi/concerns.h as user space knows them. */
#ifndef MOONWATCH_PROBE_CONCERNS_H
#define MOONWATCH_PROBE_CONCERNS_H

#include "abi/concerns.h"

#define CONCERN(id, ...) CONCERN_##id,
enum probe_concern { CONCERN_ROWS(CONCERN) CONCERN_COUNT };
#undef CONCERN

const char *probe_concern_name(enum probe_concern c); /* "runq" ... */

#endif
