/* The calls a rate is taken over: the last N of them, or those of the last N seconds. Memory is
 * taken once, and feeding costs no more than the window is long, however many calls a tick brings.
 */
#ifndef MOONWATCH_BREAKER_CALL_WINDOW_H
#define MOONWATCH_BREAKER_CALL_WINDOW_H

#include <stdint.h>

struct calls {
    uint64_t count;
    uint64_t failed;
    uint64_t slow; /* answered late, whether or not they failed */
};

enum call_window_kind { CALL_WINDOW_COUNT, CALL_WINDOW_TIME };

/* A window of time is kept in so many buckets: it covers its length less at most one of them. */
#define CALL_WINDOW_BUCKETS 32

struct call_window;

/* `length` in calls (1 to 10,000; exactly the last so many are kept) or in nanoseconds. */
int call_window_create(struct call_window **ret, enum call_window_kind kind, uint64_t length);
void call_window_destroy(struct call_window *w);
void call_window_clear(struct call_window *w);

/* Takes what a tick counted. Nothing tells in which order its calls came: the failed and the slow
 * ones are spread evenly, so that what leaves the window first is no better than what stays. More
 * failed or slow than calls are taken as all of them. `now_ns` is not before the last one. */
void call_window_add(struct call_window *w, uint64_t now_ns, const struct calls *calls);

/* The calls in the window at `now_ns`. */
void call_window_sum(struct call_window *w, uint64_t now_ns, struct calls *ret);

#endif
