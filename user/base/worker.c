#include "base/worker.h"
#include "base/clock.h"
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct jobs {
    struct worker_job *first, *last;
    size_t count;
};

struct worker {
    struct worker_config config;
    struct worker_ops ops;
    int event_fd;
    pthread_t thread;
    bool joinable;
    /* Between both, under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool running, stop, held, look;
    bool abandoned; /* whoever comes last releases */
    struct jobs waiting, working, done;
    uint64_t busy_since_ns;
};

static void push(struct jobs *jobs, struct worker_job *job)
{
    job->next = NULL;
    if (jobs->last)
        jobs->last->next = job;
    else
        jobs->first = job;
    jobs->last = job;
    jobs->count++;
}

static struct worker_job *pop(struct jobs *jobs)
{
    struct worker_job *job = jobs->first;

    if (!job)
        return NULL;
    jobs->first = job->next;
    if (!jobs->first)
        jobs->last = NULL;
    jobs->count--;
    job->next = NULL;
    return job;
}

static struct jobs take(struct jobs *from)
{
    struct jobs taken = *from;

    *from = (struct jobs){0};
    return taken;
}

int worker_create(struct worker **ret, const struct worker_config *config,
                  const struct worker_ops *ops)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    int err;

    if (!worker)
        return -ENOMEM;
    worker->config = *config;
    worker->ops = *ops;
    worker->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (worker->event_fd < 0) {
        err = -errno;
        free(worker);
        return err;
    }
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->wake, NULL);
    *ret = worker;
    return 0;
}

static void drop(struct worker *worker, struct jobs *jobs)
{
    struct worker_job *job;

    while ((job = pop(jobs)))
        worker->ops.drop(worker->ops.ctx, job);
}

static void release(struct worker *worker)
{
    const struct worker_ops ops = worker->ops;

    drop(worker, &worker->waiting);
    drop(worker, &worker->done);
    pthread_mutex_destroy(&worker->lock);
    pthread_cond_destroy(&worker->wake);
    close(worker->event_fd);
    free(worker);
    ops.released(ops.ctx);
}

/* Under the lock. Whether there is something to do; false: the thread ends. */
static bool wait_for_work(struct worker *worker)
{
    bool ready;

    for (;;) {
        ready = worker->waiting.count > 0 && (!worker->held || worker->stop);
        if (ready || worker->look || worker->stop || !worker->config.stays)
            return ready || worker->look;
        pthread_cond_wait(&worker->wake, &worker->lock);
    }
}

/* Under the lock, which it leaves for the work. */
static void work(struct worker *worker)
{
    if (!worker->held || worker->stop)
        worker->working = take(&worker->waiting);
    worker->look = false;
    worker->busy_since_ns = clock_monotonic_ns(clock_system());
    pthread_mutex_unlock(&worker->lock);
    worker->ops.work(worker->ops.ctx, worker->working.first);
    pthread_mutex_lock(&worker->lock);
    for (struct worker_job *job; (job = pop(&worker->working));)
        push(&worker->done, job);
    worker->busy_since_ns = 0;
    eventfd_write(worker->event_fd, 1);
}

static void *run(void *arg)
{
    struct worker *worker = arg;
    bool abandoned;

    pthread_setname_np(pthread_self(), worker->config.name);
    pthread_mutex_lock(&worker->lock);
    while (wait_for_work(worker))
        work(worker);
    if (worker->ops.end && worker->config.stays) {
        pthread_mutex_unlock(&worker->lock);
        worker->ops.end(worker->ops.ctx);
        pthread_mutex_lock(&worker->lock);
    }
    worker->running = false;
    worker->busy_since_ns = 0;
    abandoned = worker->abandoned;
    pthread_mutex_unlock(&worker->lock);
    if (abandoned)
        release(worker);
    return NULL;
}

/* Under the lock. One that has ended is joined at once: the lock was the last it waited for. */
static int start(struct worker *worker)
{
    sigset_t all, before;
    int r;

    if (worker->running)
        return 0;
    if (worker->joinable)
        pthread_join(worker->thread, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&worker->thread, NULL, run, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    worker->running = worker->joinable = r == 0;
    if (r == 0)
        worker->busy_since_ns = clock_monotonic_ns(clock_system());
    return r;
}

int worker_submit(struct worker *worker, struct worker_job *job)
{
    int r;

    pthread_mutex_lock(&worker->lock);
    r = worker->waiting.count < worker->config.jobs_max ? start(worker) : -EAGAIN;
    if (r == 0) {
        push(&worker->waiting, job);
        pthread_cond_signal(&worker->wake);
    }
    pthread_mutex_unlock(&worker->lock);
    return r;
}

int worker_look(struct worker *worker)
{
    int r;

    pthread_mutex_lock(&worker->lock);
    r = start(worker);
    if (r == 0) {
        worker->look = true;
        pthread_cond_signal(&worker->wake);
    }
    pthread_mutex_unlock(&worker->lock);
    return r;
}

void worker_return(struct worker *worker, struct worker_job *job)
{
    pthread_mutex_lock(&worker->lock);
    push(&worker->done, job);
    pthread_mutex_unlock(&worker->lock);
}

static bool join_within(const struct worker *worker, uint64_t wait_ns)
{
    uint64_t until_ns = clock_monotonic_ns(clock_system()) + wait_ns;
    const struct timespec until = {.tv_sec = (time_t)(until_ns / NS_PER_SECOND),
                                   .tv_nsec = (long)(until_ns % NS_PER_SECOND)};

    return pthread_clockjoin_np(worker->thread, NULL, CLOCK_MONOTONIC, &until) == 0;
}

void worker_destroy(struct worker *worker, uint64_t wait_ns)
{
    bool running;

    if (!worker)
        return;
    pthread_mutex_lock(&worker->lock);
    worker->stop = true;
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
    if (!worker->joinable || join_within(worker, wait_ns)) {
        release(worker);
        return;
    }
    pthread_detach(worker->thread);
    pthread_mutex_lock(&worker->lock);
    worker->abandoned = true;
    running = worker->running;
    pthread_mutex_unlock(&worker->lock);
    if (!running)
        release(worker);
}

int worker_fd(const struct worker *worker)
{
    return worker->event_fd;
}

void worker_dispatch(struct worker *worker)
{
    struct worker_job *job;
    struct jobs done;
    eventfd_t count;

    eventfd_read(worker->event_fd, &count); /* -EAGAIN: it was read before */
    pthread_mutex_lock(&worker->lock);
    done = take(&worker->done);
    pthread_mutex_unlock(&worker->lock);
    while ((job = pop(&done)))
        worker->ops.done(worker->ops.ctx, job);
}

void worker_hold(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->held = true;
    pthread_mutex_unlock(&worker->lock);
}

void worker_release(struct worker *worker)
{
    pthread_mutex_lock(&worker->lock);
    worker->held = false;
    if (worker->waiting.count > 0)
        pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
}

void worker_each(struct worker *worker, void (*fn)(void *ctx, struct worker_job *job), void *ctx)
{
    pthread_mutex_lock(&worker->lock);
    for (struct worker_job *job = worker->working.first; job; job = job->next)
        fn(ctx, job);
    for (struct worker_job *job = worker->waiting.first; job; job = job->next)
        fn(ctx, job);
    pthread_mutex_unlock(&worker->lock);
}

void worker_view(struct worker *worker, struct worker_view *ret)
{
    pthread_mutex_lock(&worker->lock);
    *ret = (struct worker_view){
        .waiting = worker->waiting.count,
        .working = worker->working.count,
        .busy_since_ns = worker->busy_since_ns,
    };
    pthread_mutex_unlock(&worker->lock);
}

void worker_wait(const struct worker *worker, uint64_t wait_ns)
{
    struct pollfd event = {.fd = worker->event_fd, .events = POLLIN};
    uint64_t until_ns = clock_monotonic_ns(clock_system()) + wait_ns, now_ns;

    while ((now_ns = clock_monotonic_ns(clock_system())) < until_ns &&
           poll(&event, 1, (int)((until_ns - now_ns) / NS_PER_MS) + 1) < 0 && errno == EINTR)
        ;
}
