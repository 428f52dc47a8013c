#include "config/channel_types.h"

#define KIND(id, word, ...) [CHANNEL_##id] = {.name = #word, __VA_ARGS__},
const struct channel_kind channel_kinds[CHANNEL_TYPE_COUNT] = {CHANNEL_ROWS(KIND)};
#undef KIND
