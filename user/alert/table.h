/* A hash table of nodes that stand inside their owners. Inside this layer only. */
#ifndef MOONWATCH_ALERT_TABLE_H
#define MOONWATCH_ALERT_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_node {
    uint64_t key; /* a good hash already */
    struct table_node *next;
};

/* All zero is empty. */
struct table {
    struct table_node **buckets;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

/* -ENOMEM only while there is no bucket at all: later it just gets slower. */
int table_add(struct table *table, struct table_node *node);
void table_remove(struct table *table, struct table_node *node);
/* The first node of the key's bucket; go on with `next` and compare the keys. */
struct table_node *table_bucket(const struct table *table, uint64_t key);
void table_free(struct table *table); /* the buckets, not the nodes */

#endif
