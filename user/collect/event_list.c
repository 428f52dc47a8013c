#include "collect/event_list.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int event_list_open(struct event_list *l, size_t row_bytes, size_t capacity)
{
    *l = (struct event_list){.row_bytes = row_bytes, .capacity = capacity};
    l->rows = calloc(capacity, row_bytes);
    l->pending = calloc(capacity, row_bytes);
    if (l->rows && l->pending)
        return 0;
    event_list_close(l);
    return -ENOMEM;
}

void event_list_close(struct event_list *l)
{
    free(l->rows);
    free(l->pending);
    *l = (struct event_list){0};
}

void *event_list_add(struct event_list *l)
{
    void *row = l->pending + l->arrived++ % l->capacity * l->row_bytes;

    return memset(row, 0, l->row_bytes);
}

void *event_list_row(const struct event_list *l, size_t index)
{
    return l->rows + index * l->row_bytes;
}

size_t event_list_publish(struct event_list *l)
{
    size_t fresh = l->arrived < l->capacity ? l->arrived : l->capacity;
    size_t kept = l->count < l->capacity - fresh ? l->count : l->capacity - fresh;

    if (!fresh)
        return 0;
    memmove(event_list_row(l, fresh), l->rows, kept * l->row_bytes);
    for (size_t i = 0; i < fresh; i++)
        memcpy(event_list_row(l, i), l->pending + (l->arrived - 1 - i) % l->capacity * l->row_bytes,
               l->row_bytes);
    l->count = kept + fresh;
    l->arrived = 0;
    return fresh;
}
