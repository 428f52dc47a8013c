#include "collect/interfaces.h"
#include "base/clock.h"
#include "base/hash.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int reserve_one(struct interfaces *s)
{
    size_t capacity = s->capacity ? s->capacity * 2 : 8;
    struct interface *rows;

    if (s->count < s->capacity)
        return 0;
    rows = reallocarray(s->rows, capacity, sizeof(*rows));
    if (!rows)
        return -ENOMEM;
    s->rows = rows;
    rows = reallocarray(s->before, capacity, sizeof(*rows));
    if (!rows)
        return -ENOMEM;
    s->before = rows;
    rows = reallocarray(s->ranked, capacity, sizeof(*rows));
    if (!rows)
        return -ENOMEM;
    s->ranked = rows;
    s->capacity = capacity;
    return 0;
}

/* "  NAME: 8 counters received, 8 counters sent"; the blank after the colon may be missing, and no
 * name has a colon in it. */
static bool parse_row(struct scan line, struct interface *ret)
{
    const char *colon = memchr(line.at, ':', scan_len(&line));
    struct scan name, before_colon;
    uint64_t value[16];

    if (!colon)
        return false;
    before_colon = (struct scan){.at = line.at, .end = colon};
    line.at = colon + 1;
    if (!scan_word(&before_colon, &name))
        return false;
    for (size_t i = 0; i < sizeof(value) / sizeof(value[0]); i++)
        if (!scan_u64(&line, &value[i]))
            return false;
    scan_copy(&name, ret->name, sizeof(ret->name));
    ret->received_bytes_total = (double)value[0];
    ret->received_packets_total = (double)value[1];
    ret->receive_errors_total = (double)value[2];
    ret->receive_drops_total = (double)value[3];
    ret->sent_bytes_total = (double)value[8];
    ret->sent_packets_total = (double)value[9];
    ret->send_errors_total = (double)value[10];
    ret->send_drops_total = (double)value[11];
    return true;
}

static uint64_t hash_of(const struct interface *row)
{
    return fnv_string(FNV_START, row->name);
}

static int place_before(struct interfaces *s)
{
    if (s->placed)
        return 0;
    if (!places_reset(&s->places, s->before_count))
        return -ENOMEM;
    for (size_t i = 0; i < s->before_count; i++)
        places_add(&s->places, hash_of(&s->before[i]), i);
    s->placed = true;
    return 0;
}

/* The file keeps its order, so it is nearly always behind the one before it. `ret` is NULL for a
 * new one. */
static int find_before(struct interfaces *s, const struct interface *row,
                       const struct interface **ret)
{
    size_t step, at = s->cursor;
    int err;

    *ret = NULL;
    if (at >= s->before_count || strcmp(s->before[at].name, row->name) != 0) {
        err = place_before(s);
        if (err < 0)
            return err;
        step = places_begin(&s->places, hash_of(row));
        do
            at = places_next(&s->places, &step);
        while (at != PLACES_END && strcmp(s->before[at].name, row->name) != 0);
        if (at == PLACES_END)
            return 0;
    }
    s->cursor = at + 1;
    *ret = &s->before[at];
    return 0;
}

static struct reading rate(double now, double before, uint64_t elapsed_ns)
{
    if (!elapsed_ns)
        return reading_missing("no time passed since the sample before");
    if (now < before)
        return reading_missing("the counter began anew");
    return reading_of((now - before) * (double)NS_PER_SECOND / (double)elapsed_ns);
}

static void set_rates(struct interface *row, const struct interface *before, uint64_t elapsed_ns)
{
    if (!before) {
        row->received_bytes_per_second = reading_missing("needs two samples");
        row->sent_bytes_per_second = reading_missing("needs two samples");
        return;
    }
    row->received_bytes_per_second =
        rate(row->received_bytes_total, before->received_bytes_total, elapsed_ns);
    row->sent_bytes_per_second = rate(row->sent_bytes_total, before->sent_bytes_total, elapsed_ns);
}

static bool is_physical(const char *sys, const char *name)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof(path), "%s/class/net/%s/device", sys, name);

    return len > 0 && (size_t)len < sizeof(path) && access(path, F_OK) == 0;
}

static int by_rank(const void *a, const void *b)
{
    const struct interface *x = a, *y = b;
    double x_bytes = x->received_bytes_total + x->sent_bytes_total;
    double y_bytes = y->received_bytes_total + y->sent_bytes_total;

    if (x->physical != y->physical)
        return x->physical ? -1 : 1;
    if (x_bytes != y_bytes)
        return x_bytes > y_bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

int interfaces_update(struct interfaces *s, const char *sys, struct scan file, uint64_t now_ns)
{
    uint64_t elapsed_ns = now_ns - s->sampled_ns;
    struct interface *swap = s->before, *row;
    const struct interface *before;
    struct scan line;

    s->before = s->rows;
    s->before_count = s->count;
    s->rows = swap;
    s->count = 0;
    s->placed = false;
    s->cursor = 0;
    s->sampled_ns = now_ns;
    while (scan_line(&file, &line)) {
        if (reserve_one(s) < 0)
            goto out_of_memory;
        row = &s->rows[s->count];
        if (!parse_row(line, row))
            continue;
        if (find_before(s, row, &before) < 0)
            goto out_of_memory;
        row->physical = before ? before->physical : is_physical(sys, row->name);
        set_rates(row, before, elapsed_ns);
        s->count++;
    }
    if (!s->count)
        return -EBADMSG;
    memcpy(s->ranked, s->rows, s->count * sizeof(*s->rows));
    qsort(s->ranked, s->count, sizeof(*s->ranked), by_rank);
    return 0;

out_of_memory:
    interfaces_forget(s);
    return -ENOMEM;
}

void interfaces_forget(struct interfaces *s)
{
    s->count = 0;
    s->before_count = 0;
}

void interfaces_free(struct interfaces *s)
{
    free(s->rows);
    free(s->before);
    free(s->ranked);
    places_free(&s->places);
    *s = (struct interfaces){0};
}
