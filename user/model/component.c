#include "model/component.h"

const char *component_name(enum component c)
{
    static const char *const names[COMPONENT_COUNT] = {
        [COMPONENT_SCHEDULER] = "scheduler",
        [COMPONENT_RESOURCES] = "resources",
        [COMPONENT_PERFORMANCE] = "performance",
        [COMPONENT_PRIORITY] = "priority",
    };

    return (unsigned)c < COMPONENT_COUNT ? names[c] : "unknown";
}
