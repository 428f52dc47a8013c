#include "collect/cgroup_table.h"
#include "base/array.h"
#include <stdlib.h>
#include <string.h>

void *cgroup_table_at(const struct cgroup_table *t, size_t index)
{
    return (char *)t->entries + index * t->size;
}

static const char *path_at(const struct cgroup_table *t, size_t index)
{
    return ((const struct cgroup_entry *)cgroup_table_at(t, index))->path;
}

static int compare(const char *path, size_t len, const char *other)
{
    int order = strncmp(path, other, len);

    return order ? order : -(other[len] != '\0');
}

/* Where it is, or would be. */
static size_t place_of(const struct cgroup_table *t, const char *path, size_t len, bool *ret_there)
{
    size_t from = 0, to = t->count;

    *ret_there = false;
    while (from < to && !*ret_there) {
        size_t middle = from + (to - from) / 2;
        int order = compare(path, len, path_at(t, middle));

        if (order > 0)
            from = middle + 1;
        else
            to = middle;
        *ret_there = order == 0;
    }
    return to;
}

void *cgroup_table_find(const struct cgroup_table *t, const char *path, size_t len)
{
    bool there;
    size_t at = place_of(t, path, len, &there);

    return there ? cgroup_table_at(t, at) : NULL;
}

void *cgroup_table_add(struct cgroup_table *t, const char *path)
{
    bool there;
    size_t at = place_of(t, path, strlen(path), &there);
    struct cgroup_entry *entry;
    char *copy;

    if (t->count == CGROUP_TABLE_MAX ||
        !array_grow(&t->entries, &t->capacity, t->count + 1, t->size))
        return NULL;
    copy = strdup(path);
    if (!copy)
        return NULL;
    entry = cgroup_table_at(t, at);
    memmove((char *)entry + t->size, entry, (t->count - at) * t->size);
    memset(entry, 0, t->size);
    entry->path = copy;
    t->count++;
    return entry;
}

void cgroup_table_begin_round(struct cgroup_table *t)
{
    for (size_t i = 0; i < t->count; i++)
        ((struct cgroup_entry *)cgroup_table_at(t, i))->seen = false;
}

void cgroup_table_end_round(struct cgroup_table *t)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->count; i++) {
        struct cgroup_entry *entry = cgroup_table_at(t, i);

        if (!entry->seen)
            free(entry->path);
        else
            memmove(cgroup_table_at(t, kept++), entry, t->size);
    }
    t->count = kept;
}

void cgroup_table_free(struct cgroup_table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(((struct cgroup_entry *)cgroup_table_at(t, i))->path);
    free(t->entries);
}
