#include "alert/outbox.h"
#include "alert/outbox_queue.h"
#include "alert/outbox_store.h"
#include "base/clock.h"
#include "base/file.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* How long the thread waits before it tries a database again that could not be opened. */
#define REOPEN_SECONDS 5
/* A disk that takes longer for one batch keeps nobody from being told: what waits is sent as what
 * cannot be stored is. */
#define STALL_NS (2 * NS_PER_SECOND)
/* What an end may take longer for a disk that hangs. */
#define END_WAIT_NS (5 * NS_PER_SECOND)

struct outbox {
    char *path;
    uint64_t max_bytes;
    struct outbox_ops ops;
    int event_fd;
    pthread_t thread;
    bool started;
    /* Of the thread alone. */
    struct sqlite_library library;
    struct outbox_store *store; /* NULL: not open */
    uint64_t retry_open_ns;
    bool loaded; /* what was left was handed over */
    /* Between both, under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop, held;
    bool ended, abandoned;       /* whoever comes last releases */
    size_t working;              /* items in the hands of the thread, ... */
    struct outbox_item *batch;   /* ... which leaves what others read of them as it is */
    uint64_t busy_since_ns;      /* of the thread; 0: it waits for work */
    struct outbox_queue work;    /* from the loop; bounded */
    struct outbox_queue results; /* to the loop: bounded by the work and by the database */
    struct outbox_view view;
};

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
    int r = open_store(outbox);

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

static void release(struct outbox *outbox)
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

static void *run_thread(void *ctx)
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
        while ((outbox->work.count == 0 || outbox->held) && !outbox->stop)
            pthread_cond_wait(&outbox->wake, &outbox->lock);
        outbox_queue_append(&batch, &outbox->work);
        outbox->working = batch.count;
        outbox->batch = batch.first;
        outbox->busy_since_ns = clock_monotonic_ns(clock_system());
        stop = outbox->stop;
        pthread_mutex_unlock(&outbox->lock);
        if (batch.count == 0)
            continue;
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
        release(outbox);
    return NULL;
}

/* Signals are for the loop. */
static int start(struct outbox *outbox)
{
    sigset_t all, before;
    int r;

    outbox->busy_since_ns = clock_monotonic_ns(clock_system());
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&outbox->thread, NULL, run_thread, outbox);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    outbox->started = r == 0;
    return r;
}

int outbox_create(struct outbox **ret, const struct outbox_config *config,
                  const struct outbox_ops *ops)
{
    struct outbox *outbox = calloc(1, sizeof(*outbox));
    int r = -ENOMEM;

    if (!outbox)
        return r;
    outbox->ops = *ops;
    outbox->max_bytes = config->max_bytes ? config->max_bytes : OUTBOX_BYTES_DEFAULT;
    outbox->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    outbox->path = strdup(config->path);
    pthread_mutex_init(&outbox->lock, NULL);
    pthread_cond_init(&outbox->wake, NULL);
    if (outbox->event_fd < 0)
        r = -errno;
    else if (outbox->path)
        r = start(outbox);
    if (r < 0) {
        outbox_destroy(outbox);
        return r;
    }
    *ret = outbox;
    return 0;
}

/* False: the thread releases the outbox, should it ever end. */
static bool end_thread(struct outbox *outbox)
{
    uint64_t until_ns = clock_monotonic_ns(clock_system()) + END_WAIT_NS;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_SECOND),
                                   .tv_nsec = (long)(until_ns % NS_PER_SECOND)};
    bool ended;

    pthread_mutex_lock(&outbox->lock);
    outbox->stop = true;
    pthread_cond_signal(&outbox->wake);
    pthread_mutex_unlock(&outbox->lock);
    if (pthread_clockjoin_np(outbox->thread, NULL, CLOCK_MONOTONIC, &until) == 0)
        return true;
    pthread_detach(outbox->thread);
    pthread_mutex_lock(&outbox->lock);
    outbox->abandoned = true;
    ended = outbox->ended;
    pthread_mutex_unlock(&outbox->lock);
    return ended;
}

void outbox_destroy(struct outbox *outbox)
{
    if (outbox && (!outbox->started || end_thread(outbox)))
        release(outbox);
}

int outbox_fd(const struct outbox *outbox)
{
    return outbox->event_fd;
}

static void make_ready(struct outbox *outbox, struct outbox_queue *results)
{
    struct outbox_item *item;

    while ((item = outbox_queue_pop(results))) {
        outbox->ops.ready(outbox->ops.ctx, &item->entry, item->durable, item->recovered);
        outbox_item_free(item);
    }
}

void outbox_dispatch(struct outbox *outbox)
{
    struct outbox_queue results = {0};
    uint64_t count;

    if (read(outbox->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        return;
    pthread_mutex_lock(&outbox->lock);
    outbox_queue_append(&results, &outbox->results);
    pthread_mutex_unlock(&outbox->lock);
    make_ready(outbox, &results);
}

/* Under the lock. */
static bool is_stalled(const struct outbox *outbox)
{
    return outbox->busy_since_ns &&
           clock_monotonic_ns(clock_system()) >= outbox->busy_since_ns + STALL_NS;
}

/* Under the lock. Copies, since the thread has these, or will. Without memory for one the next tick
 * tries again. */
static void take_waiting(struct outbox *outbox, struct outbox_item *first,
                         struct outbox_queue *ready)
{
    for (struct outbox_item *item = first; item; item = item->next) {
        struct outbox_item *copy = NULL;

        if (item->kind == OUTBOX_PUT && !item->released)
            copy = outbox_item_create(OUTBOX_READY, &item->entry);
        if (!copy)
            continue;
        item->released = true;
        outbox->view.not_durable++;
        outbox_queue_push(ready, copy);
    }
}

void outbox_tick(struct outbox *outbox)
{
    struct outbox_queue ready = {0};

    pthread_mutex_lock(&outbox->lock);
    if (is_stalled(outbox)) {
        take_waiting(outbox, outbox->batch, &ready);
        take_waiting(outbox, outbox->work.first, &ready);
    }
    pthread_mutex_unlock(&outbox->lock);
    make_ready(outbox, &ready);
}

void outbox_hold(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    outbox->held = true;
    pthread_mutex_unlock(&outbox->lock);
}

void outbox_release(struct outbox *outbox)
{
    pthread_mutex_lock(&outbox->lock);
    outbox->held = false;
    pthread_cond_signal(&outbox->wake);
    pthread_mutex_unlock(&outbox->lock);
}

/* The thread wakes the loop once it has looked, whatever it found. */
void outbox_wait_left(struct outbox *outbox, int timeout_ms)
{
    struct pollfd event = {.fd = outbox->event_fd, .events = POLLIN};

    while (poll(&event, 1, timeout_ms) < 0 && errno == EINTR)
        ;
}

static int enqueue(struct outbox *outbox, enum outbox_kind kind, const struct outbox_entry *entry)
{
    struct outbox_item *item;
    int r = 0;

    if (!entry->channel || !*entry->channel || !entry->key || !*entry->key)
        return -EINVAL;
    item = outbox_item_create(kind, entry);
    if (!item)
        return -ENOMEM;
    pthread_mutex_lock(&outbox->lock);
    if (outbox->work.count < OUTBOX_QUEUE_MAX) {
        outbox_queue_push(&outbox->work, item);
        pthread_cond_signal(&outbox->wake);
    } else {
        r = -EAGAIN;
    }
    pthread_mutex_unlock(&outbox->lock);
    if (r < 0)
        outbox_item_free(item);
    return r;
}

int outbox_put(struct outbox *outbox, const struct outbox_entry *entry)
{
    return enqueue(outbox, OUTBOX_PUT, entry);
}

int outbox_remove(struct outbox *outbox, const char *channel, const char *key)
{
    return enqueue(outbox, OUTBOX_REMOVE, &(struct outbox_entry){.channel = channel, .key = key});
}

int outbox_remove_up_to(struct outbox *outbox, const char *channel, const char *key)
{
    return enqueue(outbox, OUTBOX_REMOVE_UP_TO,
                   &(struct outbox_entry){.channel = channel, .key = key});
}

int outbox_retry(struct outbox *outbox, const char *channel, const char *key,
                 uint64_t next_attempt_ns)
{
    return enqueue(
        outbox, OUTBOX_RETRY,
        &(struct outbox_entry){.channel = channel, .key = key, .next_attempt_ns = next_attempt_ns});
}

void outbox_view(struct outbox *outbox, struct outbox_view *ret)
{
    pthread_mutex_lock(&outbox->lock);
    *ret = outbox->view;
    ret->queued = outbox->work.count + outbox->working;
    if (is_stalled(outbox))
        snprintf(ret->error, sizeof(ret->error), "%.150s: its disk does not answer", outbox->path);
    pthread_mutex_unlock(&outbox->lock);
}
