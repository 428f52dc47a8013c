#include "facts/last_known.h"
#include "facts/sources.h"
#include <errno.h>
#include <stdlib.h>

/* Of what says that a reading is unknown: its section, and the objects that it is in. */
#define WHYS_MAX 4

struct remembered {
    struct last_value value;
    uint64_t known_ns; /* 0: never */
    size_t at;         /* in struct snapshot, as the next */
    size_t reasons_at[WHYS_MAX];
    unsigned reason_count;
};

struct last_known {
    size_t count;
    struct remembered *values; /* NULL: they are only counted */
};

static void add_reason(struct remembered *r, size_t base, size_t missing_at)
{
    if (missing_at && r->reason_count < WHYS_MAX)
        r->reasons_at[r->reason_count++] = base + missing_at - 1;
}

static void gather(struct last_known *l, const struct field_table *table, size_t base,
                   struct remembered above)
{
    add_reason(&above, base, table->missing_at);
    for (size_t i = 0; i < table->count; i++) {
        const struct field *f = &table->fields[i];
        struct remembered own = above;

        own.at = base + f->offset;
        add_reason(&own, base, f->missing_at);
        if (f->kind == FIELD_OBJECT)
            gather(l, f->table, own.at, own);
        if (f->kind != FIELD_READING)
            continue;
        if (l->values)
            l->values[l->count] = own;
        l->count++;
    }
}

static void gather_all(struct last_known *l)
{
    l->count = 0;
    for (size_t i = 0; i < snapshot_source_count; i++)
        if (snapshot_sources[i].table)
            gather(l, snapshot_sources[i].table, snapshot_sources[i].at, (struct remembered){0});
}

int last_known_create(struct last_known **ret)
{
    struct last_known *l = calloc(1, sizeof(*l));

    if (!l)
        return -ENOMEM;
    gather_all(l);
    l->values = calloc(l->count + 1, sizeof(*l->values));
    if (!l->values) {
        free(l);
        return -ENOMEM;
    }
    gather_all(l);
    *ret = l;
    return 0;
}

void last_known_destroy(struct last_known *l)
{
    if (!l)
        return;
    free(l->values);
    free(l);
}

static bool is_known(const struct remembered *r, const char *snapshot)
{
    for (unsigned i = 0; i < r->reason_count; i++)
        if (*(const char *const *)(snapshot + r->reasons_at[i]))
            return false;
    return reading_known(*(const struct reading *)(snapshot + r->at));
}

void last_known_update(struct last_known *l, struct snapshot *snapshot, uint64_t now_ns)
{
    for (size_t i = 0; i < l->count; i++) {
        struct remembered *r = &l->values[i];
        struct reading *reading = (struct reading *)((char *)snapshot + r->at);

        reading->last = NULL;
        if (is_known(r, (const char *)snapshot)) {
            r->value.value = reading->value;
            r->known_ns = now_ns;
        } else if (r->known_ns && now_ns - r->known_ns <= LAST_KNOWN_MAX_NS) {
            r->value.age_ns = now_ns - r->known_ns;
            reading->last = &r->value;
        }
    }
}
