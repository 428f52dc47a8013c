#include "model/event.h"
#include "base/names.h"

const char *const connect_failure_names[] = {
    [CONNECT_REFUSED] = "refused",
    [CONNECT_TIMED_OUT] = "timed_out",
    [CONNECT_UNREACHABLE] = "unreachable",
    [CONNECT_RESET] = "reset",
    [CONNECT_NO_PORT] = "no_port",
    [CONNECT_ABANDONED] = "abandoned",
    [CONNECT_OTHER] = "other",
    NULL,
};
NAMES_OF(connect_failure_names, CONNECT_FAILURE_COUNT);

const char *connect_failure_name(enum connect_failure f)
{
    return name_at(connect_failure_names, CONNECT_FAILURE_COUNT, f);
}

const char *const reclaim_kind_names[] = {
    [RECLAIM_DIRECT] = "direct",
    [RECLAIM_MEMCG] = "memcg",
    NULL,
};
NAMES_OF(reclaim_kind_names, RECLAIM_KIND_COUNT);
