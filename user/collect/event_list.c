#include "collect/event_list.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int event_list_open(struct event_list *l, size_t row_bytes, size_t capacity, size_t burst)
{
    *l = (struct event_list){
        .row_bytes = row_bytes,
        .capacity = capacity,
        .burst = burst,
        .row_room = capacity,
        .pending_room = capacity,
    };
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

/* Without the memory the room stays as it is. */
static void resize(const struct event_list *l, char **rows, size_t *room, size_t wanted)
{
    char *resized = *room == wanted ? NULL : reallocarray(*rows, wanted, l->row_bytes);

    if (!resized)
        return;
    *rows = resized;
    *room = wanted;
}

void *event_list_add(struct event_list *l)
{
    void *row;

    /* Only before it has begun to wrap round. */
    if (l->arrived == l->pending_room && l->pending_room < l->burst)
        resize(l, &l->pending, &l->pending_room,
               2 * l->pending_room < l->burst ? 2 * l->pending_room : l->burst);
    row = l->pending + l->arrived++ % l->pending_room * l->row_bytes;
    l->total++;
    return memset(row, 0, l->row_bytes);
}

void *event_list_row(const struct event_list *l, size_t index)
{
    return l->rows + index * l->row_bytes;
}

size_t event_list_publish(struct event_list *l)
{
    size_t fresh = l->arrived < l->pending_room ? l->arrived : l->pending_room, kept;

    l->fresh = 0;
    if (l->count > l->capacity)
        l->count = l->capacity;
    if (!fresh)
        return 0;
    resize(l, &l->rows, &l->row_room, fresh > l->capacity ? fresh : l->capacity);
    if (fresh > l->row_room)
        fresh = l->row_room;
    kept = fresh >= l->capacity             ? 0
           : l->count < l->capacity - fresh ? l->count
                                            : l->capacity - fresh;
    memmove(event_list_row(l, fresh), l->rows, kept * l->row_bytes);
    for (size_t i = 0; i < fresh; i++)
        memcpy(event_list_row(l, i),
               l->pending + (l->arrived - 1 - i) % l->pending_room * l->row_bytes, l->row_bytes);
    l->count = kept + fresh;
    l->fresh = fresh;
    l->arrived = 0;
    resize(l, &l->pending, &l->pending_room, l->capacity);
    return fresh;
}
