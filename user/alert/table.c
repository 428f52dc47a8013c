#include "alert/table.h"
#include <errno.h>
#include <stdlib.h>

#define CAPACITY_FIRST 64

static int grow(struct table *table)
{
    size_t capacity = table->capacity ? 2 * table->capacity : CAPACITY_FIRST;
    struct table_node **buckets = calloc(capacity, sizeof(struct table_node *));

    if (!buckets)
        return -ENOMEM;
    for (size_t i = 0; i < table->capacity; i++) {
        while (table->buckets[i]) {
            struct table_node *node = table->buckets[i];

            table->buckets[i] = node->next;
            node->next = buckets[node->key & (capacity - 1)];
            buckets[node->key & (capacity - 1)] = node;
        }
    }
    free(table->buckets);
    table->buckets = buckets;
    table->capacity = capacity;
    return 0;
}

int table_add(struct table *table, struct table_node *node)
{
    struct table_node **bucket;

    if (table->count >= table->capacity && grow(table) < 0 && table->capacity == 0)
        return -ENOMEM;
    bucket = &table->buckets[node->key & (table->capacity - 1)];
    node->next = *bucket;
    *bucket = node;
    table->count++;
    return 0;
}

void table_remove(struct table *table, struct table_node *node)
{
    struct table_node **at = &table->buckets[node->key & (table->capacity - 1)];

    while (*at && *at != node)
        at = &(*at)->next;
    if (*at) {
        *at = node->next;
        table->count--;
    }
}

struct table_node *table_bucket(const struct table *table, uint64_t key)
{
    return table->capacity ? table->buckets[key & (table->capacity - 1)] : NULL;
}

void table_free(struct table *table)
{
    free(table->buckets);
    *table = (struct table){0};
}
