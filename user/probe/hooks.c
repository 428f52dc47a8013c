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
    struct hook_point point;
    const char *pin_name; /* NULL: it ends with the agent */
} hook_rows[] = {
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

/* A link that lets everything pass until it is given the program: of several hooks none may act
 * before all of them can. */
static int reserve(const struct hook_row *hook, const char *cgroup, const char *pin,
                   char why[HOOK_WHY_BYTES])
{
    CLEANUP_CLOSE int cgroup_fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_CLOSE int pass_fd = cgroup_fd >= 0 ? hook_point_load_pass(&hook->point) : -errno;
    int fd = pass_fd < 0 ? -1 : bpf_link_create(pass_fd, cgroup_fd, hook->point.attach, NULL);
    int err = pass_fd < 0 ? pass_fd : -errno;

    if (fd < 0) {
        /* Somebody may have been quicker than this looked. */
        if (hook_point_check(&hook->point, cgroup, why) == 0)
            snprintf(why, HOOK_WHY_BYTES, "%s", strerror(-err));
        return err;
    }
    if (*pin && bpf_obj_pin(fd, pin) < 0) {
        err = -errno;
        close(fd);
        snprintf(why, HOOK_WHY_BYTES, "%.80s: %.40s", pin, strerror(-err));
        return err;
    }
    return fd;
}

static int attach_one(struct probe *probe, const struct hook_row *hook, const char *cgroup,
                      uint64_t id, char why[HOOK_WHY_BYTES])
{
    const struct program *program = find_loaded(probe, hook->target);
    char path[512] = "";
    int fd = -1;

    snprintf(why, HOOK_WHY_BYTES, "%s",
             program ? "as many as the agent can hold are attached" : "the program is not loaded");
    if (!program)
        return -ENOENT;
    if (probe->link_count == LINKS_MAX)
        return -ENOBUFS;
    if (hook->pin_name && probe->pins.fd >= 0) {
        pin_path(probe, hook, id, path);
        fd = take_over(path, program->prog_fd);
    }
    if (fd < 0) {
        int err = hook_point_check(&hook->point, cgroup, why);

        fd = err < 0 ? err : reserve(hook, cgroup, path, why);
        if (fd < 0)
            return fd;
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
static struct bpf_link_info look_at(const struct hook_link *link)
{
    struct bpf_link_info info = {0};
    uint32_t size = sizeof(info);

    if (bpf_obj_get_info_by_fd(link->fd, &info, &size) < 0)
        info = (struct bpf_link_info){0};
    return info;
}

static bool is_at(const struct bpf_link_info *info, const struct hook_row *hook, uint64_t id)
{
    return info->cgroup.cgroup_id == id && info->cgroup.attach_type == hook->point.attach;
}

/* 0 without one. */
static uint32_t program_id(const struct probe *probe, const struct hook_row *hook)
{
    const struct program *program = find_loaded(probe, hook->target);
    struct bpf_prog_info info = {0};
    uint32_t size = sizeof(info);

    return program && bpf_obj_get_info_by_fd(program->prog_fd, &info, &size) == 0 ? info.id : 0;
}

static int want(struct probe *probe, const struct hook_row *hook, const char *cgroup, uint64_t id,
                char why[HOOK_WHY_BYTES])
{
    struct hook_link *link = find_link(probe, hook, id);

    if (link) {
        const struct bpf_link_info info = look_at(link);

        link->wanted = true;
        if (is_at(&info, hook, id))
            return 0;
        detach_one(probe, link);
    }
    return attach_one(probe, hook, cgroup, id, why);
}

/* Has the link run the agent's program, whatever it runs. */
static int put_in_force(struct probe *probe, const struct hook_row *hook, uint64_t id,
                        char why[HOOK_WHY_BYTES])
{
    const struct program *program = find_loaded(probe, hook->target);
    const struct hook_link *link = find_link(probe, hook, id);
    struct bpf_link_info info;

    if (!program || !link)
        return -ENOENT;
    info = look_at(link);
    if (info.prog_id == program_id(probe, hook) ||
        bpf_link_update(link->fd, program->prog_fd, NULL) == 0)
        return 0;
    snprintf(why, HOOK_WHY_BYTES, "%s", strerror(errno));
    return -errno;
}

/* One program alone would make of a breaker that is not enforced one that is, for some. */
static void detach_all(struct probe *probe, enum probe_hook hook, uint64_t id)
{
    for (size_t i = probe->link_count; i-- > 0;) {
        if (hook_rows[probe->links[i].hook].hook == hook && probe->links[i].cgroup_id == id)
            detach_one(probe, &probe->links[i]);
    }
}

/* All programs of the hook, or none of them. */
static int want_all(struct probe *probe, enum probe_hook hook, const char *cgroup,
                    struct hook_failure *failure)
{
    char why[HOOK_WHY_BYTES] = "";
    struct stat st;
    int r = 0;

    *failure = (struct hook_failure){.hook = hook};
    if (stat(cgroup, &st) < 0) {
        r = -errno;
        snprintf(failure->text, sizeof(failure->text), "%.160s: %.64s", cgroup, strerror(-r));
        return r;
    }
    /* The id of a cgroup is the inode number of its directory. */
    failure->cgroup_id = st.st_ino;
    for (int step = 0; step < 2; step++) {
        for (size_t h = 0; r == 0 && h < HOOK_ROWS; h++) {
            const struct hook_row *row = &hook_rows[h];

            if (row->hook != hook)
                continue;
            r = step == 0 ? want(probe, row, cgroup, st.st_ino, why)
                          : put_in_force(probe, row, st.st_ino, why);
            if (r < 0)
                snprintf(failure->text, sizeof(failure->text), "%s cannot be attached to %.80s: %s",
                         row->target, cgroup, why);
        }
    }
    if (r < 0)
        detach_all(probe, hook, st.st_ino);
    return r;
}

static void forget_failures(struct probe *probe, enum probe_hook hook)
{
    size_t kept = 0;

    for (size_t i = 0; i < probe->hook_failure_count; i++)
        if (probe->hook_failures[i].hook != hook)
            probe->hook_failures[kept++] = probe->hook_failures[i];
    probe->hook_failure_count = kept;
}

int probe_hook_set(struct probe *probe, enum probe_hook hook, const char *const *cgroups,
                   size_t count, char error[PROBE_ERROR_BYTES])
{
    int first_error = 0;

    forget_failures(probe, hook);
    for (size_t i = 0; i < probe->link_count; i++)
        probe->links[i].wanted = false;
    for (size_t c = 0; c < count; c++) {
        struct hook_failure failure;
        int r = want_all(probe, hook, cgroups[c], &failure);

        if (r < 0 && first_error == 0) {
            snprintf(error, PROBE_ERROR_BYTES, "%s", failure.text);
            first_error = r;
        }
        if (r < 0 && probe->hook_failure_count < HOOK_FAILURES_MAX)
            probe->hook_failures[probe->hook_failure_count++] = failure;
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
    const struct hook_link *link = find_link(probe, hook, id);
    const char *failure = find_failure(probe, hook->hook, id);
    struct bpf_link_info info = {0};

    if (!find_loaded(probe, hook->target)) {
        snprintf(why, PROBE_ERROR_BYTES, "the program %s is not loaded: %s", hook->target,
                 why_not_loaded(probe, hook->target));
        return false;
    }
    if (link)
        info = look_at(link);
    if (!link || !is_at(&info, hook, id)) {
        if (failure)
            snprintf(why, PROBE_ERROR_BYTES, "%s", failure);
        else
            snprintf(why, PROBE_ERROR_BYTES, "the program %s is not attached", hook->target);
        return false;
    }
    if (info.prog_id != program_id(probe, hook)) {
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

void hooks_close(struct probe *probe)
{
    while (probe->link_count)
        detach_one(probe, &probe->links[probe->link_count - 1]);
}
