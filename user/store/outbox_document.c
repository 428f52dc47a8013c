/* The loop's side of the document beside the messages. */
#include "base/clock.h"
#include "store/outbox_state.h"
#include <errno.h>
#include <sys/eventfd.h>

int outbox_take_document(struct outbox *outbox, uint64_t wait_ns, cJSON **ret)
{
    uint64_t until_ns = clock_monotonic_ns(clock_system()) + wait_ns, now_ns;
    int r = -ETIMEDOUT;

    for (;;) {
        pthread_mutex_lock(&outbox->lock);
        if (outbox->document.looked) {
            r = outbox->document.left ? 0 : outbox->document.left_error;
            *ret = outbox->document.left;
            if (outbox->document.left)
                outbox->document.left_error = -ENOENT;
            outbox->document.left = NULL;
        }
        pthread_mutex_unlock(&outbox->lock);
        now_ns = clock_monotonic_ns(clock_system());
        if (r != -ETIMEDOUT || now_ns >= until_ns)
            return r;
        worker_wait(outbox->worker, until_ns - now_ns);
    }
}

int outbox_save_document(struct outbox *outbox, cJSON *json, bool keep_old)
{
    const struct outbox_entry nobody = {.channel = "", .key = ""};
    struct outbox_item *item = json ? outbox_item_create(OUTBOX_DOCUMENT, &nobody) : NULL;
    int r = item ? 0 : -ENOMEM;

    if (!item) {
        cJSON_Delete(json);
        return r;
    }
    item->document = json;
    item->keep_old = keep_old;
    pthread_mutex_lock(&outbox->lock);
    if (outbox->document.saving)
        r = -EBUSY;
    else
        outbox->document.saving = true;
    pthread_mutex_unlock(&outbox->lock);
    if (r < 0) {
        outbox_item_free(item);
        return r;
    }
    r = worker_submit(outbox->worker, &item->job);
    if (r < 0) {
        pthread_mutex_lock(&outbox->lock);
        outbox->document.saving = false;
        pthread_mutex_unlock(&outbox->lock);
        outbox_item_free(item);
    }
    return r;
}

bool outbox_document_saved(struct outbox *outbox, struct outbox_document_result *ret)
{
    eventfd_t count;
    bool saved;

    eventfd_read(outbox->document_fd, &count); /* -EAGAIN: it has not ended, or was looked after */
    pthread_mutex_lock(&outbox->lock);
    saved = outbox->document.saved;
    if (saved)
        *ret = outbox->document.result;
    outbox->document.saved = false;
    pthread_mutex_unlock(&outbox->lock);
    return saved;
}

int outbox_document_fd(const struct outbox *outbox)
{
    return outbox->document_fd;
}

const char *outbox_path(const struct outbox *outbox)
{
    return outbox->path;
}
