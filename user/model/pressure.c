#include "model/pressure.h"

const char *pressure_resource_name(enum pressure_resource r)
{
    static const char *const names[PRESSURE_RESOURCE_COUNT] = {
        [PRESSURE_CPU] = "cpu",
        [PRESSURE_MEMORY] = "memory",
        [PRESSURE_IO] = "io",
    };

    return (unsigned)r < PRESSURE_RESOURCE_COUNT ? names[r] : "unknown";
}
