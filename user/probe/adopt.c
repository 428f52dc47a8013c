/* Taking over the breakers of an agent that was killed: their maps, when they are what this agent
 * would make. The links follow when they are asked for (hooks.c). */
#include "abi/breaker.h"
#include "probe/probe_state.h"
#include <bpf/bpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct adopted_map {
    const char *name;
    uint32_t type, key_size, value_size, max_entries, flags;
} adopted_maps[] = {
    {"breaker_row", BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(struct breaker_row), UPSTREAMS_MAX,
     BPF_F_MMAPABLE},
    {"breaker_agent", BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(struct breaker_agent), 1,
     BPF_F_MMAPABLE},
    {"upstream_host", BPF_MAP_TYPE_HASH, sizeof(struct upstream_key), sizeof(struct upstream_value),
     UPSTREAM_ADDRESSES_MAX, BPF_F_NO_PREALLOC},
    {"upstream_addr", BPF_MAP_TYPE_LPM_TRIE, sizeof(struct upstream_key),
     sizeof(struct upstream_value), UPSTREAM_ADDRESSES_MAX, BPF_F_NO_PREALLOC},
};

#define ADOPTED_MAPS (sizeof(adopted_maps) / sizeof(adopted_maps[0]))

bool adopt_keeps(const char *pin)
{
    for (size_t i = 0; i < ADOPTED_MAPS; i++) {
        if (strcmp(pin, adopted_maps[i].name) == 0)
            return true;
    }
    return strncmp(pin, "connect4_", 9) == 0 || strncmp(pin, "connect6_", 9) == 0;
}

static bool is_compatible(int fd, const struct adopted_map *expected)
{
    struct bpf_map_info info = {0};
    uint32_t size = sizeof(info);

    return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.type == expected->type &&
           info.key_size == expected->key_size && info.value_size == expected->value_size &&
           info.max_entries == expected->max_entries && info.map_flags == expected->flags;
}

static bool is_our_layout(int fd)
{
    struct breaker_agent agent = {0};
    uint32_t zero = 0;

    return bpf_map_lookup_elem(fd, &zero, &agent) == 0 && agent.layout == BREAKER_LAYOUT;
}

static bool open_all(const struct probe *probe, int fds[ADOPTED_MAPS])
{
    bool good = true;

    for (size_t i = 0; i < ADOPTED_MAPS; i++) {
        char path[512];

        snprintf(path, sizeof(path), "%s/%s", probe->pins.path, adopted_maps[i].name);
        fds[i] = bpf_obj_get(path);
        good = good && fds[i] >= 0 && is_compatible(fds[i], &adopted_maps[i]);
    }
    return good && is_our_layout(fds[1]);
}

void adopt_breakers(struct probe *probe)
{
    int fds[ADOPTED_MAPS];

    if (probe->pins.fd < 0 || !probe->pins.kept)
        return;
    probe->breaker_adopted = open_all(probe, fds);
    for (size_t i = 0; i < ADOPTED_MAPS; i++) {
        struct kernel_map *map = &probe->maps[probe->map_count];

        if (!probe->breaker_adopted) {
            if (fds[i] >= 0)
                close(fds[i]);
            continue;
        }
        *map = (struct kernel_map){.fd = fds[i],
                                   .type = adopted_maps[i].type,
                                   .key_size = adopted_maps[i].key_size,
                                   .value_size = adopted_maps[i].value_size,
                                   .max_entries = adopted_maps[i].max_entries};
        snprintf(map->name, sizeof(map->name), "%s", adopted_maps[i].name);
        probe->map_count++;
    }
    if (!probe->breaker_adopted)
        adopt_drop(probe);
}

/* The links go with their pins, since nobody else holds them. */
void adopt_drop(struct probe *probe)
{
    probe->breaker_adopted = false;
    pin_remove(&probe->pins, NULL);
    probe->pins.kept = 0;
}
