#include "probe/knob.h"
#include "base/cleanup.h"
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* An eighth: the fill at which a producer wakes the agent (bpf/lib/emit.bpf.h). */
#define WAKE_SHARE 8

/* Local ports the kernel gives out: "FIRST\tLAST". Without the file its own defaults. */
static void read_port_range(unsigned *ret_first, unsigned *ret_last)
{
    CLEANUP_FCLOSE FILE *range = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");

    if (!range || fscanf(range, "%u %u", ret_first, ret_last) != 2) {
        *ret_first = 32768;
        *ret_last = 60999;
    }
}

/* The globals of the objects, bool, u32 or u64, that the loader sets. */
struct knob {
    const char *name;
    uint64_t value;
};

#define KNOBS_COUNT 7

static void take_knobs(struct knob ret[KNOBS_COUNT], const struct probe_config *config)
{
    unsigned first, last;

    read_port_range(&first, &last);
    memcpy(ret,
           (const struct knob[KNOBS_COUNT]){
               {"wake_bytes", config->ring_bytes / WAKE_SHARE},
               /* 0 means to the programs what it means in the configuration: no records. */
               {"slow_wait_ns", config->slow_wait_ns},
               {"stall_ns", config->stall_ns},
               {"page_bytes", (uint64_t)sysconf(_SC_PAGESIZE)},
               {"count_cgroups", config->cgroups_max > 0},
               {"ephemeral_first", first},
               {"ephemeral_last", last},
           },
           KNOBS_COUNT * sizeof(*ret));
}

static int write_knob(char *at, uint32_t size, uint64_t value)
{
    uint32_t narrow = value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;

    if (size == sizeof(value))
        memcpy(at, &value, size);
    else if (size == sizeof(narrow))
        memcpy(at, &narrow, size);
    else if (size == sizeof(bool))
        *at = value != 0;
    else
        return -EMSGSIZE;
    return 0;
}

static struct bpf_map *find_rodata(struct bpf_object *object)
{
    struct bpf_map *map;

    bpf_object__for_each_map (map, object) {
        const char *name = bpf_map__name(map);
        size_t len = strlen(name);

        if (bpf_map__is_internal(map) && len > 7 && strcmp(name + len - 7, ".rodata") == 0)
            return map;
    }
    return NULL;
}

int knobs_set(struct bpf_object *object, const struct probe_config *config)
{
    const struct btf *btf = bpf_object__btf(object);
    struct bpf_map *rodata = find_rodata(object);
    int id = btf ? btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC) : -ENOENT;
    const struct btf_type *section = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;
    const struct btf_var_secinfo *variable = section ? btf_var_secinfos(section) : NULL;
    size_t size = 0;
    const char *initial = rodata ? bpf_map__initial_value(rodata, &size) : NULL;
    CLEANUP_FREE char *data = NULL;
    struct knob knobs[KNOBS_COUNT];

    if (!section || !initial)
        return 0;
    data = malloc(size);
    if (!data)
        return -ENOMEM;
    memcpy(data, initial, size);
    take_knobs(knobs, config);
    for (int i = 0; i < btf_vlen(section); i++, variable++) {
        const struct btf_type *type = btf__type_by_id(btf, variable->type);
        const char *name = btf__name_by_offset(btf, type->name_off);

        for (size_t k = 0; k < KNOBS_COUNT; k++) {
            int err;

            if (strcmp(name, knobs[k].name) != 0 || variable->offset + variable->size > size)
                continue;
            err = write_knob(data + variable->offset, variable->size, knobs[k].value);
            if (err < 0)
                return err;
        }
    }
    return bpf_map__set_initial_value(rodata, data, size);
}
