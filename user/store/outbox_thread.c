#include "base/clock.h"
#include "base/file.h"
#include "store/outbox_files.h"
#include "store/outbox_state.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* How long the thread waits before it tries a database again that could not be opened. */
#define REOPEN_SECONDS 5

static void set_error(struct outbox *outbox, const char *what, const char *why)
{
    pthread_mutex_lock(&outbox->lock);
    snprintf(outbox->view.error, sizeof(outbox->view.error), "%s%s%s", what, *what ? ": " : "",
             why);
    pthread_mutex_unlock(&outbox->lock);
}

static void close_store(struct outbox *outbox)
{
    outbox_store_close(outbox->store);
    outbox->store = NULL;
    pthread_mutex_lock(&outbox->lock);
    outbox->view.open = false;
    pthread_mutex_unlock(&outbox->lock);
}

static int move_aside(struct outbox *outbox)
{
    char moved_to[sizeof(outbox->view.moved_to)];
    int r = outbox_files_move_aside(outbox->path, clock_realtime_ns(clock_system()), moved_to,
                                    sizeof(moved_to));

    if (r < 0)
        return r;
    pthread_mutex_lock(&outbox->lock);
    outbox->view.moved_aside++;
    memcpy(outbox->view.moved_why, outbox->view.error, sizeof(outbox->view.moved_why));
    outbox->view.error[0] = '\0';
    memcpy(outbox->view.moved_to, moved_to, sizeof(moved_to));
    pthread_mutex_unlock(&outbox->lock);
    return 0;
}

static void add_row(struct outbox_rows *rows, struct outbox_item *item)
{
    item->job.next = NULL;
    if (rows->last)
        rows->last->job.next = &item->job;
    else
        rows->first = item;
    rows->last = item;
}

static struct outbox_item *take_row(struct outbox_rows *rows)
{
    struct outbox_item *item = rows->first;

    if (item)
        rows->first = outbox_item_next(item);
    return item;
}

static void clear_rows(struct outbox_rows *rows)
{
    struct outbox_item *item;

    while ((item = take_row(rows)))
        outbox_item_free(item);
    cJSON_Delete(rows->document);
    *rows = (struct outbox_rows){0};
}

static int collect(void *ctx, const struct outbox_entry *entry)
{
    struct outbox_rows *rows = ctx;
    struct outbox_item *item = outbox_item_create(OUTBOX_READY, entry);

    if (!item)
        return -ENOMEM;
    item->durable = item->recovered = true;
    add_row(rows, item);
    return 0;
}

static bool waits(const struct outbox_rows *rows)
{
    return rows->first || rows->document;
}

/* What can be read, before the database is closed. */
static void collect_all(struct outbox *outbox)
{
    cJSON *document = NULL;

    outbox_store_each(outbox->store, true, collect, &outbox->again);
    if (document_rows_load(&outbox->rows, outbox->store, &document) < 0)
        return;
    cJSON_Delete(outbox->again.document);
    outbox->again.document = document;
}

/* Of the first database: later ones have what was in it, or nothing. */
static int load_document(struct outbox *outbox)
{
    cJSON *document = NULL;
    int r = document_rows_load(&outbox->rows, outbox->store, &document);

    if (r < 0 && r != -ENOENT && r != -EBADMSG)
        return r;
    pthread_mutex_lock(&outbox->lock);
    if (!outbox->document.looked) {
        cJSON_Delete(outbox->document.left);
        outbox->document.left = document;
        outbox->document.left_error = r;
        document = NULL;
    }
    pthread_mutex_unlock(&outbox->lock);
    cJSON_Delete(document);
    return 0;
}

/* What the agent before has left. Rows put since creation are not there yet. */
static int load(struct outbox *outbox)
{
    struct outbox_rows left = {0};
    struct outbox_item *item;
    uint64_t recovered = 0;
    int r;

    r = load_document(outbox);
    if (r == 0 && !outbox->loaded)
        r = outbox_store_each(outbox->store, false, collect, &left);
    if (r < 0) {
        clear_rows(&left);
        return r;
    }
    outbox->loaded = true;
    while ((item = take_row(&left))) {
        recovered += !outbox_item_is_note(item);
        worker_return(outbox->worker, &item->job);
    }
    pthread_mutex_lock(&outbox->lock);
    outbox->view.recovered += recovered;
    outbox->view.open = true;
    pthread_mutex_unlock(&outbox->lock);
    return 0;
}

static int end_transaction(struct outbox *outbox, int r)
{
    if (r == 0)
        r = outbox_store_commit(outbox->store);
    if (r == 0) {
        document_rows_commit(&outbox->rows);
        return 0;
    }
    set_error(outbox, outbox->path, outbox_store_error(outbox->store));
    outbox_store_rollback(outbox->store);
    document_rows_rollback(&outbox->rows);
    return r;
}

/* Who asks for what was left has it though it is on no disk yet. */
static void leave_document(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    if (!outbox->document.looked && !outbox->document.left)
        outbox->document.left = cJSON_Duplicate(outbox->again.document, true);
    pthread_mutex_unlock(&outbox->lock);
}

/* Kept until it is in a database: nobody else has the bodies. */
static int put_again(struct outbox *outbox)
{
    const struct outbox_rows *rows = &outbox->again;
    cJSON *there = NULL;
    uint64_t bytes;
    bool is_new;
    int r;

    if (!waits(rows))
        return 0;
    /* In a file that somebody put in its place there may be one. */
    document_rows_load(&outbox->rows, outbox->store, &there);
    cJSON_Delete(there);
    r = outbox_store_begin(outbox->store);
    outbox_store_lift(outbox->store);
    for (const struct outbox_item *row = rows->first; r == 0 && row; row = outbox_item_next(row))
        r = outbox_store_put(outbox->store, &row->entry, &is_new);
    if (r == 0 && rows->document)
        r = document_rows_save(&outbox->rows, outbox->store, rows->document, false, &bytes);
    outbox_store_reserve(outbox->store, false);
    r = end_transaction(outbox, r);
    if (r == 0)
        clear_rows(&outbox->again);
    else
        leave_document(outbox);
    return r;
}

static int open_store(struct outbox *outbox)
{
    int r = 0;

    if (outbox->store)
        return 0;
    if (clock_monotonic_ns(clock_system()) < outbox->retry_open_ns)
        return -EAGAIN;
    if (!outbox->library.handle)
        r = sqlite_library_open(&outbox->library);
    if (r < 0)
        set_error(outbox, "cannot load libsqlite3.so.0 (Debian: libsqlite3-0)", strerror(-r));
    if (r == 0) /* when it cannot be made, opening says why */
        dir_create_parent(outbox->path, 0755);
    /* Once more for a new one in the place of a damaged one, with what could be read of that. */
    for (int attempt = 0; r == 0 && attempt < 2; attempt++) {
        r = outbox_store_open(&outbox->store, &outbox->library, outbox->path, outbox->max_bytes);
        if (r == 0)
            r = put_again(outbox);
        if (r == 0)
            r = load(outbox);
        if (r == 0)
            return 0;
        set_error(outbox, outbox->path, outbox->store ? outbox_store_error(outbox->store) : "");
        if (r == -EUCLEAN && attempt == 0)
            collect_all(outbox);
        close_store(outbox);
        if (r != -EUCLEAN || attempt > 0)
            break;
        r = move_aside(outbox);
        if (r < 0) /* it is read again then */
            clear_rows(&outbox->again);
    }
    outbox->retry_open_ns = clock_monotonic_ns(clock_system()) + REOPEN_SECONDS * NS_PER_SECOND;
    return r < 0 ? r : -EIO;
}

/* A file that was removed can be read as long as it is open. Closed before another one is opened:
 * closing removes what is beside a database, by its name. */
static void look_after_file(struct outbox *outbox)
{
    if (!outbox->store && waits(&outbox->again))
        open_store(outbox);
    if (!outbox->store || outbox_store_is_there(outbox->store))
        return;
    collect_all(outbox);
    close_store(outbox);
    outbox->retry_open_ns = 0;
    if (open_store(outbox) == 0) {
        pthread_mutex_lock(&outbox->lock);
        outbox->view.made_again++;
        pthread_mutex_unlock(&outbox->lock);
    }
}

static int fetch(struct outbox *outbox, struct outbox_item *item)
{
    int r;

    free(item->fetched); /* of an attempt before */
    item->fetched = NULL;
    r = outbox_store_fetch(outbox->store, item->entry.channel, item->entry.key, &item->fetched,
                           &item->entry.body_bytes);
    item->error = r == -ENOENT || r == -ENOMEM ? r : 0;
    return item->error ? 0 : r;
}

static int save_document(struct outbox *outbox, struct outbox_item *item)
{
    int r;

    outbox_store_reserve(outbox->store, true);
    r = document_rows_save(&outbox->rows, outbox->store, item->document, item->keep_old,
                           &item->document_bytes);
    outbox_store_reserve(outbox->store, false);
    return r;
}

static int apply(struct outbox *outbox, struct outbox_item *item)
{
    switch (item->kind) {
    case OUTBOX_PUT:
        return outbox_store_put(outbox->store, &item->entry, &item->is_new);
    case OUTBOX_REMOVE:
        return outbox_store_remove(outbox->store, item->entry.channel, item->entry.key);
    case OUTBOX_REMOVE_UP_TO:
        return outbox_store_remove_up_to(outbox->store, item->entry.channel, item->entry.key);
    case OUTBOX_RETRY:
        return outbox_store_retry(outbox->store, item->entry.channel, item->entry.key,
                                  item->entry.next_attempt_ns);
    case OUTBOX_FETCH:
        return fetch(outbox, item);
    case OUTBOX_DOCUMENT:
        return save_document(outbox, item);
    case OUTBOX_READY:
        break;
    }
    return 0;
}

/* From `first` to the one before `end` in one transaction, so that a storm costs one fsync. */
static int apply_all(struct outbox *outbox, struct outbox_item *first,
                     const struct outbox_item *end)
{
    int r;

    look_after_file(outbox);
    r = open_store(outbox);
    if (r < 0)
        return r;
    r = outbox_store_begin(outbox->store);
    for (struct outbox_item *item = first; r == 0 && item != end; item = outbox_item_next(item))
        r = apply(outbox, item);
    return end_transaction(outbox, r);
}

/* With what can still be read of it. */
static bool begin_anew(struct outbox *outbox)
{
    collect_all(outbox);
    close_store(outbox);
    outbox->retry_open_ns = 0;
    if (move_aside(outbox) == 0)
        return true;
    clear_rows(&outbox->again);
    return false;
}

static int work_on(struct outbox *outbox, struct outbox_item *first)
{
    int r = apply_all(outbox, first, NULL);

    if (r == -EUCLEAN && outbox->store && begin_anew(outbox))
        r = apply_all(outbox, first, NULL);
    /* Removing needs no room of its own in a new transaction; a message that is too large for the
     * allowance must not take the others with it. */
    for (struct outbox_item *item = first; item; item = outbox_item_next(item))
        item->durable = r == 0 || (r == -ENOSPC && outbox_item_next(first) &&
                                   apply_all(outbox, item, outbox_item_next(item)) == 0);
    return r;
}

static void say_saved(struct outbox *outbox, struct outbox_item *item, int r)
{
    struct outbox_document_result *result = &outbox->document.result;

    pthread_mutex_lock(&outbox->lock);
    outbox->document.saving = false;
    outbox->document.saved = true;
    *result = (struct outbox_document_result){.error = item->durable ? 0
                                                       : r < 0       ? r
                                                                     : -EIO,
                                              .bytes = item->document_bytes};
    if (result->error < 0)
        snprintf(result->why, sizeof(result->why), "%s",
                 *outbox->view.error ? outbox->view.error : strerror(-result->error));
    pthread_mutex_unlock(&outbox->lock);
    eventfd_write(outbox->document_fd, 1);
    cJSON_Delete(item->document);
    item->document = NULL;
}

static void look_for_what_was_left(struct outbox *outbox)
{
    int r = 0;

    /* An agent that tells nobody but its log does not pay for SQLite. */
    if (access(outbox->path, F_OK) == 0)
        r = open_store(outbox);
    pthread_mutex_lock(&outbox->lock);
    outbox->document.looked = true;
    if (r < 0)
        outbox->document.left_error = r == -ENOENT ? -ELIBACC : r;
    pthread_mutex_unlock(&outbox->lock);
}

void outbox_work(void *ctx, struct worker_job *first)
{
    struct outbox *outbox = ctx;
    int r;

    if (!outbox->looked)
        look_for_what_was_left(outbox);
    outbox->looked = true;
    if (!first) {
        look_after_file(outbox);
        return;
    }
    r = work_on(outbox, outbox_item_of(first));
    if (r == 0)
        set_error(outbox, "", "");
    for (struct outbox_item *item = outbox_item_of(first); item; item = outbox_item_next(item))
        if (item->kind == OUTBOX_DOCUMENT)
            say_saved(outbox, item, r);
}

void outbox_end(void *ctx)
{
    struct outbox *outbox = ctx;

    close_store(outbox);
    clear_rows(&outbox->again);
}
