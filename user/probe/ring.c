/* Draining the ring buffer and accounting for every record. */
#include "probe/probe_state.h"
#include <bpf/libbpf.h>
#include <errno.h>

/* One drain takes at most this many records, so that a producer that never pauses cannot keep the
 * loop from its other work; what is left makes the fd readable again. */
#define DRAIN_MAX 65536

static int take_record(void *ctx, void *data, size_t size)
{
    struct probe *probe = ctx;
    const struct record_head *record = data;

    if (size >= sizeof(*record) && record->type < RECORD_TYPE_COUNT) {
        probe->consumed[record->type]++;
        if (probe->ops.on_record)
            probe->ops.on_record(probe->ops.ctx, record, size);
    }
    /* libbpf has moved past the record before it stops. */
    return --probe->drain_left ? 0 : -ECANCELED;
}

int ring_open(struct probe *probe)
{
    const struct kernel_map *events = map_find(probe, "events");

    if (!events)
        return -ENOENT;
    probe->ring = ring_buffer__new(events->fd, take_record, probe, NULL);
    return probe->ring ? 0 : -errno;
}

void ring_close(struct probe *probe)
{
    ring_buffer__free(probe->ring);
    probe->ring = NULL;
}

int probe_ring_fd(const struct probe *probe)
{
    return probe->ring ? ring_buffer__epoll_fd(probe->ring) : -1;
}

int probe_drain(struct probe *probe)
{
    int taken;

    if (!probe->ring)
        return 0;
    probe->drain_left = DRAIN_MAX;
    taken = ring_buffer__consume(probe->ring);
    return taken == -ECANCELED ? DRAIN_MAX : taken;
}
