#include "alert/zone.h"
#include "alert/zone_rule.h"
#include "base/cleanup.h"
#include "base/file.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ZONE_BYTES_MAX (64 * 1024)
#define HEAD_BYTES 44
#define COUNTS 6
#define DAY_SECONDS 86400
#define DAY_MINUTES 1440

struct zone {
    size_t transition_count;
    int64_t *at;      /* of the transitions, ascending */
    int32_t *offsets; /* from each of them on */
    int32_t before;   /* the first transition */
    bool has_rule;    /* for the times behind the last */
    struct zone_rule rule;
};

struct cursor {
    const unsigned char *bytes;
    size_t left;
};

/* Big endian, two's complement; the caller has checked that it is there. */
static int64_t number_at(const unsigned char *bytes, size_t size)
{
    uint64_t value = bytes[0] & 0x80 ? UINT64_MAX : 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[i];
    return (int64_t)value;
}

enum { UT_COUNT, STD_COUNT, LEAP_COUNT, TIME_COUNT, TYPE_COUNT, CHAR_COUNT };

static bool read_head(struct cursor *c, size_t counts[COUNTS], char *version)
{
    if (c->left < HEAD_BYTES || memcmp(c->bytes, "TZif", 4) != 0)
        return false;
    *version = (char)c->bytes[4];
    for (size_t i = 0; i < COUNTS; i++) {
        int64_t count = number_at(c->bytes + 20 + 4 * i, 4);

        if (count < 0 || count > ZONE_BYTES_MAX)
            return false;
        counts[i] = (size_t)count;
    }
    c->bytes += HEAD_BYTES;
    c->left -= HEAD_BYTES;
    return true;
}

static size_t block_bytes(const size_t counts[COUNTS], size_t time_size)
{
    return counts[TIME_COUNT] * (time_size + 1) + counts[TYPE_COUNT] * 6 + counts[CHAR_COUNT] +
           counts[LEAP_COUNT] * (time_size + 4) + counts[STD_COUNT] + counts[UT_COUNT];
}

static int read_transitions(struct zone *zone, const struct cursor *c, const size_t counts[COUNTS],
                            size_t time_size)
{
    const unsigned char *indices = c->bytes + counts[TIME_COUNT] * time_size;
    const unsigned char *types = indices + counts[TIME_COUNT];

    if (counts[TYPE_COUNT] == 0)
        return -EINVAL;
    zone->before = (int32_t)number_at(types, 4);
    zone->at = calloc(counts[TIME_COUNT] + 1, sizeof(*zone->at));
    zone->offsets = calloc(counts[TIME_COUNT] + 1, sizeof(*zone->offsets));
    if (!zone->at || !zone->offsets)
        return -ENOMEM;
    for (size_t i = 0; i < counts[TIME_COUNT]; i++) {
        if (indices[i] >= counts[TYPE_COUNT])
            return -EINVAL;
        zone->at[i] = number_at(c->bytes + i * time_size, time_size);
        zone->offsets[i] = (int32_t)number_at(types + indices[i] * 6, 4);
        if (i > 0 && zone->at[i] <= zone->at[i - 1])
            return -EINVAL;
    }
    zone->transition_count = counts[TIME_COUNT];
    return 0;
}

/* "\nRULE\n"; an empty rule says nothing about the time behind the last transition. */
static int read_footer(struct zone *zone, const struct cursor *c)
{
    const unsigned char *end;
    char text[128];
    size_t n;

    if (c->left < 2 || c->bytes[0] != '\n')
        return -EINVAL;
    end = memchr(c->bytes + 1, '\n', c->left - 1);
    if (!end)
        return -EINVAL;
    n = (size_t)(end - c->bytes) - 1;
    if (n == 0)
        return 0;
    if (n >= sizeof(text))
        return -EINVAL;
    memcpy(text, c->bytes + 1, n);
    text[n] = '\0';
    zone->has_rule = zone_rule_parse(&zone->rule, text);
    return zone->has_rule ? 0 : -EINVAL;
}

static int parse(struct zone *zone, struct cursor c)
{
    size_t counts[COUNTS], time_size = 4;
    char version;
    int r;

    if (!read_head(&c, counts, &version) || block_bytes(counts, time_size) > c.left)
        return -EINVAL;
    if (version >= '2') {
        c.bytes += block_bytes(counts, time_size);
        c.left -= block_bytes(counts, time_size);
        time_size = 8;
        if (!read_head(&c, counts, &version) || block_bytes(counts, time_size) > c.left)
            return -EINVAL;
    }
    r = read_transitions(zone, &c, counts, time_size);
    if (r < 0 || time_size == 4)
        return r;
    c.bytes += block_bytes(counts, time_size);
    c.left -= block_bytes(counts, time_size);
    return read_footer(zone, &c);
}

int zone_open(struct zone **ret, const char *path)
{
    CLEANUP_FREE char *content = NULL;
    struct zone *zone;
    size_t len;
    int r = file_read_all(NULL, path, ZONE_BYTES_MAX, &content, &len);

    if (r < 0)
        return r;
    zone = calloc(1, sizeof(*zone));
    if (!zone)
        return -ENOMEM;
    r = parse(zone, (struct cursor){(const unsigned char *)content, len});
    if (r < 0) {
        zone_close(zone);
        return r;
    }
    *ret = zone;
    return 0;
}

void zone_close(struct zone *zone)
{
    if (!zone)
        return;
    free(zone->at);
    free(zone->offsets);
    free(zone);
}

int32_t zone_offset(const struct zone *zone, int64_t at)
{
    size_t low = 0, high;

    if (!zone)
        return 0;
    high = zone->transition_count;
    if (zone->has_rule && (high == 0 || at >= zone->at[high - 1]))
        return zone_rule_offset(&zone->rule, at);
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (zone->at[middle] <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? zone->offsets[low - 1] : zone->before;
}

void zone_wall_clock(const struct zone *zone, int64_t at, unsigned *ret_weekday,
                     unsigned *ret_minute)
{
    int64_t local = at + zone_offset(zone, at);
    int64_t days = local / DAY_SECONDS - (local % DAY_SECONDS < 0);

    /* 1970-01-01 was a Thursday. */
    *ret_weekday = (unsigned)(((days + 3) % 7 + 7) % 7);
    *ret_minute = (unsigned)((local - days * DAY_SECONDS) / 60) % DAY_MINUTES;
}
