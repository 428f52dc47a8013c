/* The newest events of one kind, newest first. Events arrive between two ticks and show with the
 * next one: what the snapshot points to stands still in between.
 */
#ifndef MOONWATCH_COLLECT_EVENT_LIST_H
#define MOONWATCH_COLLECT_EVENT_LIST_H

#include <stddef.h>

struct event_list {
    size_t row_bytes, capacity;
    size_t count;  /* of rows shown */
    char *rows;    /* newest first */
    char *pending; /* ring of the newest that arrived, `capacity` rows */
    size_t arrived;
};

int event_list_open(struct event_list *list, size_t row_bytes, size_t capacity);
void event_list_close(struct event_list *list);

/* A zeroed row to fill; the oldest waiting one gives way when there are too many. */
void *event_list_add(struct event_list *list);
/* Shows what arrived; returns how many rows at the front are new. */
size_t event_list_publish(struct event_list *list);
void *event_list_row(const struct event_list *list, size_t index);

#endif
