#include "probe/records.h"

const char *record_type_name(enum record_type t)
{
#define NAME(id, name, ...) #name,
    static const char *const names[] = {RECORD_ROWS(NAME)};
#undef NAME

    return (unsigned)t < RECORD_TYPE_COUNT ? names[t] : "unknown";
}

size_t record_type_bytes(enum record_type t)
{
#define BYTES(id, name, ...) sizeof(struct record_##name),
    static const size_t bytes[] = {RECORD_ROWS(BYTES)};
#undef BYTES

    return bytes[t];
}

const char *map_drop_name(enum map_drop site)
{
#define NAME(id, name) #name,
    static const char *const names[] = {MAP_DROP_ROWS(NAME)};
#undef NAME

    return names[site];
}
