/* The newest events of one kind, newest first. Events arrive between two ticks and show with the
 * next one: what the snapshot points to stands still in between. What arrived between two ticks is
 * shown whole once, be it more than is kept, so that who counts events misses none.
 */
#ifndef MOONWATCH_COLLECT_EVENT_LIST_H
#define MOONWATCH_COLLECT_EVENT_LIST_H

#include <stddef.h>
#include <stdint.h>

/* For events that are counted; of more the oldest are lost, and the gap in their numbers tells. A
 * few MiB in a storm, given back after it. */
#define EVENT_BURST_MAX 4096

struct event_list {
    size_t row_bytes, capacity, burst;
    uint64_t total; /* that ever arrived */
    size_t count;   /* of rows shown: at most `capacity`, or `fresh` */
    size_t fresh;   /* of them, at the front, that the last publication made new */
    char *rows;     /* newest first */
    size_t row_room;
    char *pending; /* ring of the newest that arrived */
    size_t pending_room;
    size_t arrived;
};

/* `burst`: of how many that arrive between two ticks none is lost; `capacity` at least. */
int event_list_open(struct event_list *list, size_t row_bytes, size_t capacity, size_t burst);
void event_list_close(struct event_list *list);

/* A zeroed row to fill; its number is `total` then, from 1. The oldest waiting one gives way when
 * there are too many. */
void *event_list_add(struct event_list *list);
/* Shows what arrived; returns how many rows at the front are new. */
size_t event_list_publish(struct event_list *list);
void *event_list_row(const struct event_list *list, size_t index);

#endif
