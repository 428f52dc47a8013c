#include "collect/cgroup_table.h"
#include "base/array.h"
#include <stdlib.h>
#include <string.h>

struct wanted {
    const char *path;
    size_t len;
};

static int compare(const struct wanted *wanted, const char *path)
{
    int order = strncmp(wanted->path, path, wanted->len);

    return order ? order : -(path[wanted->len] != '\0');
}

static int by_wanted(const void *wanted, const void *entry)
{
    return compare(wanted, ((const struct cgroup_entry *)entry)->path);
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct cgroup_entry *)a)->path, ((const struct cgroup_entry *)b)->path);
}

void *cgroup_table_at(const struct cgroup_table *t, size_t index)
{
    return (char *)t->entries + index * t->size;
}

void *cgroup_table_find(const struct cgroup_table *t, const char *path, size_t len)
{
    const struct wanted wanted = {path, len};
    void *found = t->sorted ? bsearch(&wanted, t->entries, t->sorted, t->size, by_wanted) : NULL;

    for (size_t i = t->sorted; !found && i < t->count; i++)
        if (by_wanted(&wanted, cgroup_table_at(t, i)) == 0)
            found = cgroup_table_at(t, i);
    return found;
}

void *cgroup_table_add(struct cgroup_table *t, const char *path)
{
    struct cgroup_entry *entry;

    if (t->count == CGROUP_TABLE_MAX ||
        !array_grow(&t->entries, &t->capacity, t->count + 1, t->size))
        return NULL;
    entry = cgroup_table_at(t, t->count);
    memset(entry, 0, t->size);
    entry->path = strdup(path);
    if (!entry->path)
        return NULL;
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
    t->count = t->sorted = kept;
    if (kept)
        qsort(t->entries, kept, t->size, by_path);
}

void cgroup_table_free(struct cgroup_table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(((struct cgroup_entry *)cgroup_table_at(t, i))->path);
    free(t->entries);
}
