/* The thread for slow work does all it is given, in order, tells the loop, and stops nobody. */
#include "base/clock.h"
#include "base/worker.h"
#include "program.h"
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define JOBS_MAX 64
#define WAIT_NS (60 * NS_PER_SECOND)

struct job {
    struct worker_job link;
    unsigned number;
};

struct bench {
    struct worker *worker;
    pthread_mutex_t slow; /* while the test has it, the work does not go on */
    unsigned done[2 * JOBS_MAX];
    size_t done_count, dropped;
    unsigned batches, looks, ends;
    bool returns; /* each work hands back a job of its own */
};

/* Outlives the bench's worker. */
static unsigned released;

static void on_work(void *ctx, struct worker_job *first)
{
    struct bench *bench = ctx;

    pthread_mutex_lock(&bench->slow);
    bench->batches += first != NULL;
    bench->looks += first == NULL;
    pthread_mutex_unlock(&bench->slow);
    if (bench->returns) {
        struct job *job = calloc(1, sizeof(*job));

        job->number = 1000;
        worker_return(bench->worker, &job->link);
    }
}

static void on_end(void *ctx)
{
    ((struct bench *)ctx)->ends++;
}

static void on_done(void *ctx, struct worker_job *link)
{
    struct bench *bench = ctx;

    bench->done[bench->done_count++] = ((struct job *)link)->number;
    free(link);
}

static void on_drop(void *ctx, struct worker_job *link)
{
    ((struct bench *)ctx)->dropped++;
    free(link);
}

static void on_released(void *ctx)
{
    (void)ctx;
    __atomic_add_fetch(&released, 1, __ATOMIC_SEQ_CST);
}

static void open_bench(struct bench *bench, bool stays)
{
    const struct worker_config config = {.name = "bench", .jobs_max = JOBS_MAX, .stays = stays};
    const struct worker_ops ops = {.work = on_work,
                                   .end = stays ? on_end : NULL,
                                   .done = on_done,
                                   .drop = on_drop,
                                   .released = on_released,
                                   .ctx = bench};

    *bench = (struct bench){.slow = PTHREAD_MUTEX_INITIALIZER};
    released = 0;
    assert_int_equal(worker_create(&bench->worker, &config, &ops), 0);
}

static int submit(struct bench *bench, unsigned number)
{
    struct job *job = calloc(1, sizeof(*job));
    int r;

    job->number = number;
    r = worker_submit(bench->worker, &job->link);
    if (r < 0)
        free(job);
    return r;
}

static void wait_for_done(struct bench *bench, size_t count)
{
    uint64_t deadline_ns = clock_monotonic_ns(clock_system()) + WAIT_NS;

    while (bench->done_count < count) {
        worker_wait(bench->worker, NS_PER_SECOND);
        worker_dispatch(bench->worker);
        assert_true(clock_monotonic_ns(clock_system()) < deadline_ns);
    }
}

static void jobs_come_back_in_order(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, true);
    for (unsigned i = 0; i < JOBS_MAX; i++)
        assert_int_equal(submit(&bench, i), 0);
    wait_for_done(&bench, JOBS_MAX);
    for (unsigned i = 0; i < JOBS_MAX; i++)
        assert_int_equal(bench.done[i], i);
    worker_destroy(bench.worker, WAIT_NS);
    assert_int_equal(bench.ends, 1);
    assert_int_equal(released, 1);
    assert_int_equal(bench.dropped, 0);
}

static void what_is_held_is_one_piece_of_work(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, true);
    bench.returns = true;
    worker_hold(bench.worker);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(submit(&bench, i), 0);
    /* It looks meanwhile, and has nothing in its hands. */
    assert_int_equal(worker_look(bench.worker), 0);
    wait_for_done(&bench, 1);
    assert_int_equal(bench.looks, 1);
    assert_int_equal(bench.done[0], 1000);
    worker_release(bench.worker);
    wait_for_done(&bench, 5);
    assert_int_equal(bench.batches, 1);
    assert_int_equal(bench.done[1], 1000);
    assert_int_equal(bench.done[4], 2);
    worker_hold(bench.worker);
    assert_int_equal(submit(&bench, 9), 0);
    worker_destroy(bench.worker, WAIT_NS);
    assert_int_equal(bench.batches, 2);
    assert_int_equal(bench.dropped, 2); /* done, but nobody asked */
}

static void count(void *ctx, struct worker_job *link)
{
    *(unsigned *)ctx += ((struct job *)link)->number;
}

static void more_than_may_wait_is_refused(void **state)
{
    struct worker_view view;
    unsigned sum = 0;
    struct bench bench;

    (void)state;
    open_bench(&bench, true);
    worker_hold(bench.worker);
    for (unsigned i = 0; i < JOBS_MAX; i++)
        assert_int_equal(submit(&bench, 1), 0);
    assert_int_equal(submit(&bench, 1), -EAGAIN);
    worker_each(bench.worker, count, &sum);
    assert_int_equal(sum, JOBS_MAX);
    worker_view(bench.worker, &view);
    assert_int_equal(view.waiting, JOBS_MAX);
    worker_release(bench.worker);
    wait_for_done(&bench, JOBS_MAX);
    worker_view(bench.worker, &view);
    assert_int_equal(view.waiting + view.working, 0);
    worker_destroy(bench.worker, WAIT_NS);
}

static unsigned threads(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    unsigned n = 0;

    assert_non_null(tasks);
    while ((entry = readdir(tasks)))
        n += entry->d_name[0] != '.';
    closedir(tasks);
    return n;
}

static void wait_for_threads(unsigned wanted)
{
    uint64_t deadline_ns = clock_monotonic_ns(clock_system()) + WAIT_NS;

    while (threads() != wanted) {
        assert_true(clock_monotonic_ns(clock_system()) < deadline_ns);
        pause_briefly();
    }
}

static void at_rest_there_is_no_thread(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, false);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(submit(&bench, i), 0);
        wait_for_done(&bench, i);
        wait_for_threads(1);
    }
    worker_destroy(bench.worker, WAIT_NS);
    assert_int_equal(released, 1);
}

static void one_that_hangs_is_left_and_ends_what_it_has(void **state)
{
    uint64_t deadline_ns = clock_monotonic_ns(clock_system()) + WAIT_NS;
    static struct bench bench;

    (void)state;
    open_bench(&bench, true);
    pthread_mutex_lock(&bench.slow);
    assert_int_equal(submit(&bench, 1), 0);
    assert_int_equal(submit(&bench, 2), 0);
    worker_destroy(bench.worker, NS_PER_MS);
    assert_int_equal(released, 0);
    pthread_mutex_unlock(&bench.slow);
    while (!__atomic_load_n(&released, __ATOMIC_SEQ_CST)) {
        assert_true(clock_monotonic_ns(clock_system()) < deadline_ns);
        pause_briefly();
    }
    wait_for_threads(1);
    assert_int_equal(bench.dropped, 2);
    assert_int_equal(bench.ends, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_come_back_in_order),
        cmocka_unit_test(what_is_held_is_one_piece_of_work),
        cmocka_unit_test(more_than_may_wait_is_refused),
        cmocka_unit_test(at_rest_there_is_no_thread),
        cmocka_unit_test(one_that_hangs_is_left_and_ends_what_it_has),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
