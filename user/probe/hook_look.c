/* Which programs are attached to cgroups, read back from the kernel. */
#include "probe/hook_row.h"
#include <bpf/bpf.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct hook_row hook_rows[HOOK_ROWS] = {
    {PROBE_HOOK_CONNECT,
     "cgroup/connect4",
     {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT},
     "connect4"},
    {PROBE_HOOK_CONNECT,
     "cgroup/connect6",
     {BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_CONNECT},
     "connect6"},
    {PROBE_HOOK_HTTP,
     "cgroup_skb/ingress",
     {BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS},
     NULL},
};

const struct program *hook_loaded(const struct probe *probe, const char *target)
{
    for (size_t i = 0; i < probe->program_count; i++) {
        if (strcmp(probe->programs[i].target, target) == 0 && probe->programs[i].prog_fd >= 0)
            return &probe->programs[i];
    }
    return NULL;
}

struct hook_link *hook_find(struct probe *probe, const struct hook_row *hook, uint64_t id)
{
    for (size_t i = 0; i < probe->link_count; i++) {
        struct hook_link *link = &probe->links[i];

        if (link->hook == hook - hook_rows && link->cgroup_id == id)
            return link;
    }
    return NULL;
}

void hook_row_pin_path(const struct probe *probe, const struct hook_row *hook, uint64_t id,
                       char out[512])
{
    snprintf(out, 512, "%s/%s_%" PRIu64, probe->pins.path, hook->pin_name, id);
}

bool hook_pin_path(const struct probe *probe, const struct hook_link *link, char out[512])
{
    const struct hook_row *hook = &hook_rows[link->hook];

    if (!hook->pin_name || probe->pins.fd < 0)
        return false;
    hook_row_pin_path(probe, hook, link->cgroup_id, out);
    return true;
}

struct bpf_link_info hook_look(const struct hook_link *link)
{
    struct bpf_link_info info = {0};
    uint32_t size = sizeof(info);

    if (bpf_obj_get_info_by_fd(link->fd, &info, &size) < 0)
        info = (struct bpf_link_info){0};
    return info;
}

bool hook_is_at(const struct bpf_link_info *info, const struct hook_row *hook, uint64_t id)
{
    return info->cgroup.cgroup_id == id && info->cgroup.attach_type == hook->point.attach;
}

static const char *why_not_loaded(const struct probe *probe, const char *target)
{
    for (size_t i = 0; i < probe->program_count; i++)
        if (strcmp(probe->programs[i].target, target) == 0)
            return probe->programs[i].reason;
    return "this build has no such program";
}

static const char *find_failure(const struct probe *probe, enum probe_hook hook, uint64_t id)
{
    for (size_t i = 0; i < probe->hook_failure_count; i++)
        if (probe->hook_failures[i].hook == hook && probe->hook_failures[i].cgroup_id == id)
            return probe->hook_failures[i].text;
    return NULL;
}

static bool row_attached(struct probe *probe, const struct hook_row *hook, uint64_t id,
                         char why[PROBE_ERROR_BYTES])
{
    const struct program *program = hook_loaded(probe, hook->target);
    const struct hook_link *link = hook_find(probe, hook, id);
    const char *failure = find_failure(probe, hook->hook, id);
    struct bpf_link_info info = {0};

    if (!program) {
        snprintf(why, PROBE_ERROR_BYTES, "the program %s is not loaded: %s", hook->target,
                 why_not_loaded(probe, hook->target));
        return false;
    }
    if (link)
        info = hook_look(link);
    if (!link || !hook_is_at(&info, hook, id)) {
        if (failure)
            snprintf(why, PROBE_ERROR_BYTES, "%s", failure);
        else
            snprintf(why, PROBE_ERROR_BYTES, "the program %s is not attached", hook->target);
        return false;
    }
    if (info.prog_id != program->id) {
        snprintf(why, PROBE_ERROR_BYTES,
                 "the program %s was replaced at its link by another (id %u)", hook->target,
                 info.prog_id);
        return false;
    }
    return true;
}

bool probe_hook_attached(struct probe *probe, enum probe_hook hook, uint64_t cgroup_id,
                         char why[PROBE_ERROR_BYTES])
{
    for (size_t h = 0; h < HOOK_ROWS; h++) {
        if (hook_rows[h].hook == hook && !row_attached(probe, &hook_rows[h], cgroup_id, why))
            return false;
    }
    return true;
}

bool hook_names_pin(const char *name)
{
    for (size_t h = 0; h < HOOK_ROWS; h++) {
        size_t len = hook_rows[h].pin_name ? strlen(hook_rows[h].pin_name) : 0;

        if (len && strncmp(name, hook_rows[h].pin_name, len) == 0 && name[len] == '_' &&
            name[len + 1] && !name[len + 1 + strspn(name + len + 1, "0123456789")])
            return true;
    }
    return false;
}

bool hook_attached(const struct probe *probe, const struct program *program)
{
    for (size_t i = 0; i < probe->link_count; i++) {
        if (strcmp(hook_rows[probe->links[i].hook].target, program->target) == 0)
            return true;
    }
    return false;
}
