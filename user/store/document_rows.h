/* A JSON document as rows of the outbox's database, of which a save writes those that differ.
 * Inside this layer only.
 *
 * Each element of a list, of the document or of an object in it, is a row; what is left is one
 * more. Elements with an "id" keep their place when they change; without one a change is a new
 * element. Rows are in the order of their lists, so a list that grows at its end costs what is new.
 *
 * For the outbox's thread.
 */
#ifndef MOONWATCH_STORE_DOCUMENT_ROWS_H
#define MOONWATCH_STORE_DOCUMENT_ROWS_H

#include "store/outbox_store.h"
#include <cjson/cJSON.h>

struct document_row {
    uint64_t id, text; /* hashes; id 0: none */
    int64_t place;
    bool used; /* by the save that is under way */
};

/* What the database has, by id. All zero is none. */
struct document_index {
    struct document_row *rows;
    size_t count, capacity;
};

struct document_rows {
    struct document_index now, next; /* `next` when the save that is under way is on the disk */
    int64_t last_place;
    bool saving;
};

void document_rows_free(struct document_rows *rows);

/* -ENOENT: there is none; -EBADMSG: it is no document. Either way what is there is known then. */
int document_rows_load(struct document_rows *rows, struct outbox_store *store, cJSON **ret);
/* In a transaction, followed by one of the other two. `keep_old`: what is there is not replaced but
 * set aside, in place of what was before. `ret_bytes`: what was written. */
int document_rows_save(struct document_rows *rows, struct outbox_store *store, const cJSON *json,
                       bool keep_old, uint64_t *ret_bytes);
void document_rows_commit(struct document_rows *rows);
void document_rows_rollback(struct document_rows *rows);

#endif
