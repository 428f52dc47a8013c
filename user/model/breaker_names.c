#include "model/breaker_names.h"
#include "base/names.h"
#include <stddef.h>

const char *const breaker_state_names[] = {
    [BREAKER_CLOSED] = "closed",       [BREAKER_OPEN] = "open",
    [BREAKER_HALF_OPEN] = "half_open", [BREAKER_FORCED_OPEN] = "forced_open",
    [BREAKER_OFF] = "disabled",        NULL,
};
NAMES_OF(breaker_state_names, BREAKER_STATE_COUNT);

const char *breaker_state_name(enum breaker_state state)
{
    return name_at(breaker_state_names, BREAKER_STATE_COUNT, state);
}
