/* What programs there are, before any of them is shown to the kernel. */
#include "probe/probe_state.h"
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool names(const struct way_row *way, const char *program)
{
    for (size_t i = 0; i < PARTNERS_MAX && way->programs[i]; i++) {
        if (strcmp(way->programs[i], program) == 0)
            return true;
    }
    return false;
}

static struct probe_group *add_group(struct probe *probe, const struct object_row *row,
                                     const struct group_row *spec)
{
    struct probe_group *group;

    if (probe->group_count == PROGRAMS_MAX)
        return NULL;
    group = &probe->groups[probe->group_count++];
    *group = (struct probe_group){.row = row, .spec = spec, .way_count = 1};
    while (spec && group->way_count < WAYS_MAX && spec->ways[group->way_count].programs[0])
        group->way_count++;
    return group;
}

/* The group and way that name the program, or a new group of its own. */
static int place(struct probe *probe, const struct object_row *row, struct program *program)
{
    for (unsigned g = 0; g < probe->group_count; g++) {
        const struct probe_group *group = &probe->groups[g];

        for (unsigned w = 0; group->row == row && group->spec && w < group->way_count; w++) {
            if (names(&group->spec->ways[w], program->name)) {
                program->group = g;
                program->way = w;
                return 0;
            }
        }
    }
    if (!add_group(probe, row, NULL))
        return -E2BIG;
    program->group = (unsigned)probe->group_count - 1;
    program->way = 0;
    return 0;
}

bool inventory_has_map(const void *ctx, const char *name)
{
    const struct probe *probe = ctx;

    for (size_t i = 0; i < probe->known_map_count; i++) {
        if (strcmp(probe->known_maps[i], name) == 0)
            return true;
    }
    return false;
}

static void add_maps(struct probe *probe, const struct bpf_object *object)
{
    const struct bpf_map *map;

    bpf_object__for_each_map (map, object) {
        const char *name = bpf_map__name(map);

        if (!bpf_map__is_internal(map) && !inventory_has_map(probe, name) &&
            probe->known_map_count < KNOWN_MAPS_MAX)
            snprintf(probe->known_maps[probe->known_map_count++], PROGRAM_NAME_BYTES, "%s", name);
    }
}

int inventory_add_object(struct probe *probe, const struct object_row *row)
{
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = probe_concern_name(row->concern));
    size_t size;
    const void *bytes = row->elf_bytes(&size);
    struct bpf_object *object = bpf_object__open_mem(bytes, size, &options);
    struct bpf_program *each;
    int err = 0;

    if (!object)
        return -errno;
    for (size_t i = 0; i < GROUPS_MAX && row->groups[i].ways[0].programs[0]; i++) {
        if (!add_group(probe, row, &row->groups[i]))
            err = -E2BIG;
    }
    bpf_object__for_each_program (each, object) {
        struct program *program = &probe->programs[probe->program_count];

        if (err == 0 && probe->program_count == PROGRAMS_MAX)
            err = -E2BIG;
        if (err < 0)
            break;
        *program = (struct program){.prog_fd = -1, .link_fd = -1, .state = PROGRAM_UNUSED};
        snprintf(program->name, sizeof(program->name), "%s", bpf_program__name(each));
        snprintf(program->target, sizeof(program->target), "%s", bpf_program__section_name(each));
        err = place(probe, row, program);
        if (err == 0)
            probe->program_count++;
    }
    add_maps(probe, object);
    bpf_object__close(object);
    return err;
}
