#include "model/event.h"

const char *connect_failure_name(enum connect_failure f)
{
    static const char *const names[CONNECT_FAILURE_COUNT] = {
        [CONNECT_REFUSED] = "refused",
        [CONNECT_TIMED_OUT] = "timed_out",
        [CONNECT_UNREACHABLE] = "unreachable",
        [CONNECT_RESET] = "reset",
        [CONNECT_NO_PORT] = "no_port",
        [CONNECT_ABANDONED] = "abandoned",
        [CONNECT_OTHER] = "other",
    };

    return (unsigned)f < CONNECT_FAILURE_COUNT ? names[f] : "unknown";
}

const char *record_type_name(enum record_type t)
{
    static const char *const names[] = {
        [RECORD_SLOW_WAIT] = "slow_wait",
        [RECORD_EXIT] = "exit",
        [RECORD_OOM] = "oom",
        [RECORD_STALL] = "stall",
        [RECORD_CONNECT_FAILED] = "connect_failed",
        [RECORD_BREAKER] = "breaker",
        [RECORD_CALL_FAILED] = "call_failed",
    };

    _Static_assert(sizeof(names) / sizeof(names[0]) == RECORD_TYPE_COUNT, "each type has a name");
    return (unsigned)t < RECORD_TYPE_COUNT ? names[t] : "unknown";
}
