/* The disk section: filesystems, block devices, and what the block probe saw of these. */
#include "collect/blkio.h"
#include "collect/block_devices.h"
#include "collect/collector.h"
#include "collect/filesystems.h"

struct disk_state {
    struct filesystems *filesystems;
    struct block_devices *devices;
    struct blkio *blkio;
};

static void disk_close(void *state)
{
    struct disk_state *s = state;

    filesystems_destroy(s->filesystems);
    block_devices_destroy(s->devices);
    blkio_destroy(s->blkio);
}

static int disk_open(void *state, const struct collector_env *env)
{
    struct disk_state *s = state;
    int err = filesystems_create(&s->filesystems, env->host, NULL);

    if (!err)
        err = block_devices_create(&s->devices, env->host);
    if (!err)
        err = blkio_create(&s->blkio, env->probe);
    if (err)
        disk_close(s);
    return err;
}

static void disk_sample(void *state, uint64_t now_ns, struct snapshot *snapshot)
{
    struct disk_state *s = state;
    struct disk_snapshot *disk = &snapshot->disk;
    struct block_device *rows;

    filesystems_sample(s->filesystems, now_ns, disk);
    rows = block_devices_sample(s->devices, now_ns, disk);
    blkio_sample(s->blkio, now_ns, rows, disk->device_count, disk);
}

const struct collector disk_collector = {
    .name = "disk",
    .state_size = sizeof(struct disk_state),
    .open = disk_open,
    .sample = disk_sample,
    .close = disk_close,
};
