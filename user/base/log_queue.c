#include "base/log_queue.h"
#include "base/clock.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOST_LINE_BYTES 4096
#define HOLD_NS (2 * NS_PER_SECOND)

struct queued_line {
    struct queued_line *next;
    uint64_t says_lost; /* it tells of so many others; 0: it is an ordinary one */
    uint64_t number;
    uint64_t held_until_ns; /* 0: it is not */
    size_t length;
    char data[];
};

struct log_queue {
    int fd;
    size_t limit_bytes;
    struct log_queue_ops ops;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* for the thread */
    pthread_cond_t idle; /* nothing is left to write */
    /* Under the lock. */
    struct queued_line *first, *last;
    struct queued_line *written; /* to be freed by whoever adds, whose heap they are of */
    size_t bytes;                /* those in the hands of the thread included */
    uint64_t added, released;    /* numbers of lines */
    uint64_t lost;               /* no line has said so yet */
    uint64_t dropped_total;
    bool holding; /* lines that come from now on */
    bool writing;
    bool refused; /* the last write failed: another one would as well */
    bool stop, ended, abandoned;
};

static struct queued_line *new_line(const char *data, size_t length)
{
    struct queued_line *line = malloc(sizeof(*line) + length);

    if (!line)
        return NULL;
    line->next = NULL;
    line->says_lost = 0;
    line->number = line->held_until_ns = 0;
    line->length = length;
    memcpy(line->data, data, length);
    return line;
}

static void free_lines(struct queued_line *line)
{
    while (line) {
        struct queued_line *next = line->next;

        free(line);
        line = next;
    }
}

static void push(struct log_queue *queue, struct queued_line *line)
{
    if (queue->last)
        queue->last->next = line;
    else
        queue->first = line;
    queue->last = line;
    queue->bytes += line->length;
    line->number = ++queue->added;
    line->held_until_ns = queue->holding ? clock_monotonic_ns(clock_system()) + HOLD_NS : 0;
}

/* Under the lock. A hold is no reason to lose lines. */
static bool is_held(const struct log_queue *queue)
{
    const struct queued_line *line = queue->first;

    return line->held_until_ns && line->number > queue->released && !queue->stop &&
           queue->bytes <= queue->limit_bytes / 2 &&
           clock_monotonic_ns(clock_system()) < line->held_until_ns;
}

/* Under the lock. Without memory for it the next one says it. */
static void push_lost(struct log_queue *queue)
{
    struct queued_line *line = NULL;
    struct text text;

    text_init(&text, LOST_LINE_BYTES);
    queue->ops.lost(queue->ops.ctx, queue->lost, &text);
    if (!text.failed && text.len > 0)
        line = new_line(text.data, text.len);
    text_free(&text);
    if (!line)
        return;
    line->says_lost = queue->lost;
    queue->lost = 0;
    push(queue, line);
}

/* The descriptor may be non-blocking, through somebody else who holds it. */
static int write_whole(int fd, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, data, length);

        if (n < 0 && errno == EAGAIN) {
            struct pollfd writable = {.fd = fd, .events = POLLOUT};

            if (poll(&writable, 1, -1) < 0 && errno != EINTR)
                return -errno;
            continue;
        }
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            data += n;
            length -= (size_t)n;
        }
    }
    return 0;
}

/* Under the lock, which it leaves for the write. */
static void write_first(struct log_queue *queue)
{
    struct queued_line *line = queue->first;
    int r;

    queue->first = line->next;
    if (!queue->first)
        queue->last = NULL;
    queue->writing = true;
    pthread_mutex_unlock(&queue->lock);
    r = write_whole(queue->fd, line->data, line->length);
    pthread_mutex_lock(&queue->lock);
    queue->writing = false;
    queue->refused = r < 0;
    if (r < 0) {
        queue->lost += line->says_lost ? line->says_lost : 1;
        queue->dropped_total += !line->says_lost;
    }
    queue->bytes -= line->length;
    line->next = queue->written;
    queue->written = line;
}

static void release(struct log_queue *queue)
{
    free_lines(queue->first);
    free_lines(queue->written);
    pthread_mutex_destroy(&queue->lock);
    pthread_cond_destroy(&queue->wake);
    pthread_cond_destroy(&queue->idle);
    if (queue->fd >= 0)
        close(queue->fd);
    free(queue);
}

/* With whom nobody else is. */
static void end(struct log_queue *queue)
{
    const struct log_queue_ops ops = queue->ops;

    release(queue);
    ops.released(ops.ctx);
}

static struct timespec time_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_SECOND),
                             .tv_nsec = (long)(ns % NS_PER_SECOND)};
}

/* Under the lock, which it leaves to wait. */
static void wait_for_release(struct log_queue *queue)
{
    const struct timespec until = time_of(queue->first->held_until_ns);

    pthread_cond_timedwait(&queue->wake, &queue->lock, &until);
}

static void *run_thread(void *ctx)
{
    struct log_queue *queue = ctx;
    bool abandoned;

    pthread_setname_np(pthread_self(), "log");
    pthread_mutex_lock(&queue->lock);
    for (;;) {
        if (!queue->first && queue->lost > 0 && !queue->refused)
            push_lost(queue);
        if (queue->first && is_held(queue)) {
            wait_for_release(queue);
            continue;
        }
        if (queue->first) {
            write_first(queue);
            continue;
        }
        pthread_cond_broadcast(&queue->idle);
        if (queue->stop)
            break;
        pthread_cond_wait(&queue->wake, &queue->lock);
    }
    queue->ended = true;
    abandoned = queue->abandoned;
    pthread_mutex_unlock(&queue->lock);
    if (abandoned)
        end(queue);
    return NULL;
}

/* Signals are for the loop. */
static int start(struct log_queue *queue)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&queue->thread, NULL, run_thread, queue);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

int log_queue_create(struct log_queue **ret, int fd, size_t limit_bytes,
                     const struct log_queue_ops *ops)
{
    struct log_queue *queue = calloc(1, sizeof(*queue));
    pthread_condattr_t monotonic;
    int r;

    if (!queue)
        return -ENOMEM;
    queue->fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    queue->limit_bytes = limit_bytes;
    queue->ops = *ops;
    pthread_mutex_init(&queue->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&queue->wake, &monotonic);
    pthread_cond_init(&queue->idle, &monotonic);
    pthread_condattr_destroy(&monotonic);
    r = start(queue);
    if (r < 0) {
        release(queue);
        return r;
    }
    *ret = queue;
    return 0;
}

/* Under the lock. */
static bool is_idle(const struct log_queue *queue)
{
    return !queue->first && !queue->writing && (queue->lost == 0 || queue->refused);
}

static bool wait_idle(struct log_queue *queue, uint64_t wait_ns)
{
    const struct timespec until = time_of(clock_monotonic_ns(clock_system()) + wait_ns);
    int r = 0;

    while (r == 0 && !is_idle(queue))
        r = pthread_cond_timedwait(&queue->idle, &queue->lock, &until);
    return is_idle(queue);
}

bool log_queue_flush(struct log_queue *queue, uint64_t wait_ns)
{
    bool idle;

    pthread_mutex_lock(&queue->lock);
    idle = wait_idle(queue, wait_ns);
    pthread_mutex_unlock(&queue->lock);
    return idle;
}

void log_queue_destroy(struct log_queue *queue, uint64_t wait_ns)
{
    bool ended;

    if (!queue)
        return;
    pthread_mutex_lock(&queue->lock);
    queue->stop = true;
    pthread_cond_signal(&queue->wake);
    ended = wait_idle(queue, wait_ns) || queue->ended;
    queue->abandoned = !ended;
    if (!ended) /* as long as it is there: without the lock the thread may release it */
        pthread_detach(queue->thread);
    pthread_mutex_unlock(&queue->lock);
    if (!ended)
        return;
    pthread_join(queue->thread, NULL);
    end(queue);
}

/* Under the lock. Once lines are missing, half of the room must be free again: a reader that takes
 * one line at a time would else get one that says so before each. */
static bool has_room(const struct log_queue *queue, size_t length)
{
    size_t limit = queue->lost > 0 && !queue->refused ? queue->limit_bytes / 2 : queue->limit_bytes;

    return queue->bytes + length <= limit;
}

void log_queue_add(struct log_queue *queue, const char *data, size_t length)
{
    struct queued_line *line = new_line(data, length), *written;

    pthread_mutex_lock(&queue->lock);
    written = queue->written;
    queue->written = NULL;
    if (line && has_room(queue, length)) {
        if (queue->lost > 0)
            push_lost(queue);
        push(queue, line);
        line = NULL;
    } else {
        queue->lost++;
        queue->dropped_total++;
    }
    pthread_cond_signal(&queue->wake);
    pthread_mutex_unlock(&queue->lock);
    free(line);
    free_lines(written);
}

void log_queue_add_lost(struct log_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->lost++;
    queue->dropped_total++;
    pthread_cond_signal(&queue->wake);
    pthread_mutex_unlock(&queue->lock);
}

void log_queue_hold(struct log_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->holding = true;
    pthread_mutex_unlock(&queue->lock);
}

uint64_t log_queue_mark(struct log_queue *queue)
{
    uint64_t mark;

    pthread_mutex_lock(&queue->lock);
    mark = queue->added;
    pthread_mutex_unlock(&queue->lock);
    return mark;
}

void log_queue_release(struct log_queue *queue, uint64_t mark)
{
    pthread_mutex_lock(&queue->lock);
    queue->released = mark;
    queue->holding = queue->holding && queue->added > mark;
    /* With nothing to write the thread waits for a line, which is not what comes here. */
    if (queue->first)
        pthread_cond_signal(&queue->wake);
    pthread_mutex_unlock(&queue->lock);
}

void log_queue_view(struct log_queue *queue, struct log_queue_view *ret)
{
    pthread_mutex_lock(&queue->lock);
    ret->dropped_total = queue->dropped_total;
    ret->queued_bytes = queue->bytes;
    pthread_mutex_unlock(&queue->lock);
}
