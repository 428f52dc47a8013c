/* Attaching without libbpf's objects, which are closed once their programs are loaded: they hold
 * memory that the agent would otherwise keep for life, and shedding attaches again much later. */
#include "probe/probe_state.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum attach_way {
    ATTACH_ELSEWHERE, /* to cgroups, by the concern itself */
    ATTACH_RESOLVED,  /* the hook was resolved from BTF when the program was loaded */
    ATTACH_BY_NAME,
    ATTACH_ITERATOR,
};

static const struct attach_kind {
    const char *section;
    enum attach_way way;
} attach_kinds[] = {
    {"tp_btf/", ATTACH_RESOLVED},  {"fentry/", ATTACH_RESOLVED},        {"fexit/", ATTACH_RESOLVED},
    {"raw_tp/", ATTACH_BY_NAME},   {"raw_tracepoint/", ATTACH_BY_NAME}, {"iter/", ATTACH_ITERATOR},
    {"cgroup/", ATTACH_ELSEWHERE}, {"cgroup_skb/", ATTACH_ELSEWHERE},
};

/* A link fd, or -1 with errno. */
static int attach(const struct attach_kind *kind, int prog_fd, const char *target)
{
    const char *name = target + strlen(kind->section);

    if (kind->way == ATTACH_ITERATOR)
        return bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, NULL);
    return bpf_raw_tracepoint_open(kind->way == ATTACH_BY_NAME ? name : NULL, prog_fd);
}

static const struct attach_kind *find_kind(const char *target)
{
    for (size_t i = 0; i < sizeof(attach_kinds) / sizeof(attach_kinds[0]); i++) {
        if (strncmp(target, attach_kinds[i].section, strlen(attach_kinds[i].section)) == 0)
            return &attach_kinds[i];
    }
    return NULL;
}

bool attach_deferred(const char *target)
{
    const struct attach_kind *kind = find_kind(target);

    return kind && kind->way == ATTACH_ELSEWHERE;
}

bool attach_possible(const char *target)
{
    return find_kind(target) != NULL;
}

/* By the kernel's own clock, not that of a test. */
static void note_attached(struct probe *probe, const struct probe_group *group)
{
    uint64_t now_ns = clock_monotonic_ns(clock_system());
    struct kernel_map *map = map_find(probe, "attached_since");
    uint32_t word = group->spec ? group->spec->attached : ATTACHED_NONE;

    if (map && word != ATTACHED_NONE)
        bpf_map_update_elem(map->fd, &word, &now_ns, BPF_ANY);
}

int group_attach(struct probe *probe, unsigned group, struct program **ret_culprit)
{
    note_attached(probe, &probe->groups[group]);
    for (size_t i = 0; i < probe->program_count; i++) {
        struct program *program = &probe->programs[i];
        const struct attach_kind *kind = find_kind(program->target);
        int err;

        if (program->group != group || program->way != probe->groups[group].way ||
            kind->way == ATTACH_ELSEWHERE)
            continue;
        program->link_fd = attach(kind, program->prog_fd, program->target);
        if (program->link_fd >= 0)
            continue;
        err = -errno;
        group_detach(probe, group);
        *ret_culprit = program;
        return err;
    }
    return 0;
}

void group_detach(struct probe *probe, unsigned group)
{
    for (size_t i = 0; i < probe->program_count; i++) {
        struct program *program = &probe->programs[i];

        if (program->group == group && program->link_fd >= 0) {
            close(program->link_fd);
            program->link_fd = -1;
        }
    }
}
