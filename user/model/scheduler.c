#include "model/scheduler.h"
#include "base/names.h"

const char *const priority_class_names[] = {
    [PRIORITY_REALTIME] = "realtime", [PRIORITY_HIGH] = "high", [PRIORITY_NORMAL] = "normal",
    [PRIORITY_LOW] = "low",           [PRIORITY_IDLE] = "idle", NULL,
};
NAMES_OF(priority_class_names, PRIORITY_CLASS_COUNT);

const char *priority_class_name(enum priority_class c)
{
    return name_at(priority_class_names, PRIORITY_CLASS_COUNT, c);
}
