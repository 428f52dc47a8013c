/* Breakers in the kernel: what opens them, and what an open one does to the next connect. */
#include "call_fixture.h"

static int listen_upstream(void)
{
    return listen_at("127.0.0.1", UPSTREAM_PORT, 64);
}

static enum breaker_state state_of(const struct breaker_row *row)
{
    return BREAKER_STATE_OF(__atomic_load_n(&row->word, __ATOMIC_SEQ_CST));
}

static void fail_refused(int listener)
{
    (void)listener; /* nobody listens */
    assert_int_equal(connect_to("127.0.0.1", UPSTREAM_PORT, NULL), ECONNREFUSED);
}

/* Blocks until the connection is seen to be over: a busy CPU delivers packets late, and a client
 * that had closed before would have given up by itself. */
static void wait_over(int client)
{
    char byte;

    assert_true(recv(client, &byte, 1, 0) <= 0);
}

static void fail_reset(int listener)
{
    struct pair p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);

    put(p.client, "request");
    take(p.server);
    close_with_reset(p.server);
    wait_over(p.client);
    close(p.client);
}

static void fail_closed(int listener)
{
    struct pair p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);

    put(p.client, "request");
    take(p.server);
    close(p.server);
    wait_over(p.client);
    close(p.client);
}

static void fail_500(int listener)
{
    struct pair p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);

    put(p.client, "GET / HTTP/1.1\r\n\r\n");
    take(p.server);
    put(p.server, "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n");
    take(p.client);
    close_in_turn(p.client, p.server);
}

static void fail_timeout(int listener)
{
    (void)listener;
}

static const struct failure {
    enum call_failure reason;
    bool listens;
    void (*once)(int listener);
} failures[] = {
    {CALL_CONNECT_REFUSED, false, fail_refused},
    {CALL_RESET, true, fail_reset},
    {CALL_CLOSED, true, fail_closed},
    {CALL_HTTP_5XX, true, fail_500},
    {CALL_TIMED_OUT, true, fail_timeout},
};

/* Calls that hang until they time out, all counted by one scan. */
static void hang(struct call_fixture *f, int listener, unsigned count)
{
    struct call_limit limit = {.timeout_ns = 20 * NS_PER_MS};
    uint64_t deadline = monotonic_ns() + DEADLINE_NS, next_ns;
    uint64_t before = stats_of(f, UPSTREAM).failures[CALL_TIMED_OUT];
    struct pair pairs[8];

    assert_int_equal(probe_call_limit_set(f->probe.probe, UPSTREAM, &limit), 0);
    for (unsigned i = 0; i < count; i++) {
        pairs[i] = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
        put(pairs[i].client, "request");
        take(pairs[i].server);
    }
    while (stats_of(f, UPSTREAM).failures[CALL_TIMED_OUT] < before + count) {
        assert_true(monotonic_ns() < deadline);
        assert_true(probe_calls_scan(f->probe.probe, NULL, NULL, &next_ns) >= 0);
    }
    for (unsigned i = 0; i < count; i++) {
        close(pairs[i].client);
        close(pairs[i].server);
    }
}

static void read_statuses(struct call_fixture *f)
{
    struct call_limit limit = {.http = 1};
    const char *cgroup = f->cgroup.cgroup;
    char error[PROBE_ERROR_BYTES] = "";

    assert_int_equal(probe_call_limit_set(f->probe.probe, UPSTREAM, &limit), 0);
    if (probe_hook_set(f->probe.probe, PROBE_HOOK_HTTP, &cgroup, 1, error) < 0)
        fail_msg("%s", error);
}

/* `count` failures of a kind, seen by the kernel. */
static void fail_times(struct call_fixture *f, const struct failure *failure, int listener,
                       unsigned count)
{
    uint64_t before = stats_of(f, UPSTREAM).failures[failure->reason];

    if (failure->reason == CALL_TIMED_OUT) {
        hang(f, listener, count);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        failure->once(listener);
    WAIT_STATS(f, UPSTREAM, failures[failure->reason], before + count);
}

static void each_failure_opens_it_at_exactly_the_threshold(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    struct pair p;

    call_open(f, 1, 4);
    read_statuses(f);
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        struct record_query opened = {.type = RECORD_BREAKER, .reason = failures[i].reason};
        struct record_query failed = {.type = RECORD_CALL_FAILED, .reason = failures[i].reason};
        int listener = failures[i].listens ? listen_upstream() : -1;
        uint64_t refused = f->row->refused_total, word = f->row->word;

        if (listener >= 0) {
            /* Three failures and a success are no reason. */
            fail_times(f, &failures[i], listener, 3);
            assert_int_equal(state_of(f->row), BREAKER_CLOSED);
            assert_int_equal(f->row->consecutive_failures, 3);
            p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
            call_once(&p);
            close_in_turn(p.client, p.server);
            assert_int_equal(f->row->consecutive_failures, 0);
        }
        fail_times(f, &failures[i], listener, 3);
        assert_int_equal(state_of(f->row), BREAKER_CLOSED);
        fail_times(f, &failures[i], listener, 1);
        assert_int_equal(f->row->word, BREAKER_WORD(BREAKER_EPOCH_OF(word) + 1, BREAKER_OPEN));
        assert_int_equal(f->row->refused_total, refused);
        if (listener < 0) /* the refusal is the breaker's, not the host's */
            listener = listen_upstream();
        assert_int_equal(connect_to("127.0.0.1", UPSTREAM_PORT, NULL), ECONNREFUSED);
        assert_int_equal(connect_to("::1", UPSTREAM_PORT, NULL), ECONNREFUSED);
        assert_int_equal(f->row->refused_total, refused + 2);
        find_records(f, &opened);
        assert_int_equal(opened.found, 1);
        assert_int_equal(opened.last.breaker.call.upstream, UPSTREAM);
        assert_int_equal(opened.last.breaker.call.pid, getpid());
        assert_int_equal(opened.last.breaker.call.remote_port, UPSTREAM_PORT);
        assert_int_equal(opened.last.breaker.call.remote_addr[12], 127);
        assert_int_equal(opened.last.breaker.consecutive_failures, 4);
        assert_int_equal(opened.last.breaker.to, BREAKER_OPEN);
        find_records(f, &failed);
        assert_int_equal(failed.found, failures[i].listens ? 7 : 4);
        set_state(f->row, BREAKER_CLOSED);
        close(listener);
    }
}

static void an_unused_connection_is_a_success(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    struct pair p;
    int listener;

    call_open(f, 1, 4);
    f->row->consecutive_failures = 3;
    listener = listen_upstream();
    p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
    assert_int_equal(f->row->consecutive_failures, 3);
    close_in_turn(p.client, p.server);
    WAIT_STATS(f, UPSTREAM, closed, 1);
    assert_int_equal(f->row->consecutive_failures, 0);
    close(listener);
}

static void statuses_are_counted_exactly(void **state)
{
    static const char *const statuses[] = {"200", "404", "500", "503", "429", "100", "599"};
    struct call_fixture *f = call_fixture_of(state);
    struct call_stats stats;
    struct pair p;
    int listener;

    call_open(f, 0, 0);
    read_statuses(f);
    listener = listen_upstream();
    p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
    for (int i = 0; i < 70; i++) {
        char text[64];

        put(p.client, "GET / HTTP/1.1\r\n\r\n");
        take(p.server);
        snprintf(text, sizeof(text), "HTTP/1.1 %s whatever\r\n\r\n", statuses[i % 7]);
        put(p.server, text);
        take(p.client);
    }
    stats = stats_of(f, UPSTREAM);
    assert_int_equal(stats.failures[CALL_HTTP_5XX], 30);
    assert_int_equal(stats.throttled, 10);
    assert_int_equal(stats.turnaround.count, 70);
    assert_int_equal(failures_in(&stats), 30);
    assert_int_equal(in_flight(f), 0);
    /* Some other protocol, and a status that is cut off: nothing is read into them. */
    put(p.client, "x");
    take(p.server);
    put(p.server, "HTTP/1.1 5");
    take(p.client);
    put(p.client, "x");
    take(p.server);
    put(p.server, "HTTP/1.1 5x0 what");
    take(p.client);
    stats = stats_of(f, UPSTREAM);
    assert_int_equal(failures_in(&stats), 30);
    close_in_turn(p.client, p.server);
    close(listener);
}

static void observing_counts_and_lets_pass(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    int listener, fd;

    call_open(f, 0, 2);
    fail_refused(-1);
    fail_refused(-1);
    assert_int_equal(state_of(f->row), BREAKER_OPEN);
    listener = listen_upstream();
    for (int i = 0; i < 5; i++) {
        assert_int_equal(connect_to("127.0.0.1", UPSTREAM_PORT, &fd), 0);
        close(fd);
    }
    assert_int_equal(f->row->would_refuse_total, 5);
    assert_int_equal(f->row->refused_total, 0);
    set_state(f->row, BREAKER_HALF_OPEN);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(connect_to("127.0.0.1", UPSTREAM_PORT, &fd), 0);
        close(fd);
    }
    assert_int_equal(f->row->probes_total, 3);
    assert_int_equal(f->row->would_refuse_total, 7);
    close(listener);
}

#define SEPARATE(test) cmocka_unit_test_setup_teardown(test, call_setup, call_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SEPARATE(each_failure_opens_it_at_exactly_the_threshold),
        SEPARATE(an_unused_connection_is_a_success),
        SEPARATE(statuses_are_counted_exactly),
        SEPARATE(observing_counts_and_lets_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
