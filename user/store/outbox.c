#include "base/clock.h"
#include "base/file.h"
#include "store/outbox_state.h"
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

/* A disk that takes longer for one batch keeps nobody from being told: what waits is sent as what
 * cannot be stored is. */
#define STALL_NS (2 * NS_PER_SECOND)
/* What an end may take longer for a disk that hangs. */
#define END_WAIT_NS (5 * NS_PER_SECOND)
/* Somebody may have emptied the directory. */
#define LOOK_EVERY_NS (5 * NS_PER_SECOND)

/* Signals are for the loop. */
static int start(struct outbox *outbox)
{
    sigset_t all, before;
    int r;

    outbox->busy_since_ns = clock_monotonic_ns(clock_system());
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&outbox->thread, NULL, outbox_thread, outbox);
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
        outbox_free(outbox);
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
    uint64_t now_ns = clock_monotonic_ns(clock_system());

    pthread_mutex_lock(&outbox->lock);
    if (now_ns >= outbox->look_ns) {
        outbox->look_ns = now_ns + LOOK_EVERY_NS;
        outbox->look = true;
        pthread_cond_signal(&outbox->wake);
    }
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
