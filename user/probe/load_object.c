/* Loading one object: whole if the kernel takes it so, else without the programs it refuses.
 *
 * Groups are decided one way at a time. Those a load or an attach has not decided go into the next
 * round with their next way; the maps of the rounds before are reused, so a twin continues them.
 */
#include "probe/feature.h"
#include "probe/knob.h"
#include "probe/probe_state.h"
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool under_trial(const struct probe *probe, const struct object_row *row,
                        const struct program *program)
{
    const struct probe_group *group = &probe->groups[program->group];

    return group->row == row && group->state == GROUP_UNDECIDED && group->way == program->way;
}

/* The group's way cannot run because of `culprit`: its partners go with it, the next way is on. */
static void refuse_way(struct probe *probe, unsigned group_index, struct program *culprit,
                       const char *reason)
{
    struct probe_group *group = &probe->groups[group_index];

    for (size_t i = 0; i < probe->program_count; i++) {
        struct program *program = &probe->programs[i];

        if (program->group != group_index || program->way != group->way)
            continue;
        program->state = PROGRAM_UNSUPPORTED;
        if (program->prog_fd >= 0) {
            close(program->prog_fd);
            program->prog_fd = -1;
        }
        /* The first reason is the cause, what follows are consequences. */
        if (program->refused)
            continue;
        program->refused = true;
        if (!culprit || program == culprit)
            snprintf(program->reason, PROBE_REASON_BYTES, "%s", reason);
        else
            snprintf(program->reason, PROBE_REASON_BYTES, "its partner %s cannot run",
                     culprit->name);
        program->partner_refused = culprit && program != culprit;
    }
    group->way++;
    if (probe->config.mode[group->row->concern] == PROBE_TWIN || group->way == group->way_count) {
        group->way = group->way_count - 1;
        group->state = GROUP_REFUSED;
    }
}

/* Refuses what needs no attempt: the kernel's BTF or our own table says no. */
static void refuse_impossible(struct probe *probe, const struct object_row *row,
                              const struct btf *kernel)
{
    for (size_t i = 0; i < probe->program_count; i++) {
        struct program *program = &probe->programs[i];
        const struct probe_group *group = &probe->groups[program->group];
        const struct way_row *way = group->spec ? &group->spec->ways[program->way] : NULL;
        char reason[PROBE_REASON_BYTES] = "";

        if (!under_trial(probe, row, program))
            continue;
        for (size_t n = 0; way && n < NEEDS_MAX && way->needs[n]; n++) {
            if (!feature_present(kernel, way->needs[n]))
                snprintf(reason, sizeof(reason), "this kernel has no %s", way->needs[n]);
        }
        if (!feature_tracepoint(kernel, program->target))
            snprintf(reason, sizeof(reason), "this kernel has no tracepoint %s",
                     strchr(program->target, '/') + 1);
        if (!attach_possible(program->target))
            snprintf(reason, sizeof(reason), "%s is no section the loader can attach",
                     program->target);
        if (reason[0])
            refuse_way(probe, program->group, program, reason);
    }
}

static bool is_cgroup_map(const struct object_row *row, const char *name)
{
    for (size_t i = 0; i < CGROUP_MAPS_MAX && row->cgroup_maps[i]; i++) {
        if (strcmp(row->cgroup_maps[i], name) == 0)
            return true;
    }
    return false;
}

static int prepare_map(struct probe *probe, const struct object_row *row, struct bpf_map *map)
{
    const char *name = bpf_map__name(map);
    struct kernel_map *known;
    int err;

    if (bpf_map__is_internal(map))
        return 0;
    /* Sharing and pinning are done here, by name: trial loads must leave nothing behind. */
    err = bpf_map__set_pin_path(map, NULL);
    if (err < 0)
        return err;
    known = map_find(probe, name);
    if (known) {
        if (known->type != bpf_map__type(map) || known->key_size != bpf_map__key_size(map) ||
            known->value_size != bpf_map__value_size(map))
            return -EMEDIUMTYPE;
        return bpf_map__reuse_fd(map, known->fd);
    }
    if (strcmp(name, "events") == 0)
        return bpf_map__set_max_entries(map, probe->config.ring_bytes);
    if (is_cgroup_map(row, name))
        return bpf_map__set_max_entries(map, probe->config.cgroups_max +
                                                 (uint32_t)other_rows_count(name));
    return 0;
}

/* Opens and loads the object with the programs under trial, or with `only` one of them. */
static int try_load(struct probe *probe, const struct object_row *row, const struct program *only,
                    struct bpf_object **ret)
{
    LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = probe_concern_name(row->concern));
    size_t size;
    const void *bytes = row->elf_bytes(&size);
    struct bpf_object *object;
    struct bpf_map *map;
    int err;

    reason_forget();
    object = bpf_object__open_mem(bytes, size, &options);
    if (!object)
        return -errno;
    for (size_t i = 0; i < probe->program_count; i++) {
        const struct program *program = &probe->programs[i];
        bool wanted = only ? program == only : under_trial(probe, row, program);

        if (probe->groups[program->group].row == row)
            bpf_program__set_autoload(bpf_object__find_program_by_name(object, program->name),
                                      wanted);
    }
    err = knobs_set(object, &probe->config);
    bpf_object__for_each_map (map, object) {
        if (err == 0)
            err = prepare_map(probe, row, map);
    }
    if (err == 0)
        err = bpf_object__load(object);
    if (err < 0) {
        bpf_object__close(object);
        return err;
    }
    *ret = object;
    return 0;
}

/* Which of the programs does the kernel refuse? Each is tried alone. */
static void find_culprits(struct probe *probe, const struct object_row *row, int load_error)
{
    char reason[PROBE_REASON_BYTES], whole_reason[PROBE_REASON_BYTES];
    struct program *tried[PROGRAMS_MAX];
    size_t count = 0, refused = 0;

    reason_take(load_error, whole_reason);
    for (size_t i = 0; i < probe->program_count; i++) {
        if (under_trial(probe, row, &probe->programs[i]))
            tried[count++] = &probe->programs[i];
    }
    for (size_t i = 0; i < count; i++) {
        struct bpf_object *object = NULL;
        int err;

        if (tried[i]->refused)
            continue;
        err = try_load(probe, row, tried[i], &object);
        if (err == 0) {
            bpf_object__close(object);
            continue;
        }
        reason_take(err, reason);
        refuse_way(probe, tried[i]->group, tried[i], reason);
        refused++;
    }
    for (size_t i = 0; refused == 0 && i < count; i++) {
        if (under_trial(probe, row, tried[i]))
            refuse_way(probe, tried[i]->group, NULL, whole_reason);
    }
}

static void keep_map(struct probe *probe, struct bpf_map *map)
{
    const char *name = bpf_map__name(map);
    struct kernel_map *kept = &probe->maps[probe->map_count];

    if (map_find(probe, name) || probe->map_count == MAPS_MAX || bpf_map__fd(map) < 0)
        return;
    *kept = (struct kernel_map){
        .fd = fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 0),
        .type = bpf_map__type(map),
        .key_size = bpf_map__key_size(map),
        .value_size = bpf_map__value_size(map),
        .max_entries = bpf_map__max_entries(map),
    };
    snprintf(kept->name, sizeof(kept->name), "%s", name);
    if (kept->fd < 0)
        return;
    probe->map_count++;
    other_rows_make(probe, kept);
    if (!bpf_map__is_internal(map))
        pin_map(&probe->pins, kept->fd, name);
}

static uint32_t id_of(int prog_fd)
{
    struct bpf_prog_info info = {0};
    uint32_t size = sizeof(info);

    return bpf_obj_get_info_by_fd(prog_fd, &info, &size) == 0 ? info.id : 0;
}

/* Takes over the file descriptors of what was loaded; the object itself is no longer needed. */
static void keep_loaded(struct probe *probe, const struct object_row *row,
                        struct bpf_object *object)
{
    struct bpf_map *map;

    for (size_t i = 0; i < probe->program_count; i++) {
        struct program *program = &probe->programs[i];

        if (!under_trial(probe, row, program))
            continue;
        program->prog_fd =
            fcntl(bpf_program__fd(bpf_object__find_program_by_name(object, program->name)),
                  F_DUPFD_CLOEXEC, 0);
        program->id = id_of(program->prog_fd);
    }
    bpf_object__for_each_map (map, object)
        keep_map(probe, map);
    bpf_object__close(object);
}

static void attach_loaded(struct probe *probe, const struct object_row *row)
{
    for (unsigned g = 0; g < probe->group_count; g++) {
        struct probe_group *group = &probe->groups[g];
        struct program *culprit;
        char reason[PROBE_REASON_BYTES];
        int err;

        if (group->row != row || group->state != GROUP_UNDECIDED)
            continue;
        reason_forget();
        err = group_attach(probe, g, &culprit);
        if (err == 0) {
            group->state = GROUP_ATTACHED;
            continue;
        }
        reason_take(err, reason);
        refuse_way(probe, g, culprit, reason);
    }
}

/* Says of every program of the object what became of it. */
static void settle(struct probe *probe, const struct object_row *row)
{
    for (size_t i = 0; i < probe->program_count; i++) {
        struct program *program = &probe->programs[i];
        const struct probe_group *group = &probe->groups[program->group];

        if (group->row != row || program->refused)
            continue;
        if (group->state == GROUP_OFF) {
            snprintf(program->reason, PROBE_REASON_BYTES, "off by configuration");
        } else if (group->state == GROUP_ATTACHED && program->way == group->way) {
            program->state = attach_deferred(program->target) ? PROGRAM_UNUSED : PROGRAM_ATTACHED;
            if (program->state == PROGRAM_UNUSED)
                snprintf(program->reason, PROBE_REASON_BYTES,
                         "attached when an upstream asks for it");
        } else if (probe->config.mode[row->concern] == PROBE_TWIN) {
            snprintf(program->reason, PROBE_REASON_BYTES, "its twin is forced by configuration");
        } else {
            snprintf(program->reason, PROBE_REASON_BYTES, "%s runs instead",
                     group->spec ? group->spec->ways[group->way].method : "its twin");
        }
    }
}

static bool any_undecided(const struct probe *probe, const struct object_row *row)
{
    for (size_t i = 0; i < probe->group_count; i++) {
        if (probe->groups[i].row == row && probe->groups[i].state == GROUP_UNDECIDED)
            return true;
    }
    return false;
}

static void start_trial(struct probe *probe, const struct object_row *row)
{
    enum probe_mode mode = probe->config.mode[row->concern];

    for (size_t i = 0; i < probe->group_count; i++) {
        struct probe_group *group = &probe->groups[i];

        if (group->row != row)
            continue;
        group->way = mode == PROBE_TWIN ? group->way_count - 1 : 0;
        group->state = mode == PROBE_OFF ? GROUP_OFF : GROUP_UNDECIDED;
    }
}

void refuse_object(struct probe *probe, const struct object_row *row, const char *reason)
{
    start_trial(probe, row);
    for (unsigned g = 0; g < probe->group_count; g++) {
        while (probe->groups[g].row == row && probe->groups[g].state == GROUP_UNDECIDED)
            refuse_way(probe, g, NULL, reason);
    }
    settle(probe, row);
}

void load_object(struct probe *probe, const struct object_row *row, const struct btf *kernel)
{
    start_trial(probe, row);
    while (any_undecided(probe, row)) {
        struct bpf_object *object = NULL;
        int err;

        for (unsigned way = 0; way < WAYS_MAX; way++)
            refuse_impossible(probe, row, kernel);
        if (!any_undecided(probe, row))
            break;
        err = try_load(probe, row, NULL, &object);
        if (err < 0) {
            find_culprits(probe, row, err);
            continue;
        }
        keep_loaded(probe, row, object);
        attach_loaded(probe, row);
    }
    settle(probe, row);
}
