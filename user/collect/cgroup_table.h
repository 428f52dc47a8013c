/* What a collector keeps of each cgroup that its rounds find. */
#ifndef MOONWATCH_COLLECT_CGROUP_TABLE_H
#define MOONWATCH_COLLECT_CGROUP_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#define CGROUP_TABLE_MAX 4096

/* The first member of each entry. */
struct cgroup_entry {
    char *path; /* owned */
    bool seen;  /* by the round under way; set by whoever finds it */
};

/* Zeroed but for `size`. */
struct cgroup_table {
    size_t size; /* of an entry */
    void *entries;
    size_t count, capacity; /* by path */
};

/* By the first `len` bytes of a path; NULL: there is none. */
void *cgroup_table_find(const struct cgroup_table *table, const char *path, size_t len);
/* One that is not there yet, zeroed but for its path. NULL: no room or no memory. Entries move. */
void *cgroup_table_add(struct cgroup_table *table, const char *path);
void *cgroup_table_at(const struct cgroup_table *table, size_t index);

void cgroup_table_begin_round(struct cgroup_table *table);
/* Forgets those that were not seen. */
void cgroup_table_end_round(struct cgroup_table *table);
void cgroup_table_free(struct cgroup_table *table);

#endif
