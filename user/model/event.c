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
