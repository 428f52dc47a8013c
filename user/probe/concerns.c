#include "probe/concerns.h"
#include "probe/objects.h"
#include <linux/types.h>

/* The skeletons name the types of the objects' globals as bpf/ does. */
typedef __u32 u32;
typedef __u64 u64;

#include "skeletons.h"

const char *probe_concern_name(enum probe_concern c)
{
#define NAME(id, name, ...) #name,
    static const char *const names[] = {CONCERN_ROWS(NAME)};
#undef NAME

    return names[c];
}

#define OBJECT(id, name, component, figures, doc, ...)                                             \
    {.concern = CONCERN_##id, .elf_bytes = name##_bpf__elf_bytes, __VA_ARGS__},
const struct object_row object_rows[] = {CONCERN_ROWS(OBJECT)};
#undef OBJECT

const size_t object_row_count = sizeof(object_rows) / sizeof(object_rows[0]);
