/* Programs that are attached to cgroups while others run, and stay when the agent is killed. */
#include "base/cleanup.h"
#include "probe/breaker.h"
#include "probe/state.h"
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The pin of a link is "NAME_CGROUPID". */
static const struct hook_row {
    enum probe_hook hook;
    const char *target;
    enum bpf_attach_type type;
    const char *pin_name; /* NULL: it ends with the agent */
} hook_rows[] = {
    {PROBE_HOOK_CONNECT, "cgroup/connect4", BPF_CGROUP_INET4_CONNECT, "connect4"},
    {PROBE_HOOK_CONNECT, "cgroup/connect6", BPF_CGROUP_INET6_CONNECT, "connect6"},
    {PROBE_HOOK_HTTP, "cgroup_skb/ingress", BPF_CGROUP_INET_INGRESS, NULL},
};

#define HOOK_ROWS (sizeof(hook_rows) / sizeof(hook_rows[0]))

static const struct program *find_loaded(const struct probe *probe, const char *target)
{
    for (size_t i = 0; i < probe->program_count; i++) {
        if (strcmp(probe->programs[i].target, target) == 0 && probe->programs[i].prog_fd >= 0)
            return &probe->programs[i];
    }
    return NULL;
}

static struct hook_link *find_link(struct probe *probe, const struct hook_row *hook, uint64_t id)
{
    for (size_t i = 0; i < probe->link_count; i++) {
        struct hook_link *link = &probe->links[i];

        if (link->hook == hook - hook_rows && link->cgroup_id == id)
            return link;
    }
    return NULL;
}

static void pin_path(const struct probe *probe, const struct hook_row *hook, uint64_t id,
                     char out[512])
{
    snprintf(out, 512, "%s/%s_%" PRIu64, probe->pins.path, hook->pin_name, id);
}

bool hook_pin_path(const struct probe *probe, const struct hook_link *link, char out[512])
{
    const struct hook_row *hook = &hook_rows[link->hook];

    if (!hook->pin_name || probe->pins.fd < 0)
        return false;
    pin_path(probe, hook, link->cgroup_id, out);
    return true;
}

/* A link that a killed agent left, now running this agent's program; -1: there is none. */
static int take_over(const char *path, int prog_fd)
{
    int fd = bpf_obj_get(path);

    if (fd < 0)
        return -1;
    if (bpf_link_update(fd, prog_fd, NULL) == 0)
        return fd;
    /* Its cgroup was removed and made again, or it is no link of ours. */
    close(fd);
    unlink(path);
    return -1;
}

static int attach_one(struct probe *probe, const struct hook_row *hook, const char *cgroup,
                      uint64_t id)
{
    const struct program *program = find_loaded(probe, hook->target);
    bool pinned = hook->pin_name && probe->pins.fd >= 0;
    char path[512];
    int fd = -1;

    if (!program)
        return -ENOENT;
    if (probe->link_count == LINKS_MAX)
        return -E2BIG;
    if (pinned) {
        pin_path(probe, hook, id, path);
        fd = take_over(path, program->prog_fd);
    }
    if (fd < 0) {
        CLEANUP_CLOSE int cgroup_fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        fd = cgroup_fd >= 0 ? bpf_link_create(program->prog_fd, cgroup_fd, hook->type, NULL) : -1;
        if (fd < 0)
            return -errno;
        if (pinned && bpf_obj_pin(fd, path) < 0) {
            int err = -errno;

            close(fd);
            return err;
        }
    }
    probe->links[probe->link_count++] = (struct hook_link){
        .hook = (unsigned)(hook - hook_rows), .cgroup_id = id, .fd = fd, .wanted = true};
    return 0;
}

static void detach_one(struct probe *probe, struct hook_link *link)
{
    const struct hook_row *hook = &hook_rows[link->hook];
    char path[512];

    if (hook->pin_name && probe->pins.fd >= 0) {
        pin_path(probe, hook, link->cgroup_id, path);
        unlink(path);
    }
    bpf_link_detach(link->fd); /* now, not when the kernel lets go of it */
    close(link->fd);
    *link = probe->links[--probe->link_count];
}

/* Those of a killed agent that nobody wants any more. */
static void remove_stale_pins(struct probe *probe, const struct hook_row *hook)
{
    const struct dirent *entry;
    DIR *directory;

    if (!hook->pin_name || probe->pins.fd < 0)
        return;
    directory = opendir(probe->pins.path);
    while (directory && (entry = readdir(directory))) {
        size_t len = strlen(hook->pin_name);
        uint64_t id;

        if (strncmp(entry->d_name, hook->pin_name, len) == 0 && entry->d_name[len] == '_' &&
            sscanf(entry->d_name + len + 1, "%" SCNu64, &id) == 1 && !find_link(probe, hook, id))
            pin_drop(&probe->pins, entry->d_name);
    }
    if (directory)
        closedir(directory);
}

/* A link whose cgroup was removed, or that somebody detached, names no cgroup any more. */
static uint64_t cgroup_of(const struct hook_link *link)
{
    struct bpf_link_info info = {0};
    uint32_t size = sizeof(info);

    return bpf_obj_get_info_by_fd(link->fd, &info, &size) == 0 ? info.cgroup.cgroup_id : 0;
}

static int want(struct probe *probe, const struct hook_row *hook, const char *cgroup)
{
    struct hook_link *link;
    struct stat st;

    if (stat(cgroup, &st) < 0)
        return -errno;
    /* The id of a cgroup is the inode number of its directory. */
    link = find_link(probe, hook, st.st_ino);
    if (link && cgroup_of(link) == st.st_ino) {
        link->wanted = true;
        return 0;
    }
    if (link)
        detach_one(probe, link);
    return attach_one(probe, hook, cgroup, st.st_ino);
}

int probe_hook_set(struct probe *probe, enum probe_hook hook, const char *const *cgroups,
                   size_t count, char error[PROBE_ERROR_BYTES])
{
    int first_error = 0;

    for (size_t i = 0; i < probe->link_count; i++)
        probe->links[i].wanted = false;
    for (size_t h = 0; h < HOOK_ROWS; h++) {
        for (size_t c = 0; hook_rows[h].hook == hook && c < count; c++) {
            int err = want(probe, &hook_rows[h], cgroups[c]);

            if (err < 0 && first_error == 0) {
                snprintf(error, PROBE_ERROR_BYTES, "%s cannot be attached to %s: %s",
                         hook_rows[h].target, cgroups[c],
                         err == -ENOENT && !find_loaded(probe, hook_rows[h].target)
                             ? "the program is not loaded"
                             : strerror(-err));
                first_error = err;
            }
        }
    }
    for (size_t i = probe->link_count; i-- > 0;) {
        if (hook_rows[probe->links[i].hook].hook == hook && !probe->links[i].wanted)
            detach_one(probe, &probe->links[i]);
    }
    for (size_t h = 0; h < HOOK_ROWS; h++) {
        if (hook_rows[h].hook == hook)
            remove_stale_pins(probe, &hook_rows[h]);
    }
    return first_error;
}

static const char *why_not_loaded(const struct probe *probe, const char *target)
{
    for (size_t i = 0; i < probe->program_count; i++)
        if (strcmp(probe->programs[i].target, target) == 0)
            return probe->programs[i].reason;
    return "this build has no such program";
}

bool probe_hook_attached(struct probe *probe, enum probe_hook hook, uint64_t cgroup_id,
                         char why[PROBE_ERROR_BYTES])
{
    for (size_t h = 0; h < HOOK_ROWS; h++) {
        const struct hook_link *link;

        if (hook_rows[h].hook != hook)
            continue;
        if (!find_loaded(probe, hook_rows[h].target)) {
            snprintf(why, PROBE_ERROR_BYTES, "the program %s is not loaded: %s",
                     hook_rows[h].target, why_not_loaded(probe, hook_rows[h].target));
            return false;
        }
        link = find_link(probe, &hook_rows[h], cgroup_id);
        if (!link || cgroup_of(link) != cgroup_id) {
            snprintf(why, PROBE_ERROR_BYTES, "the program %s is not attached", hook_rows[h].target);
            return false;
        }
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

void hooks_close(struct probe *probe)
{
    while (probe->link_count)
        detach_one(probe, &probe->links[probe->link_count - 1]);
}
