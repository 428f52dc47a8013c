/* Programs that are attached to cgroups while others run, and stay when the agent is killed. */
#include "base/cleanup.h"
#include "probe/hook_row.h"
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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
    const struct program *program = hook_loaded(probe, hook->target);
    char path[512] = "";
    int fd = -1;

    snprintf(why, HOOK_WHY_BYTES, "%s",
             program ? "as many as the agent can hold are attached" : "the program is not loaded");
    if (!program)
        return -ENOENT;
    if (probe->link_count == LINKS_MAX)
        return -ENOBUFS;
    if (hook->pin_name && probe->pins.fd >= 0) {
        hook_row_pin_path(probe, hook, id, path);
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
        hook_row_pin_path(probe, hook, link->cgroup_id, path);
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
            sscanf(entry->d_name + len + 1, "%" SCNu64, &id) == 1 && !hook_find(probe, hook, id))
            pin_drop(&probe->pins, entry->d_name);
    }
    if (directory)
        closedir(directory);
}

static int want(struct probe *probe, const struct hook_row *hook, const char *cgroup, uint64_t id,
                char why[HOOK_WHY_BYTES])
{
    struct hook_link *link = hook_find(probe, hook, id);

    if (link) {
        const struct bpf_link_info info = hook_look(link);

        link->wanted = true;
        if (hook_is_at(&info, hook, id))
            return 0;
        detach_one(probe, link);
    }
    return attach_one(probe, hook, cgroup, id, why);
}

/* Has the link run the agent's program, whatever it runs. */
static int put_in_force(struct probe *probe, const struct hook_row *hook, uint64_t id,
                        char why[HOOK_WHY_BYTES])
{
    const struct program *program = hook_loaded(probe, hook->target);
    const struct hook_link *link = hook_find(probe, hook, id);
    struct bpf_link_info info;

    if (!program || !link)
        return -ENOENT;
    info = hook_look(link);
    if (info.prog_id == program->id || bpf_link_update(link->fd, program->prog_fd, NULL) == 0)
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

void hooks_close(struct probe *probe)
{
    while (probe->link_count)
        detach_one(probe, &probe->links[probe->link_count - 1]);
}
