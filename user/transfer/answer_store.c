#include "transfer/answer_store.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct answer_body *answer_body_create(const char *data, size_t bytes)
{
    struct answer_body *body = malloc(sizeof(*body) + bytes);

    if (!body)
        return NULL;
    body->users = 1;
    body->bytes = bytes;
    memcpy(body->data, data, bytes);
    return body;
}

struct answer_body *answer_body_share(struct answer_body *body)
{
    body->users++;
    return body;
}

void answer_body_release(void *shared)
{
    struct answer_body *body = shared;

    if (body && --body->users == 0)
        free(body);
}

static size_t bytes_of(const struct stored_answer *answer)
{
    return sizeof(*answer) + strlen(answer->upstream) + strlen(answer->path) +
           strlen(answer->content_type) + answer->body->bytes;
}

static void free_answer(struct stored_answer *answer)
{
    free(answer->upstream);
    free(answer->path);
    free(answer->content_type);
    answer_body_release(answer->body);
    free(answer);
}

static void take_out(struct answer_store *store, struct stored_answer **at)
{
    struct stored_answer *answer = *at;

    *at = answer->next;
    store->bytes -= bytes_of(answer);
    free_answer(answer);
}

static struct stored_answer **find(struct answer_store *store, const char *upstream,
                                   const char *path)
{
    struct stored_answer **at = &store->newest;

    while (*at && (strcmp((*at)->path, path) != 0 || strcmp((*at)->upstream, upstream) != 0))
        at = &(*at)->next;
    return at;
}

static void evict(struct answer_store *store)
{
    struct stored_answer **at;

    while (store->newest && store->bytes > store->limit_bytes) {
        for (at = &store->newest; (*at)->next; at = &(*at)->next)
            ;
        take_out(store, at);
        store->evicted_total++;
    }
}

int answer_store_put(struct answer_store *store, const char *upstream, const char *path,
                     const char *content_type, unsigned status, const char *body, size_t bytes,
                     uint64_t now_ns)
{
    struct stored_answer **old = find(store, upstream, path), *answer;

    if (*old)
        take_out(store, old);
    if (bytes > store->limit_bytes)
        return -EFBIG;
    answer = calloc(1, sizeof(*answer));
    if (!answer)
        return -ENOMEM;
    answer->upstream = strdup(upstream);
    answer->path = strdup(path);
    answer->content_type = strdup(content_type);
    answer->body = answer_body_create(body, bytes);
    answer->status = status;
    answer->stored_ns = now_ns;
    if (!answer->upstream || !answer->path || !answer->content_type || !answer->body) {
        free_answer(answer);
        return -ENOMEM;
    }
    answer->next = store->newest;
    store->newest = answer;
    store->bytes += bytes_of(answer);
    evict(store);
    return store->newest ? 0 : -EFBIG;
}

struct stored_answer *answer_store_find(const struct answer_store *store, const char *upstream,
                                        const char *path)
{
    struct stored_answer *answer = store->newest;

    while (answer && (strcmp(answer->path, path) != 0 || strcmp(answer->upstream, upstream) != 0))
        answer = answer->next;
    return answer;
}

void answer_store_drop(struct answer_store *store, const char *upstream)
{
    struct stored_answer **at = &store->newest;

    while (*at) {
        if (!upstream || strcmp((*at)->upstream, upstream) == 0)
            take_out(store, at);
        else
            at = &(*at)->next;
    }
}
