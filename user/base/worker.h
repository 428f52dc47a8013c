/* The one shape of a thread for slow work: jobs in, in order, and their completion on the loop.
 *
 * A disk that hangs stops the thread alone: nothing here waits for it but what says for how long.
 * The thread takes no signals, which are for the loop.
 *
 * All functions are for the thread of the loop, except where they say otherwise.
 */
#ifndef MOONWATCH_BASE_WORKER_H
#define MOONWATCH_BASE_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct worker;

/* The first member of what is to be done. */
struct worker_job {
    struct worker_job *next;
};

struct worker_config {
    const char *name; /* of the thread, 15 bytes; borrowed */
    size_t jobs_max;  /* that wait */
    bool stays;       /* the thread waits for the next job; else it ends with the last one */
};

struct worker_ops {
    /* On the thread: does these jobs, in order, and leaves the list as it is, of which
     * worker_each() reads meanwhile. NULL: it is to look, as worker_look() asked for. */
    void (*work)(void *ctx, struct worker_job *first);
    /* On the thread, as its last act, of one that stays; may be NULL. */
    void (*end)(void *ctx);
    /* The job is the owner's again. */
    void (*done)(void *ctx, struct worker_job *job);
    /* So it is, but nobody asks for it any more; may come from the thread. */
    void (*drop)(void *ctx, struct worker_job *job);
    /* The last call: from worker_destroy(), or from a thread that hung then and came back. */
    void (*released)(void *ctx);
    void *ctx;
};

/* The thread begins with the first job, or look. */
int worker_create(struct worker **ret, const struct worker_config *config,
                  const struct worker_ops *ops);
/* Waits at most so long for what waits to be done. A thread that takes longer does it still, should
 * it come back, and releases all then. NULL is fine. */
void worker_destroy(struct worker *worker, uint64_t wait_ns);

/* Readable, for EPOLLIN, when worker_dispatch() has something to do, and after each look. */
int worker_fd(const struct worker *worker);
void worker_dispatch(struct worker *worker);

/* -EAGAIN: too many wait; or why there is no thread. The job stays the caller's then. */
int worker_submit(struct worker *worker, struct worker_job *job);
int worker_look(struct worker *worker);
/* On the thread, inside work(): a job of its own for done(), before those it works on. */
void worker_return(struct worker *worker, struct worker_job *job);

/* What is submitted from here on gets to the thread together, with the release, or at the end. */
void worker_hold(struct worker *worker);
void worker_release(struct worker *worker);

/* Each job in the hands of the thread, then each that waits for it. `fn` must not call back. */
void worker_each(struct worker *worker, void (*fn)(void *ctx, struct worker_job *job), void *ctx);

struct worker_view {
    size_t waiting, working; /* jobs */
    uint64_t busy_since_ns;  /* monotonic: when the thread began with what it does; 0: it rests */
};
void worker_view(struct worker *worker, struct worker_view *ret);

/* Until worker_fd() is readable, at most so long. */
void worker_wait(const struct worker *worker, uint64_t wait_ns);

#endif
