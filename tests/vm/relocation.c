#include "relocation.h"
#include <errno.h>
#include <gelf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The layout of .BTF.ext: Documentation/bpf/btf.rst; libbpf keeps its own declarations. */
struct ext_header {
    __u16 magic;
    __u8 version;
    __u8 flags;
    __u32 hdr_len;
    __u32 func_info_off, func_info_len;
    __u32 line_info_off, line_info_len;
    __u32 core_relo_off, core_relo_len;
};

struct ext_section {
    __u32 name_off;
    __u32 count;
};

typedef int (*record_reader)(struct object_types *types, const char *section, const void *record);

/* Every part is the size of a record, and then sections of them. */
static int for_each_record(struct object_types *types, __u32 offset, __u32 length,
                           record_reader read)
{
    const struct ext_header *header = (const void *)types->ext;
    const char *at = types->ext + header->hdr_len + offset, *end = at + length;
    __u32 record_bytes;

    if (length == 0)
        return 0;
    memcpy(&record_bytes, at, sizeof(record_bytes));
    at += sizeof(record_bytes);
    while (at < end) {
        const struct ext_section *section = (const void *)at;
        const char *name = btf__name_by_offset(types->btf, section->name_off);

        at += sizeof(*section);
        for (__u32 i = 0; i < section->count; i++, at += record_bytes) {
            int err = read(types, name, at);

            if (err < 0)
                return err;
        }
    }
    return 0;
}

static int add_relocation(struct object_types *types, const char *section, const void *record)
{
    size_t count = types->relocation_count + 1;
    void *grown = realloc(types->relocations, count * sizeof(*types->relocations));

    if (!grown)
        return -ENOMEM;
    types->relocations = grown;
    types->relocations[types->relocation_count++] = (struct relocation){section, record};
    return 0;
}

static int add_function(struct object_types *types, const char *section, const void *record)
{
    const struct bpf_func_info *info = record;
    const struct btf_type *type = btf__type_by_id(types->btf, info->type_id);
    size_t count = types->function_count + 1;
    void *grown = realloc(types->functions, count * sizeof(*types->functions));

    if (!grown)
        return -ENOMEM;
    types->functions = grown;
    types->functions[types->function_count++] =
        (struct function){section, btf__name_by_offset(types->btf, type->name_off),
                          info->insn_off / sizeof(struct bpf_insn)};
    return 0;
}

const void *section_bytes(Elf *elf, const char *name, size_t *ret_size)
{
    Elf_Scn *section = NULL;
    size_t names;

    if (elf_getshdrstrndx(elf, &names) != 0)
        return NULL;
    while ((section = elf_nextscn(elf, section))) {
        GElf_Shdr header;
        const char *found;
        Elf_Data *data;

        if (!gelf_getshdr(section, &header))
            return NULL;
        found = elf_strptr(elf, names, header.sh_name);
        if (!found || strcmp(found, name) != 0)
            continue;
        data = elf_rawdata(section, NULL);
        if (!data)
            return NULL;
        *ret_size = data->d_size;
        return data->d_buf;
    }
    return NULL;
}

int object_types_read(struct object_types *ret, Elf *elf)
{
    struct object_types types = {0};
    const struct ext_header *header;
    const void *btf;
    size_t size;
    int err;

    btf = section_bytes(elf, ".BTF", &size);
    types.btf = btf ? btf__new(btf, (__u32)size) : NULL;
    types.ext = section_bytes(elf, ".BTF.ext", &size);
    if (!types.btf || !types.ext || size < sizeof(*header)) {
        btf__free(types.btf);
        return -ENODATA;
    }
    header = (const void *)types.ext;
    err = for_each_record(&types, header->func_info_off, header->func_info_len, add_function);
    if (err == 0)
        err = for_each_record(&types, header->core_relo_off, header->core_relo_len, add_relocation);
    if (err < 0)
        object_types_free(&types);
    else
        *ret = types;
    return err;
}

void object_types_free(struct object_types *types)
{
    free(types->relocations);
    free(types->functions);
    btf__free(types->btf);
    memset(types, 0, sizeof(*types));
}

bool relocation_asks(const struct bpf_core_relo *relocation)
{
    return relocation->kind == BPF_CORE_FIELD_EXISTS || relocation->kind == BPF_CORE_TYPE_EXISTS ||
           relocation->kind == BPF_CORE_ENUMVAL_EXISTS || relocation->kind == BPF_CORE_TYPE_MATCHES;
}

static const struct btf_type *skip_modifiers(const struct btf *btf, __u32 id)
{
    const struct btf_type *type = btf__type_by_id(btf, id);

    while (btf_is_mod(type) || btf_is_typedef(type))
        type = btf__type_by_id(btf, type->type);
    return type;
}

/* "mm_struct___old" is a flavour of mm_struct. */
static int name_bytes(const char *name)
{
    const char *flavour = strstr(name, "___");

    return (int)(flavour && flavour != name ? (size_t)(flavour - name) : strlen(name));
}

static const struct btf_member *find_member(const struct btf *btf, const struct btf_type *type,
                                            const char *name)
{
    const struct btf_member *member = btf_members(type);

    for (int i = 0; i < btf_vlen(type); i++, member++) {
        const struct btf_type *inner = skip_modifiers(btf, member->type);
        const struct btf_member *found;

        if (member->name_off) {
            if (strcmp(btf__name_by_offset(btf, member->name_off), name) == 0)
                return member;
        } else if (btf_is_composite(inner) && (found = find_member(btf, inner, name))) {
            return found;
        }
    }
    return NULL;
}

static bool compatible(const struct btf_type *a, const struct btf_type *b)
{
    if (btf_is_composite(a) && btf_is_composite(b))
        return true;
    if ((btf_is_any_enum(a) || btf_is_int(a)) && (btf_is_any_enum(b) || btf_is_int(b)))
        return true;
    return btf_kind(a) == btf_kind(b);
}

static void append(char *name, const char *text)
{
    size_t used = strlen(name);

    snprintf(name + used, RELOCATION_NAME_BYTES - used, "%s", text);
}

/* Follows "0:3:1" through both; `target` NULL only spells the name. */
static bool follow(const struct btf *local, __u32 local_id, const char *spec,
                   const struct btf *kernel, const struct btf_type *target, char *name)
{
    const struct btf_type *type = skip_modifiers(local, local_id);
    char *next;

    /* The first is an index into an array of the type itself. */
    strtoul(spec, &next, 10);
    while (*next == ':') {
        unsigned long index = strtoul(next + 1, &next, 10);

        if (btf_is_array(type)) {
            type = skip_modifiers(local, btf_array(type)->type);
            if (target && !btf_is_array(target))
                return false;
            if (target)
                target = skip_modifiers(kernel, btf_array(target)->type);
            if (name)
                append(name, "[]");
        } else {
            const struct btf_member *member = btf_members(type) + index, *found;
            const char *field = btf__name_by_offset(local, member->name_off);

            type = skip_modifiers(local, member->type);
            if (!*field)
                continue; /* anonymous: its fields are looked for in the same place */
            if (name) {
                append(name, ".");
                append(name, field);
            }
            if (!target)
                continue;
            found = btf_is_composite(target) ? find_member(kernel, target, field) : NULL;
            if (!found)
                return false;
            target = skip_modifiers(kernel, found->type);
        }
        if (target && !compatible(type, target))
            return false;
    }
    return true;
}

static bool has_value(const struct btf *local, const struct btf_type *type, const char *spec,
                      const struct btf *kernel, const struct btf_type *target)
{
    unsigned long index = strtoul(spec, NULL, 10);
    const char *wanted =
        btf__name_by_offset(local, btf_is_enum64(type) ? btf_enum64(type)[index].name_off
                                                       : btf_enum(type)[index].name_off);

    for (int i = 0; i < btf_vlen(target); i++) {
        const char *have =
            btf__name_by_offset(kernel, btf_is_enum64(target) ? btf_enum64(target)[i].name_off
                                                              : btf_enum(target)[i].name_off);

        if (name_bytes(have) == name_bytes(wanted) &&
            strncmp(have, wanted, (size_t)name_bytes(wanted)) == 0)
            return true;
    }
    return false;
}

static bool is_field(enum bpf_core_relo_kind kind)
{
    return kind <= BPF_CORE_FIELD_RSHIFT_U64;
}

enum relocation_fate relocation_resolve(const struct btf *local,
                                        const struct bpf_core_relo *relocation,
                                        const struct btf *kernel, char name[RELOCATION_NAME_BYTES])
{
    const struct btf_type *root = btf__type_by_id(local, relocation->type_id);
    const char *spec = btf__name_by_offset(local, relocation->access_str_off);
    enum relocation_fate fate = RELOCATION_TYPE_MISSING;
    const char *root_name;

    root_name = btf__name_by_offset(local, root->name_off);
    snprintf(name, RELOCATION_NAME_BYTES, "%s%s",
             btf_is_struct(root)  ? "struct "
             : btf_is_union(root) ? "union "
                                  : "",
             root_name);
    if (is_field(relocation->kind))
        follow(local, relocation->type_id, spec, NULL, NULL, name);
    if (relocation->kind == BPF_CORE_TYPE_ID_LOCAL)
        return RELOCATION_THERE;
    for (__u32 id = 1; id < btf__type_cnt(kernel); id++) {
        const struct btf_type *candidate = btf__type_by_id(kernel, id);
        const char *candidate_name = btf__name_by_offset(kernel, candidate->name_off);

        if (btf_kind(candidate) != btf_kind(root) ||
            name_bytes(candidate_name) != name_bytes(root_name) ||
            strncmp(candidate_name, root_name, (size_t)name_bytes(root_name)) != 0)
            continue;
        fate = RELOCATION_FIELD_MISSING;
        if (is_field(relocation->kind)) {
            if (follow(local, relocation->type_id, spec, kernel, skip_modifiers(kernel, id), NULL))
                return RELOCATION_THERE;
        } else if (btf_is_any_enum(root)) {
            if (has_value(local, root, spec, kernel, candidate))
                return RELOCATION_THERE;
        } else {
            return RELOCATION_THERE;
        }
    }
    return fate;
}
