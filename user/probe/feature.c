#include "probe/feature.h"
#include <bpf/btf.h>
#include <stdio.h>
#include <string.h>

static bool has_field(const struct btf *kernel, int type_id, const char *field)
{
    const struct btf_type *type = btf__type_by_id(kernel, (__u32)type_id);
    const struct btf_member *member;

    if (!type || !btf_is_composite(type))
        return false;
    member = btf_members(type);
    for (int i = 0; i < btf_vlen(type); i++, member++) {
        const char *name = btf__name_by_offset(kernel, member->name_off);

        if (name && name[0]) {
            if (strcmp(name, field) == 0)
                return true;
            continue;
        }
        if (has_field(kernel, (int)member->type, field))
            return true;
    }
    return false;
}

bool feature_present(const struct btf *kernel, const char *what)
{
    const char *dot = strchr(what, '.');
    char type[64];
    int id;

    snprintf(type, sizeof(type), "%.*s", (int)(dot ? (size_t)(dot - what) : strlen(what)), what);
    id = btf__find_by_name_kind(kernel, type, BTF_KIND_STRUCT);
    if (!dot)
        return id > 0 || btf__find_by_name(kernel, type) > 0;
    return id > 0 && has_field(kernel, id, dot + 1);
}

bool feature_tracepoint(const struct btf *kernel, const char *target)
{
    static const char section[] = "tp_btf/";
    char name[96];

    if (strncmp(target, section, sizeof(section) - 1) != 0)
        return true;
    /* The kernel emits a typedef of this name for every tracepoint. */
    snprintf(name, sizeof(name), "btf_trace_%s", target + sizeof(section) - 1);
    return btf__find_by_name_kind(kernel, name, BTF_KIND_TYPEDEF) > 0;
}
