/* Matchers that want filesystems which are never looked at. */
#include "alert/doubts.h"
#include "base/file.h"
#include "collect/mount_choice.h"
#include <stdlib.h>
#include <string.h>

#define MOUNTINFO "/proc/self/mountinfo"
#define MOUNTINFO_BYTES_MAX (64UL << 20)

static struct scan mounts_of(const struct doubts *d)
{
    struct doubts_state *state = d->state;

    if (!state->mounts.read)
        file_read_all(NULL, MOUNTINFO, MOUNTINFO_BYTES_MAX, &state->mounts.text,
                      &state->mounts.length);
    state->mounts.read = true;
    return scan_of(state->mounts.text, state->mounts.length);
}

void doubt_mounts_free(struct doubts_state *state)
{
    free(state->mounts.text);
}

const char *doubt_mount(const struct doubts *d, const char *label, const char *value)
{
    bool is_path = value[0] == '/';

    if (strcmp(label, "fstype") == 0)
        return mount_type_hidden(value);
    /* The subject of a check may be another path, where nothing is mounted. */
    if (is_path && (strcmp(label, "mount") == 0 || strcmp(label, "subject") == 0))
        return mount_hidden(mounts_of(d), d->config->server.host_root, value);
    return NULL;
}
