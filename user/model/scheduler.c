#include "model/scheduler.h"

const char *priority_class_name(enum priority_class c)
{
    static const char *const names[PRIORITY_CLASS_COUNT] = {
        [PRIORITY_REALTIME] = "realtime", [PRIORITY_HIGH] = "high", [PRIORITY_NORMAL] = "normal",
        [PRIORITY_LOW] = "low",           [PRIORITY_IDLE] = "idle",
    };

    return (unsigned)c < PRIORITY_CLASS_COUNT ? names[c] : "unknown";
}
