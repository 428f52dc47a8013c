#include "collect/block_devices.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/scan.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* More than a controller has ports. */
#define ROWS_MAX 1024
/* Devices looked at, with and without capacity. */
#define STATES_MAX 8192
/* A device's capacity (0: nothing behind it) is looked up this often. */
#define CAPACITY_EVERY_NS (30 * NS_PER_SECOND)
/* diskstats counts in sectors of 512 bytes whatever the device's own sector size is. */
#define SECTOR_BYTES 512
#define MINOR_BITS 20

/* The columns of Documentation/admin-guide/iostats.rst that every kernel has. */
enum column {
    READS,
    READS_MERGED,
    SECTORS_READ,
    READ_MS,
    WRITES,
    WRITES_MERGED,
    SECTORS_WRITTEN,
    WRITE_MS,
    IN_FLIGHT,
    IO_MS,
    WEIGHTED_MS,
    COLUMN_COUNT,
};

struct device_state {
    char name[sizeof(((struct block_device *)0)->name)];
    uint32_t device;
    bool listed; /* by this sample */
    bool has_capacity, physical;
    bool sampled;
    uint64_t io_ms;    /* as last read: an unsigned int in the kernel, it wraps after 49 days */
    double io_seconds; /* without the wraps */
    uint64_t capacity_due_ns, sampled_ns;
};

struct block_devices {
    const struct host *host;
    struct proc_file diskstats;
    char *buffer;
    size_t capacity;
    struct device_state *states; /* mostly in the file's order */
    size_t state_count, state_capacity;
    struct block_device *rows;
    size_t row_capacity;
    char reason[96];
};

/* Partitions follow their disk and are named after it: sda1, and nvme0n1p1 where the disk's name
 * ends in a digit (the kernel's disk_name()). */
static bool is_partition(const struct scan *name, const struct scan *disk)
{
    struct scan rest = *name, word = *disk;
    uint64_t number;
    char last;

    if (scan_len(disk) == 0 || scan_len(name) <= scan_len(disk) ||
        memcmp(name->at, disk->at, scan_len(disk)) != 0)
        return false;
    last = word.end[-1];
    rest.at += scan_len(disk);
    if (last >= '0' && last <= '9' && !scan_skip(&rest, "p"))
        return false;
    return scan_is_u64(&rest, &number);
}

static bool is_ram_disk(struct scan name)
{
    uint64_t number;

    return scan_skip(&name, "ram") && scan_is_u64(&name, &number);
}

static void look_up(const struct block_devices *d, struct device_state *state)
{
    char directory[sizeof(state->name)], relative[128], path[PATH_MAX];
    unsigned long long sectors;
    int len;

    /* "cciss/c0d0" is a directory name in sysfs. */
    memcpy(directory, state->name, sizeof(directory));
    for (char *p = directory; *p; p++)
        if (*p == '/')
            *p = '!';
    snprintf(relative, sizeof(relative), "block/%s/size", directory);
    state->has_capacity = file_read_u64(d->host->sys, relative, &sectors) != 0 || sectors > 0;
    len = snprintf(path, sizeof(path), "%s/block/%s/device", d->host->sys, directory);
    state->physical = len > 0 && (size_t)len < sizeof(path) && access(path, F_OK) == 0;
}

/* `*cursor` is behind the last one found: the file keeps its order. NULL when there are too many,
 * or no memory. */
static struct device_state *find_state(struct block_devices *d, uint32_t device,
                                       const struct scan *name, size_t *cursor)
{
    struct device_state *state = NULL;

    for (size_t i = 0; i < d->state_count && !state; i++) {
        size_t at = (*cursor + i) % d->state_count;

        if (d->states[at].device == device) {
            state = &d->states[at];
            *cursor = at + 1;
        }
    }
    if (state && scan_is(name, state->name))
        return state;
    if (!state) {
        if (d->state_count == STATES_MAX ||
            !ARRAY_GROW(d->states, d->state_capacity, d->state_count + 1))
            return NULL;
        state = &d->states[d->state_count++];
        *cursor = d->state_count;
    }
    /* New, or another device under a number that was free again. */
    *state = (struct device_state){.device = device};
    scan_copy(name, state->name, sizeof(state->name));
    return state;
}

static uint64_t io_ms_passed(const struct device_state *state, uint64_t io_ms)
{
    if (io_ms >= state->io_ms)
        return io_ms - state->io_ms;
    /* The kernel's counter wrapped; a fall from the lower half is a counter that began anew. */
    return state->io_ms > UINT32_MAX / 2 ? io_ms + (1ULL << 32) - state->io_ms : 0;
}

static void fill_busy(struct device_state *state, uint64_t io_ms, uint64_t now_ns,
                      struct block_device *row)
{
    double passed_ms = (double)(now_ns - state->sampled_ns) / NS_PER_MS;
    uint64_t busy_ms = state->sampled ? io_ms_passed(state, io_ms) : io_ms;

    if (!state->sampled)
        row->busy_percent = reading_missing("needs two samples");
    else if (passed_ms <= 0)
        row->busy_percent = reading_missing("no time passed since the sample before");
    else
        row->busy_percent =
            reading_of((double)busy_ms < passed_ms ? 100.0 * (double)busy_ms / passed_ms : 100.0);
    state->io_seconds += (double)busy_ms / 1e3;
    state->io_ms = io_ms;
    state->sampled_ns = now_ns;
    state->sampled = true;
    row->io_seconds_total = state->io_seconds;
}

static void fill_row(struct device_state *state, const uint64_t *columns, uint64_t now_ns,
                     struct block_device *row)
{
    memcpy(row->name, state->name, sizeof(row->name));
    row->device = state->device;
    row->physical = state->physical;
    row->reads_total = (double)columns[READS];
    row->writes_total = (double)columns[WRITES];
    row->read_bytes_total = (double)columns[SECTORS_READ] * SECTOR_BYTES;
    row->written_bytes_total = (double)columns[SECTORS_WRITTEN] * SECTOR_BYTES;
    /* Drivers that lose count show it as a huge number. */
    row->in_flight = columns[IN_FLIGHT] > INT32_MAX
                         ? reading_missing("the driver's count is out of step")
                         : reading_of((double)columns[IN_FLIGHT]);
    row->traced = false;
    fill_busy(state, columns[IO_MS], now_ns, row);
}

/* MAJOR MINOR NAME COLUMNS... */
static bool parse_line(struct scan *line, uint32_t *ret_device, struct scan *ret_name,
                       uint64_t columns[COLUMN_COUNT])
{
    uint64_t major, minor;

    if (!scan_u64(line, &major) || !scan_u64(line, &minor) || major >= 1u << (32 - MINOR_BITS) ||
        minor >= 1u << MINOR_BITS || !scan_word(line, ret_name))
        return false;
    for (int i = 0; i < COLUMN_COUNT; i++)
        if (!scan_u64(line, &columns[i]))
            return false;
    *ret_device = (uint32_t)(major << MINOR_BITS | minor);
    return true;
}

/* Devices without capacity need no row, but a state: it spares asking each time. */
static size_t parse(struct block_devices *d, struct scan file, uint64_t now_ns, size_t *ret_omitted)
{
    uint64_t columns[COLUMN_COUNT];
    struct scan line, name, disk = {NULL, NULL};
    size_t count = 0, cursor = 0;
    uint32_t device = 0;

    while (scan_line(&file, &line)) {
        struct device_state *state;

        if (!parse_line(&line, &device, &name, columns) || is_ram_disk(name) ||
            is_partition(&name, &disk))
            continue;
        disk = name;
        state = find_state(d, device, &name, &cursor);
        if (!state) {
            (*ret_omitted)++;
            continue;
        }
        state->listed = true;
        if (now_ns >= state->capacity_due_ns) {
            look_up(d, state);
            state->capacity_due_ns = now_ns + CAPACITY_EVERY_NS;
        }
        if (!state->has_capacity)
            continue;
        if (ARRAY_GROW(d->rows, d->row_capacity, count + 1))
            fill_row(state, columns, now_ns, &d->rows[count++]);
        else
            (*ret_omitted)++;
    }
    return count;
}

static int by_rank(const void *a, const void *b)
{
    const struct block_device *x = a, *y = b;
    double x_bytes = x->read_bytes_total + x->written_bytes_total;
    double y_bytes = y->read_bytes_total + y->written_bytes_total;

    if (x->physical != y->physical)
        return x->physical ? -1 : 1;
    if (x_bytes != y_bytes)
        return x_bytes > y_bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void forget_unlisted(struct block_devices *d)
{
    for (size_t i = d->state_count; i-- > 0;) {
        if (!d->states[i].listed)
            d->states[i] = d->states[--d->state_count];
        else
            d->states[i].listed = false;
    }
}

struct block_device *block_devices_sample(struct block_devices *d, uint64_t now_ns,
                                          struct disk_snapshot *disk)
{
    ssize_t len = proc_file_read(&d->diskstats, &d->buffer, &d->capacity);

    disk->devices_missing = NULL;
    disk->device_count = 0;
    disk->devices_omitted = 0;
    if (len >= 0) {
        size_t count = parse(d, scan_of(d->buffer, (size_t)len), now_ns, &disk->devices_omitted);

        forget_unlisted(d);
        if (count > 1)
            qsort(d->rows, count, sizeof(*d->rows), by_rank);
        disk->device_count = count < ROWS_MAX ? count : ROWS_MAX;
        disk->devices_omitted += count - disk->device_count;
        if (count == 0)
            disk->devices_missing = "no block device with capacity in /proc/diskstats";
    } else if (len == -ENODATA) {
        disk->devices_missing = "the host has no block device";
    } else {
        snprintf(d->reason, sizeof(d->reason), "/proc/diskstats: %s", strerror((int)-len));
        disk->devices_missing = d->reason;
    }
    disk->devices = d->rows;
    return d->rows;
}

int block_devices_create(struct block_devices **ret, const struct host *host)
{
    struct block_devices *d = calloc(1, sizeof(*d));

    if (!d)
        return -ENOMEM;
    d->host = host;
    proc_file_open(&d->diskstats, host->proc, "diskstats");
    *ret = d;
    return 0;
}

void block_devices_destroy(struct block_devices *d)
{
    if (!d)
        return;
    proc_file_close(&d->diskstats);
    free(d->buffer);
    free(d->rows);
    free(d->states);
    free(d);
}
