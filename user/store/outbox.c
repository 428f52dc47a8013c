#include "base/clock.h"
#include "store/outbox_state.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A disk that takes longer for one batch keeps nobody from being told: what waits is sent as what
 * cannot be stored is. */
#define STALL_NS (2 * NS_PER_SECOND)
/* What an end may take longer for a disk that hangs. */
#define END_WAIT_NS (5 * NS_PER_SECOND)
/* Somebody may have emptied the directory. */
#define LOOK_EVERY_NS (5 * NS_PER_SECOND)

/* What the loop has to hear of. */
static void on_done(void *ctx, struct worker_job *job)
{
    struct outbox *outbox = ctx;
    struct outbox_item *item = outbox_item_of(job);
    bool ready = item->kind == OUTBOX_READY;

    if (item->kind == OUTBOX_PUT && !outbox_item_is_note(item)) {
        bool known = item->durable && !item->is_new;

        pthread_mutex_lock(&outbox->lock);
        outbox->view.stored += item->durable && item->is_new;
        outbox->view.duplicates += known;
        outbox->view.not_durable += !item->durable && !item->released;
        pthread_mutex_unlock(&outbox->lock);
        ready = !known && !item->released;
    } else if (item->kind == OUTBOX_REMOVE) {
        pthread_mutex_lock(&outbox->lock);
        outbox->view.removed += item->durable;
        pthread_mutex_unlock(&outbox->lock);
    }
    if (item->kind == OUTBOX_FETCH && outbox->ops.fetched) {
        item->entry.body = item->fetched;
        outbox->ops.fetched(outbox->ops.ctx, &item->entry, item->durable ? item->error : -EIO);
    }
    if (ready)
        outbox->ops.ready(outbox->ops.ctx, &item->entry, item->durable, item->recovered);
    outbox_item_free(item);
}

static void on_drop(void *ctx, struct worker_job *job)
{
    (void)ctx;
    outbox_item_free(outbox_item_of(job));
}

static void on_released(void *ctx)
{
    struct outbox *outbox = ctx;

    document_rows_free(&outbox->rows);
    cJSON_Delete(outbox->document.left);
    if (outbox->document_fd >= 0)
        close(outbox->document_fd);
    sqlite_library_close(&outbox->library);
    pthread_mutex_destroy(&outbox->lock);
    free(outbox->path);
    free(outbox);
}

int outbox_create(struct outbox **ret, const struct outbox_config *config,
                  const struct outbox_ops *ops)
{
    static const struct worker_config worker = {
        .name = "outbox", .jobs_max = OUTBOX_QUEUE_MAX, .stays = true};
    struct outbox *outbox = calloc(1, sizeof(*outbox));
    const struct worker_ops worker_ops = {.work = outbox_work,
                                          .end = outbox_end,
                                          .done = on_done,
                                          .drop = on_drop,
                                          .released = on_released,
                                          .ctx = outbox};
    int r = -ENOMEM;

    if (!outbox)
        return r;
    outbox->ops = *ops;
    outbox->max_bytes = config->max_bytes ? config->max_bytes : OUTBOX_BYTES_DEFAULT;
    outbox->path = strdup(config->path);
    outbox->document.left_error = -ENOENT;
    outbox->document_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&outbox->lock, NULL);
    if (outbox->document_fd < 0)
        r = -errno;
    else if (outbox->path)
        r = worker_create(&outbox->worker, &worker, &worker_ops);
    if (r < 0) {
        on_released(outbox);
        return r;
    }
    r = worker_look(outbox->worker);
    if (r < 0) {
        outbox_destroy(outbox);
        return r;
    }
    *ret = outbox;
    return 0;
}

void outbox_destroy(struct outbox *outbox)
{
    if (outbox)
        worker_destroy(outbox->worker, END_WAIT_NS);
}

int outbox_fd(const struct outbox *outbox)
{
    return worker_fd(outbox->worker);
}

void outbox_dispatch(struct outbox *outbox)
{
    worker_dispatch(outbox->worker);
}

static bool is_stalled(const struct outbox *outbox)
{
    struct worker_view view;

    worker_view(outbox->worker, &view);
    return view.busy_since_ns &&
           clock_monotonic_ns(clock_system()) >= view.busy_since_ns + STALL_NS;
}

/* A copy, since the thread has this one, or will. Without memory for one the next tick tries again.
 */
static void take_waiting(void *ctx, struct worker_job *job)
{
    struct outbox_item *item = outbox_item_of(job), ***end = ctx, *copy = NULL;

    if (item->kind == OUTBOX_PUT && !item->released)
        copy = outbox_item_create(OUTBOX_READY, &item->entry);
    if (!copy)
        return;
    item->released = true;
    **end = copy;
    *end = (struct outbox_item **)&copy->job.next;
}

static void make_waiting_ready(struct outbox *outbox)
{
    struct outbox_item *first = NULL, **end = &first, *item;

    worker_each(outbox->worker, take_waiting, &end);
    while ((item = first)) {
        first = outbox_item_next(item);
        pthread_mutex_lock(&outbox->lock);
        outbox->view.not_durable++;
        pthread_mutex_unlock(&outbox->lock);
        outbox->ops.ready(outbox->ops.ctx, &item->entry, false, false);
        outbox_item_free(item);
    }
}

void outbox_tick(struct outbox *outbox)
{
    uint64_t now_ns = clock_monotonic_ns(clock_system());

    if (now_ns >= outbox->look_ns) {
        outbox->look_ns = now_ns + LOOK_EVERY_NS;
        worker_look(outbox->worker);
    }
    if (is_stalled(outbox))
        make_waiting_ready(outbox);
}

void outbox_hold(struct outbox *outbox)
{
    worker_hold(outbox->worker);
}

void outbox_release(struct outbox *outbox)
{
    worker_release(outbox->worker);
}

/* The thread wakes the loop once it has looked, whatever it found. */
void outbox_wait_left(struct outbox *outbox, int timeout_ms)
{
    worker_wait(outbox->worker, (uint64_t)timeout_ms * NS_PER_MS);
}

static int enqueue(struct outbox *outbox, enum outbox_kind kind, const struct outbox_entry *entry)
{
    struct outbox_item *item;
    int r;

    if (!entry->channel || !*entry->channel || !entry->key || !*entry->key)
        return -EINVAL;
    item = outbox_item_create(kind, entry);
    if (!item)
        return -ENOMEM;
    r = worker_submit(outbox->worker, &item->job);
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

int outbox_fetch(struct outbox *outbox, const char *channel, const char *key)
{
    return enqueue(outbox, OUTBOX_FETCH, &(struct outbox_entry){.channel = channel, .key = key});
}

void outbox_view(struct outbox *outbox, struct outbox_view *ret)
{
    struct worker_view worker;

    worker_view(outbox->worker, &worker);
    pthread_mutex_lock(&outbox->lock);
    *ret = outbox->view;
    pthread_mutex_unlock(&outbox->lock);
    ret->queued = worker.waiting + worker.working;
    if (is_stalled(outbox))
        snprintf(ret->error, sizeof(ret->error), "%.150s: its disk does not answer", outbox->path);
}
