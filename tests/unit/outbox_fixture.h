/* An outbox in a directory of the test's own, and what it makes ready. */
#ifndef TEST_OUTBOX_FIXTURE_H
#define TEST_OUTBOX_FIXTURE_H

#include "store/outbox.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define DEADLINE_SECONDS 60
#define KEYS_MAX 2048

static char directory[64], path[128];

/* Stands in for libc's, the first that the thread calls: holds it there, as a slow disk would,
 * while the test has the lock. */
static pthread_mutex_t slow_disk = PTHREAD_MUTEX_INITIALIZER;

int pthread_setname_np(pthread_t thread, const char *name)
{
    pthread_mutex_lock(&slow_disk);
    return pthread_mutex_unlock(&slow_disk);
}

struct inbox {
    struct outbox *outbox;
    size_t count, durable, recovered;
    char keys[KEYS_MAX][32];
    size_t body_bytes;
    unsigned attempts;
    uint64_t next_attempt_ns;
    size_t fetches; /* answered; of the last one: */
    int fetch_error;
    size_t fetched_bytes;
};

static inline void on_ready(void *ctx, const struct outbox_entry *entry, bool durable,
                            bool recovered)
{
    struct inbox *inbox = ctx;

    assert_true(inbox->count < KEYS_MAX);
    snprintf(inbox->keys[inbox->count++], sizeof(inbox->keys[0]), "%s", entry->key);
    inbox->durable += durable;
    inbox->recovered += recovered;
    inbox->body_bytes = entry->body_bytes;
    inbox->attempts = entry->attempts;
    inbox->next_attempt_ns = entry->next_attempt_ns;
}

static inline void on_fetched(void *ctx, const struct outbox_entry *entry, int error)
{
    struct inbox *inbox = ctx;

    inbox->fetches++;
    inbox->fetch_error = error;
    inbox->fetched_bytes = 0;
    while (error == 0 && inbox->fetched_bytes < entry->body_bytes &&
           ((const char *)entry->body)[inbox->fetched_bytes] == 'b')
        inbox->fetched_bytes++;
}

static inline void open_inbox(struct inbox *inbox, uint64_t max_bytes)
{
    const struct outbox_config config = {.path = path, .max_bytes = max_bytes};
    const struct outbox_ops ops = {.ready = on_ready, .fetched = on_fetched, .ctx = inbox};

    memset(inbox, 0, sizeof(*inbox));
    assert_int_equal(outbox_create(&inbox->outbox, &config, &ops), 0);
}

static inline time_t now_seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec;
}

/* Dispatches until so many entries were ready. */
static inline void wait_for(struct inbox *inbox, size_t count)
{
    time_t deadline = now_seconds() + DEADLINE_SECONDS;

    while (inbox->count < count) {
        struct pollfd fd = {outbox_fd(inbox->outbox), POLLIN, 0};

        poll(&fd, 1, 1000);
        outbox_dispatch(inbox->outbox);
        if (now_seconds() > deadline)
            fail_msg("%zu of %zu entries are ready", inbox->count, count);
    }
}

/* Answers with how much of the body is as put() made it, or with the error. */
static inline int fetch(struct inbox *inbox, const char *key)
{
    time_t deadline = now_seconds() + DEADLINE_SECONDS;
    size_t before = inbox->fetches;

    assert_int_equal(outbox_fetch(inbox->outbox, "ops", key), 0);
    while (inbox->fetches == before) {
        struct pollfd fd = {outbox_fd(inbox->outbox), POLLIN, 0};

        poll(&fd, 1, 1000);
        outbox_dispatch(inbox->outbox);
        assert_true(now_seconds() < deadline);
    }
    return inbox->fetch_error < 0 ? inbox->fetch_error : (int)inbox->fetched_bytes;
}

static inline void put(struct inbox *inbox, const char *key, size_t body_bytes)
{
    char *body = calloc(1, body_bytes + 1);
    int r;

    memset(body, 'b', body_bytes);
    while ((r = outbox_put(inbox->outbox, &(struct outbox_entry){.channel = "ops",
                                                                 .key = key,
                                                                 .body = body,
                                                                 .body_bytes = body_bytes,
                                                                 .created_ns = 1})) == -EAGAIN)
        wait_for(inbox, inbox->count + 1);
    assert_int_equal(r, 0);
    free(body);
}

static inline int set_up(void **state)
{
    snprintf(directory, sizeof(directory), "/tmp/moonwatch-outbox-XXXXXX");
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/outbox.sqlite", directory);
    return 0;
}

static inline int clean_up(void **state)
{
    char command[160];

    snprintf(command, sizeof(command), "rm -rf '%s'", directory);
    return system(command);
}

#endif
