#include "base/clock.h"
#include "base/file.h"
#include "store/outbox_state.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
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
    int r = outbox_store_move_aside(outbox->path, clock_realtime_ns(clock_system()), moved_to,
                                    sizeof(moved_to));

    if (r < 0)
        return r;
    pthread_mutex_lock(&outbox->lock);
    outbox->view.moved_aside++;
    outbox->view.error[0] = '\0';
    memcpy(outbox->view.moved_to, moved_to, sizeof(moved_to));
    pthread_mutex_unlock(&outbox->lock);
    return 0;
}

static bool is_note(const struct outbox_entry *entry)
{
    return strcmp(entry->channel, OUTBOX_NOTES) == 0;
}

static int collect(void *ctx, const struct outbox_entry *entry)
{
    struct outbox_queue *queue = ctx;
    struct outbox_item *item = outbox_item_create(OUTBOX_READY, entry);

    if (!item)
        return -ENOMEM;
    item->durable = item->recovered = true;
    outbox_queue_push(queue, item);
    return 0;
}

/* What the agent before has left. Rows put since creation are not there yet. */
static int load(struct outbox *outbox)
{
    struct outbox_queue left = {0};
    int r = 0;

    if (!outbox->loaded)
        r = outbox_store_each(outbox->store, collect, &left);
    if (r < 0) {
        outbox_queue_clear(&left);
        return r;
    }
    outbox->loaded = true;
    pthread_mutex_lock(&outbox->lock);
    for (const struct outbox_item *item = left.first; item; item = item->next)
        outbox->view.recovered += !is_note(&item->entry);
    outbox->view.open = true;
    outbox_queue_append(&outbox->results, &left);
    pthread_mutex_unlock(&outbox->lock);
    return 0;
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
    /* Once more for a new one in the place of a damaged one. */
    for (int attempt = 0; r == 0 && attempt < 2; attempt++) {
        r = outbox_store_open(&outbox->store, &outbox->library, outbox->path, outbox->max_bytes);
        if (r == 0)
            r = load(outbox);
        if (r == 0)
            return 0;
        set_error(outbox, outbox->path, outbox->store ? outbox_store_error(outbox->store) : "");
        close_store(outbox);
        if (r == -EUCLEAN && attempt == 0)
            r = move_aside(outbox);
        else
            break;
    }
    outbox->retry_open_ns = clock_monotonic_ns(clock_system()) + REOPEN_SECONDS * NS_PER_SECOND;
    return r < 0 ? r : -EIO;
}

static int put_again(struct outbox *outbox, const struct outbox_queue *rows)
{
    bool is_new;
    int r = outbox_store_begin(outbox->store);

    for (const struct outbox_item *row = rows->first; r == 0 && row; row = row->next)
        r = outbox_store_put(outbox->store, &row->entry, &is_new);
    if (r == 0)
        r = outbox_store_commit(outbox->store);
    if (r < 0) {
        set_error(outbox, outbox->path, outbox_store_error(outbox->store));
        outbox_store_rollback(outbox->store);
    }
    return r;
}

/* A file that was removed can be read as long as it is open. Closed before another one is opened:
 * closing removes what is beside a database, by its name. */
static void look_after_file(struct outbox *outbox)
{
    struct outbox_queue rows = {0};

    if (!outbox->store || outbox_store_is_there(outbox->store))
        return;
    outbox_store_each(outbox->store, collect, &rows);
    close_store(outbox);
    outbox->retry_open_ns = 0;
    if (open_store(outbox) == 0 && put_again(outbox, &rows) == 0) {
        pthread_mutex_lock(&outbox->lock);
        outbox->view.made_again++;
        pthread_mutex_unlock(&outbox->lock);
    }
    outbox_queue_clear(&rows);
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
    case OUTBOX_READY:
        break;
    }
    return 0;
}

/* `count` of them in one transaction, so that a storm costs one fsync. */
static int apply_all(struct outbox *outbox, struct outbox_item *first, size_t count)
{
    struct outbox_item *item = first;
    int r;

    look_after_file(outbox);
    r = open_store(outbox);
    if (r < 0)
        return r;
    r = outbox_store_begin(outbox->store);
    for (size_t i = 0; r == 0 && i < count; i++, item = item->next)
        r = apply(outbox, item);
    if (r == 0)
        r = outbox_store_commit(outbox->store);
    if (r < 0) {
        set_error(outbox, outbox->path, outbox_store_error(outbox->store));
        outbox_store_rollback(outbox->store);
    }
    return r;
}

static int work_on(struct outbox *outbox, const struct outbox_queue *batch)
{
    int r = apply_all(outbox, batch->first, batch->count);

    if (r == -EUCLEAN && outbox->store) {
        close_store(outbox);
        outbox->retry_open_ns = 0;
        if (move_aside(outbox) == 0)
            r = apply_all(outbox, batch->first, batch->count);
    }
    /* Removing needs no room of its own in a new transaction; a message that is too large for the
     * allowance must not take the others with it. */
    if (r == -ENOSPC && batch->count > 1) {
        for (struct outbox_item *item = batch->first; item; item = item->next)
            item->durable = apply_all(outbox, item, 1) == 0;
        return r;
    }
    for (struct outbox_item *item = batch->first; item; item = item->next)
        item->durable = r == 0;
    return r;
}

/* Under the lock. */
static void set_idle(struct outbox *outbox)
{
    outbox->working = 0;
    outbox->batch = NULL;
    outbox->busy_since_ns = 0;
}

/* Under the lock: what the loop has to hear of. */
static void hand_over(struct outbox *outbox, struct outbox_queue *batch, int r)
{
    struct outbox_item *item;

    if (r == 0)
        outbox->view.error[0] = '\0';
    while ((item = outbox_queue_pop(batch))) {
        if (is_note(&item->entry)) {
            outbox_item_free(item);
            continue;
        }
        if (item->kind == OUTBOX_PUT) {
            bool known = item->durable && !item->is_new;

            outbox->view.stored += item->durable && item->is_new;
            outbox->view.duplicates += known;
            outbox->view.not_durable += !item->durable && !item->released;
            if (!known && !item->released) {
                outbox_queue_push(&outbox->results, item);
                continue;
            }
        } else if (item->kind == OUTBOX_REMOVE) {
            outbox->view.removed += item->durable;
        }
        outbox_item_free(item);
    }
}

static void wake_loop(struct outbox *outbox)
{
    uint64_t one = 1;

    /* Only a counter that overflows refuses, and then the loop is awake. */
    if (write(outbox->event_fd, &one, sizeof(one)) < 0)
        return;
}

void outbox_free(struct outbox *outbox)
{
    sqlite_library_close(&outbox->library);
    outbox_queue_clear(&outbox->work);
    outbox_queue_clear(&outbox->results);
    pthread_mutex_destroy(&outbox->lock);
    pthread_cond_destroy(&outbox->wake);
    if (outbox->event_fd >= 0)
        close(outbox->event_fd);
    free(outbox->path);
    free(outbox);
}

void *outbox_thread(void *ctx)
{
    struct outbox *outbox = ctx;
    struct outbox_queue batch = {0};
    bool stop = false, abandoned;
    int r;

    pthread_setname_np(pthread_self(), "outbox");
    /* An agent that tells nobody but its log does not pay for SQLite. */
    if (access(outbox->path, F_OK) == 0)
        open_store(outbox);
    wake_loop(outbox);
    while (!stop || batch.count > 0) {
        pthread_mutex_lock(&outbox->lock);
        set_idle(outbox);
        while ((outbox->work.count == 0 || outbox->held) && !outbox->stop && !outbox->look)
            pthread_cond_wait(&outbox->wake, &outbox->lock);
        outbox->look = false;
        if (!outbox->held || outbox->stop)
            outbox_queue_append(&batch, &outbox->work);
        outbox->working = batch.count;
        outbox->batch = batch.first;
        outbox->busy_since_ns = clock_monotonic_ns(clock_system());
        stop = outbox->stop;
        pthread_mutex_unlock(&outbox->lock);
        if (batch.count == 0) {
            look_after_file(outbox);
            continue;
        }
        r = work_on(outbox, &batch);
        pthread_mutex_lock(&outbox->lock);
        hand_over(outbox, &batch, r);
        set_idle(outbox);
        pthread_mutex_unlock(&outbox->lock);
        wake_loop(outbox);
    }
    close_store(outbox);
    pthread_mutex_lock(&outbox->lock);
    outbox->ended = true;
    abandoned = outbox->abandoned;
    pthread_mutex_unlock(&outbox->lock);
    if (abandoned)
        outbox_free(outbox);
    return NULL;
}
