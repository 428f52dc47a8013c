/* The outbox's database, for one thread. Inside this layer only.
 *
 * Errors: -EUCLEAN, the database is damaged; -ENOSPC, the disk or the allowance is full; -EROFS,
 * -EACCES, -EBUSY, -EIO, -ENOMEM as their names say.
 */
#ifndef MOONWATCH_STORE_OUTBOX_STORE_H
#define MOONWATCH_STORE_OUTBOX_STORE_H

#include "store/outbox.h"
#include "store/sqlite_library.h"

struct outbox_store;

/* Makes the database if there is none. `max_bytes` bounds it. With -EUCLEAN too there is a store,
 * of which what can be read can be read whole. */
int outbox_store_open(struct outbox_store **ret, const struct sqlite_library *library,
                      const char *path, uint64_t max_bytes);
void outbox_store_close(struct outbox_store *store);              /* NULL is fine */
const char *outbox_store_error(const struct outbox_store *store); /* of the last call, for people */

/* False: the path leads to nothing, or to another file: what is stored survives no end. */
bool outbox_store_is_there(const struct outbox_store *store);

int outbox_store_begin(struct outbox_store *store);
int outbox_store_commit(struct outbox_store *store);
void outbox_store_rollback(struct outbox_store *store);

/* `*ret_new` is false when the key is there for the channel already: it stays as it is. */
int outbox_store_put(struct outbox_store *store, const struct outbox_entry *entry, bool *ret_new);
int outbox_store_remove(struct outbox_store *store, const char *channel, const char *key);
int outbox_store_remove_up_to(struct outbox_store *store, const char *channel, const char *key);
int outbox_store_retry(struct outbox_store *store, const char *channel, const char *key,
                       uint64_t next_attempt_ns);
/* The body, to be freed. -ENOENT: there is no such row. */
int outbox_store_fetch(struct outbox_store *store, const char *channel, const char *key,
                       char **ret_body, size_t *ret_bytes);
/* Oldest first; of bodies, but those of notes, the head alone unless `whole`. A negative return of
 * `fn` ends it and is returned. */
int outbox_store_each(struct outbox_store *store, bool whole,
                      int (*fn)(void *ctx, const struct outbox_entry *entry), void *ctx);

/* Rows of store/document_rows.h, in order of their places. They have room when messages have none.
 */
int outbox_store_put_row(struct outbox_store *store, int64_t place, const char *list,
                         const char *text, size_t bytes);
int outbox_store_remove_row(struct outbox_store *store, int64_t place);
int outbox_store_each_row(struct outbox_store *store,
                          int (*fn)(void *ctx, int64_t place, const char *list, const char *text,
                                    size_t bytes),
                          void *ctx);
/* All of them into a table of their own, in place of what was there. */
int outbox_store_set_rows_aside(struct outbox_store *store);
/* Whether messages may take room, or rows alone. */
void outbox_store_reserve(struct outbox_store *store, bool for_rows);
/* What had room in a database before has it in this one, until outbox_store_reserve(). */
void outbox_store_lift(struct outbox_store *store);

#endif
