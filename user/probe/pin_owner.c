/* Whose a pin is. Nothing of others is ever detached or unlinked. */
#include "base/cleanup.h"
#include "probe/probe_state.h"
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Every version counts its records in it, under this name, which no other program uses. */
#define UNMISTAKABLE "emit_stats"

enum pinned { PINNED_MAP, PINNED_LINK, PINNED_OTHER };

static enum pinned kind_of(int fd)
{
    char path[32], target[64];
    ssize_t n;

    if (fd < 0)
        return PINNED_OTHER;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    n = readlink(path, target, sizeof(target) - 1);
    if (n < 0)
        return PINNED_OTHER;
    target[n] = '\0';
    if (strstr(target, "bpf-map"))
        return PINNED_MAP;
    return strstr(target, "bpf_link") || strstr(target, "bpf-link") ? PINNED_LINK : PINNED_OTHER;
}

/* The name of a map as the kernel keeps it, cut to what it has room for. */
static bool is_named(int fd, const char *name)
{
    struct bpf_map_info info = {0};
    uint32_t size = sizeof(info);

    return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
           strncmp(info.name, name, sizeof(info.name) - 1) == 0;
}

bool pin_finds_agent(const struct pin_directory *pins)
{
    CLEANUP_CLOSE int fd = -1;
    char path[512];

    snprintf(path, sizeof(path), "%s/" UNMISTAKABLE, pins->path);
    fd = bpf_obj_get(path);
    return kind_of(fd) == PINNED_MAP && is_named(fd, UNMISTAKABLE);
}

bool pin_is_ours(const struct pin_directory *pins, const char *name)
{
    CLEANUP_CLOSE int fd = -1;
    struct stat st;
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", pins->path, name);
    if (lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    fd = bpf_obj_get(path);
    switch (kind_of(fd)) {
    case PINNED_MAP:
        /* An agent that was killed while it started may have pinned but a few. */
        return is_named(fd, name) &&
               (pins->of_agent || (pins->has_map && pins->has_map(pins->ctx, name)));
    case PINNED_LINK:
        return hook_names_pin(name);
    default:
        return false;
    }
}

bool pin_find_foreign(const struct pin_directory *pins, char ret[NAME_MAX + 1])
{
    DIR *directory = opendir(pins->path);
    const struct dirent *entry;
    bool found = false;

    while (directory && !found && (entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        found = !pin_is_ours(pins, entry->d_name);
        if (found)
            snprintf(ret, NAME_MAX + 1, "%s", entry->d_name);
    }
    if (directory)
        closedir(directory);
    return found;
}
