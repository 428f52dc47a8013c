/* The drivers of the types of channels, by their names. */
#include "notify/channel_driver.h"

#define DRIVER(id, name, ...) [CHANNEL_##id] = &channel_##name,
const struct channel_driver *const channel_drivers[CHANNEL_TYPE_COUNT] = {CHANNEL_ROWS(DRIVER)};
#undef DRIVER
