#include "facts/alert_check.h"
#include "alert/alert.h"
#include "base/file.h"
#include "collect/mount_choice.h"
#include "facts/need.h"
#include "health/health.h"
#include <stdlib.h>
#include <string.h>

#define MOUNTINFO "/proc/self/mountinfo"
#define MOUNTINFO_BYTES_MAX (64UL << 20)

struct mounts {
    const char *host_root;
    bool read; /* when the first one is asked for */
    char *text;
    size_t length;
};

static struct scan list_of(struct mounts *mounts)
{
    if (!mounts->read)
        file_read_all(NULL, MOUNTINFO, MOUNTINFO_BYTES_MAX, &mounts->text, &mounts->length);
    mounts->read = true;
    return scan_of(mounts->text, mounts->length);
}

/* Filesystems that are never looked at. */
static const char *mount_never_told(void *ctx, const char *label, const char *value)
{
    struct mounts *mounts = ctx;
    bool is_path = value[0] == '/';

    if (strcmp(label, "fstype") == 0)
        return mount_type_hidden(value);
    /* The subject of a check may be another path, where nothing is mounted. */
    if (is_path && (strcmp(label, "mount") == 0 || strcmp(label, "subject") == 0))
        return mount_hidden(list_of(mounts), mounts->host_root, value);
    return NULL;
}

int facts_alert_check(const struct config *config, struct config_errors *errors)
{
    struct mounts mounts = {.host_root = config->server.host_root};
    const struct alert_known known = {.check_name = health_check_name,
                                      .need_missing = need_missing,
                                      .value_hidden = mount_never_told,
                                      .ctx = &mounts};
    int r = alert_check(config, &known, errors);

    free(mounts.text);
    return r;
}
