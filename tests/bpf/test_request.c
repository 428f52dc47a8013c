/* Calls: what is one, how long it takes, how it fails, what is in flight. With the sockets' own
 * tracepoints and with their twin. */
#include "call_fixture.h"
#include "probe/probe_state.h"
#include <bpf/libbpf.h>
#include <errno.h>

#define SERVICE 7
#define SERVICE_ROW (UPSTREAMS_MAX + SERVICE)
#define SERVED_PORT (uint16_t)(own_ports.first + 1)

static int setup_twin(void **state)
{
    call_setup(state);
    if (*state)
        call_fixture_of(state)->mode = PROBE_TWIN;
    return 0;
}

static void sleep_ns(uint64_t ns)
{
    struct timespec ts = {.tv_sec = (time_t)(ns / NS_PER_SECOND),
                          .tv_nsec = (long)(ns % NS_PER_SECOND)};

    while (nanosleep(&ts, &ts) < 0) /* on purpose: an answer that takes so long at least */
        ;
}

static void calls_are_counted_one_by_one(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    struct call_stats stats;
    struct pair p;
    int listener;
    char byte, rest[10];

    call_open(f, 0, 5);
    listener = listen_at("127.0.0.1", UPSTREAM_PORT, 8);
    p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
    for (int i = 0; i < 100; i++)
        call_once(&p);
    /* A request in three pieces and an answer in three reads are one call. */
    for (int i = 0; i < 3; i++) {
        put(p.client, "piece");
        take(p.server);
    }
    put(p.server, "abc");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(recv(p.client, &byte, 1, MSG_PEEK), 1);
        assert_int_equal(recv(p.client, &byte, 1, 0), 1);
    }
    stats = stats_of(f, UPSTREAM);
    assert_int_equal(stats.turnaround.count, 101);
    assert_int_equal(stats.opened, 1);
    assert_int_equal(stats.closed, 0);
    /* A look at what is left of the last answer is not the next one. */
    put(p.server, "d");
    wait_readable(p.client);
    put(p.client, "unanswered");
    take(p.server);
    assert_int_equal(recv(p.client, &byte, 1, MSG_PEEK), 1);
    stats = stats_of(f, UPSTREAM);
    assert_int_equal(in_flight(f), 1);
    put(p.server, "now it is");
    assert_int_equal(recv(p.client, rest, sizeof(rest), MSG_WAITALL), sizeof(rest));
    close_in_turn(p.client, p.server);
    WAIT_STATS(f, UPSTREAM, closed, 1);
    stats = stats_of(f, UPSTREAM);
    assert_int_equal(stats.turnaround.count, 102);
    assert_int_equal(in_flight(f), 0);
    assert_int_equal(failures_in(&stats), 0);
    assert_int_equal(stats.bytes_sent, 100 * 7 + 3 * 5 + 10);
    assert_int_equal(stats.bytes_received, 100 * 6 + 3 + 1 + 9);
    assert_true(stats.srtt_count >= 1);
    close(listener);
}

static void the_turnaround_is_the_servers_delay(void **state)
{
    static const uint64_t delays_ms[] = {5, 20, 80};
    struct call_fixture *f = call_fixture_of(state);
    struct pair p;
    int listener;

    call_open(f, 0, 5);
    listener = listen_at("127.0.0.1", UPSTREAM_PORT, 8);
    p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
    for (size_t i = 0; i < sizeof(delays_ms) / sizeof(delays_ms[0]); i++) {
        uint64_t before = stats_of(f, UPSTREAM).turnaround.sum_ns, began, inner, outer, sent, ns;

        began = monotonic_ns();
        put(p.client, "request");
        take(p.server);
        sent = monotonic_ns();
        sleep_ns(delays_ms[i] * NS_PER_MS);
        inner = monotonic_ns() - sent;
        put(p.server, "answer");
        take(p.client);
        outer = monotonic_ns() - began;
        ns = stats_of(f, UPSTREAM).turnaround.sum_ns - before;
        /* Times are kept to 8 ns. */
        assert_in_range(ns, inner - 8, outer + 8);
    }
    close_in_turn(p.client, p.server);
    close(listener);
}

/* Neither how long the client takes to read the answer is the upstream's, nor is the service's less
 * for having come late to the request. Times are kept to 8 ns. */
static void waiting_to_be_read_counts_for_the_service_alone(void **state)
{
    const uint64_t delay_ns = 30 * NS_PER_MS;
    struct call_fixture *f = call_fixture_of(state);
    struct service_key by_port = {SERVICE_PORT, UPSTREAM_PORT, SERVICE};
    struct pair p;
    int listener;

    call_open(f, 0, 5);
    /* A delayed acknowledgement is a packet after the one that the time is taken from. */
    netns_run("ip route replace local 127.0.0.1 dev lo table local src 127.0.0.1 proto kernel "
              "scope host quickack 1");
    listener = listen_at("127.0.0.1", UPSTREAM_PORT, 8);
    assert_int_equal(probe_services_set(f->probe.probe, &by_port, 1), 0);
    p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
    call_once(&p);
    for (int late_reader = 0; late_reader < 2; late_reader++) {
        uint64_t upstream_ns = stats_of(f, UPSTREAM).turnaround.sum_ns;
        uint64_t service_ns = stats_of(f, SERVICE_ROW).turnaround.sum_ns;
        uint64_t began_ns = monotonic_ns(), passed_ns, least_ns, most_ns;

        put(p.client, "request");
        wait_readable(p.server);
        if (!late_reader)
            sleep_ns(delay_ns);
        take(p.server);
        put(p.server, "answer");
        wait_readable(p.client);
        passed_ns = monotonic_ns() - began_ns;
        if (late_reader)
            sleep_ns(delay_ns);
        take(p.client);
        least_ns = late_reader ? 0 : delay_ns - 8;
        most_ns = passed_ns + 8;
        upstream_ns = stats_of(f, UPSTREAM).turnaround.sum_ns - upstream_ns;
        assert_in_range(upstream_ns, least_ns, most_ns);
        service_ns = stats_of(f, SERVICE_ROW).turnaround.sum_ns - service_ns;
        assert_in_range(service_ns, least_ns, most_ns);
    }
    close_in_turn(p.client, p.server);
    close(listener);
}

static void served_calls_are_attributed(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    struct service_key by_port = {SERVICE_PORT, SERVED_PORT, SERVICE};
    struct service_key by_process = {SERVICE_TGID, 1, SERVICE + 1};
    struct service_key by_cgroup = {SERVICE_CGROUP, 0, SERVICE + 2};
    struct call_stats stats;
    struct pair p;
    int listener;

    call_open(f, 0, 5);
    listener = listen_at("127.0.0.1", SERVED_PORT, 8);
    assert_int_equal(probe_services_set(f->probe.probe, &by_port, 1), 0);
    p = pair_open(listener, "127.0.0.1", SERVED_PORT);
    for (int i = 0; i < 10; i++)
        call_once(&p);
    stats = stats_of(f, SERVICE_ROW);
    assert_int_equal(stats.turnaround.count, 10);
    assert_int_equal(stats.opened, 1);
    close_in_turn(p.client, p.server);
    WAIT_STATS(f, SERVICE_ROW, closed, 1);
    assert_int_equal(stats_of(f, SERVICE_ROW).bytes_received, 70);

    /* Nobody's at its first use; known when the process is. */
    assert_int_equal(probe_services_set(f->probe.probe, &by_process, 1), 0);
    p = pair_open(listener, "127.0.0.1", SERVED_PORT);
    call_once(&p);
    assert_int_equal(stats_of(f, SERVICE_ROW + 1).turnaround.count, 0);
    by_process.key = (uint64_t)getpid();
    assert_int_equal(probe_services_set(f->probe.probe, &by_process, 1), 0);
    call_once(&p);
    call_once(&p);
    assert_int_equal(stats_of(f, SERVICE_ROW + 1).turnaround.count, 2);
    close_in_turn(p.client, p.server);

    by_cgroup.key = f->cgroup.cgroup_id;
    assert_int_equal(probe_services_set(f->probe.probe, &by_cgroup, 1), 0);
    p = pair_open(listener, "127.0.0.1", SERVED_PORT);
    call_once(&p);
    assert_int_equal(stats_of(f, SERVICE_ROW + 2).turnaround.count, 1);
    assert_int_equal(stats_of(f, SERVICE_ROW).turnaround.count, 10);
    /* Closed by the service without an answer. */
    put(p.client, "request");
    take(p.server);
    close(p.server);
    WAIT_STATS(f, SERVICE_ROW + 2, failures[CALL_CLOSED], 1);
    close(p.client);
    close(listener);
}

static void every_way_to_fail_has_its_name(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    struct call_stats stats;
    struct pair p;
    char byte;
    int listener;

    call_open(f, 0, 0);
    assert_int_equal(connect_to("127.0.0.1", UPSTREAM_PORT, NULL), ECONNREFUSED);
    assert_int_equal(connect_to("::1", UPSTREAM_PORT, NULL), ECONNREFUSED);
    WAIT_STATS(f, UPSTREAM, failures[CALL_CONNECT_REFUSED], 2);
    listener = listen_at("127.0.0.1", UPSTREAM_PORT, 8);

    p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
    put(p.client, "request");
    take(p.server);
    close_with_reset(p.server);
    WAIT_STATS(f, UPSTREAM, failures[CALL_RESET], 1);
    close(p.client);

    p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
    put(p.client, "request");
    take(p.server);
    close(p.server);
    WAIT_STATS(f, UPSTREAM, failures[CALL_CLOSED], 1);
    close(p.client);

    /* It had only said that its request was complete. */
    p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
    put(p.client, "request");
    shutdown(p.client, SHUT_WR);
    take(p.server);
    assert_int_equal(recv(p.server, &byte, 1, 0), 0);
    close(p.server);
    WAIT_STATS(f, UPSTREAM, failures[CALL_CLOSED], 2);
    close(p.client);

    /* Answered and closed before the client looks. */
    p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
    put(p.client, "request");
    take(p.server);
    put(p.server, "answer");
    close(p.server);
    WAIT_STATS(f, UPSTREAM, turnaround.count, 1);
    take(p.client);
    close(p.client);

    /* Given up by the client: nobody's failure. */
    p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
    put(p.client, "request");
    take(p.server);
    close(p.client);
    WAIT_STATS(f, UPSTREAM, abandoned, 1);
    close(p.server);

    WAIT_STATS(f, UPSTREAM, closed, 5);
    stats = stats_of(f, UPSTREAM);
    assert_int_equal(failures_in(&stats), 5);
    assert_int_equal(in_flight(f), 0);
    assert_int_equal(stats.turnaround.count, 1);
    close(listener);
}

static void count_row(void *ctx, const struct call_row *row)
{
    struct call_row *last = ctx;

    assert_int_equal(row->row, UPSTREAM);
    *last = *row;
}

static void a_hang_is_counted_when_it_becomes_one(void **state)
{
    struct call_limit limit = {.slow_ns = 20 * NS_PER_MS, .timeout_ns = 60 * NS_PER_MS};
    struct record_query q = {.type = RECORD_CALL_FAILED, .reason = CALL_TIMED_OUT};
    struct call_fixture *f = call_fixture_of(state);
    uint64_t began, sent, next_ns = 0;
    struct call_row row = {0};
    struct call_stats stats;
    struct pair p;
    int listener;

    call_open(f, 0, 1);
    assert_int_equal(probe_call_limit_set(f->probe.probe, UPSTREAM, &limit), 0);
    listener = listen_at("127.0.0.1", UPSTREAM_PORT, 8);
    p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
    call_once(&p);
    assert_int_equal(probe_calls_scan(f->probe.probe, count_row, &row, &next_ns), 0);
    began = monotonic_ns();
    put(p.client, "request");
    sent = monotonic_ns();
    take(p.server);
    while (stats_of(f, UPSTREAM).failures[CALL_TIMED_OUT] == 0) {
        uint64_t scanned = monotonic_ns();
        int found = probe_calls_scan(f->probe.probe, count_row, &row, &next_ns);

        assert_int_equal(found, 1);
        assert_in_range(row.since_ns, began - 8, sent);
        assert_int_equal(row.pid, getpid());
        if (row.flags & CALL_FLAG_SLOW)
            assert_true(monotonic_ns() >= began + limit.slow_ns);
        else
            assert_true(scanned < sent + limit.slow_ns);
        if (!(row.flags & CALL_FLAG_TIMED_OUT))
            assert_true(scanned < sent + limit.timeout_ns);
        assert_true(next_ns > scanned);
        while (monotonic_ns() < next_ns && !(row.flags & CALL_FLAG_TIMED_OUT))
            sleep_ns(NS_PER_MS);
    }
    assert_true(monotonic_ns() >= began + limit.timeout_ns);
    find_records(f, &q);
    assert_int_equal(q.found, 1);
    assert_true(q.last.call_failed.age_ns >= limit.timeout_ns);
    assert_int_equal(BREAKER_STATE_OF(f->row->word), BREAKER_OPEN);
    /* It has failed: that it is answered in the end changes nothing. */
    assert_int_equal(probe_calls_scan(f->probe.probe, count_row, &row, &next_ns), 1);
    put(p.server, "at last");
    take(p.client);
    assert_int_equal(probe_calls_scan(f->probe.probe, count_row, &row, &next_ns), 0);
    stats = stats_of(f, UPSTREAM);
    assert_int_equal(failures_in(&stats), 1);
    assert_int_equal(stats.slow, 1);
    assert_int_equal(stats.turnaround.count, 2);
    close_in_turn(p.client, p.server);
    close(listener);
}

static void older_connections_are_taken_up(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    struct service_key by_port = {SERVICE_PORT, UPSTREAM_PORT, SERVICE};
    int listener = -1;
    uint64_t next_ns;
    struct pair p;

    skip_unless_root();
    listener = listen_at("127.0.0.1", UPSTREAM_PORT, 8);
    p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
    call_open(f, 0, 5);
    call_once(&p);
    assert_int_equal(stats_of(f, UPSTREAM).turnaround.count, 0);
    assert_int_equal(probe_services_set(f->probe.probe, &by_port, 1), 0);
    assert_int_equal(probe_calls_scan(f->probe.probe, NULL, NULL, &next_ns), 0);
    call_once(&p);
    assert_int_equal(stats_of(f, UPSTREAM).turnaround.count, 1);
    assert_int_equal(stats_of(f, SERVICE_ROW).turnaround.count, 1);
    assert_int_equal(stats_of(f, UPSTREAM).opened, 1);
    close_in_turn(p.client, p.server);
    WAIT_STATS(f, UPSTREAM, closed, 1);
    assert_int_equal(stats_of(f, UPSTREAM).bytes_sent, 7);
    assert_int_equal(stats_of(f, SERVICE_ROW).bytes_sent, 6);
    close(listener);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, call_setup, call_teardown)
#define TWIN(test)                                                                                 \
    {                                                                                              \
#test " (twin)", test, setup_twin, call_teardown, NULL                                     \
    }

struct range {
    uint32_t next;
    struct call_stats stats[CALL_ROWS_MAX];
};

static void keep_range(void *ctx, uint32_t row, const struct call_stats *stats)
{
    struct range *range = ctx;

    assert_int_equal(row, range->next++);
    range->stats[row] = *stats;
}

static void read_range(struct call_fixture *f, uint32_t first, uint32_t count, struct range *range)
{
    memset(range, 0xff, sizeof(*range));
    range->next = first;
    assert_int_equal(probe_call_stats_range(f->probe.probe, first, count, keep_range, range), 0);
    assert_int_equal(range->next, first + count);
}

/* Every row has other counts on every CPU; ranges of any length say what was put there. */
static void rows_are_read_in_ranges(void **state)
{
    static const uint32_t ranges[][2] = {{0, 1},   {0, 3},
                                         {2, 5},   {0, CALL_ROWS_MAX},
                                         {7, 0},   {CALL_ROWS_MAX - 1, 1},
                                         {256, 4}, {1, CALL_ROWS_MAX - 1}};
    struct call_fixture *f = call_fixture_of(state);
    unsigned cpus = (unsigned)libbpf_num_possible_cpus();
    struct call_stats *values = calloc(cpus, sizeof(*values));
    struct range *range = malloc(sizeof(*range));
    char path[128];
    int fd;

    call_open(f, 0, 0);
    snprintf(path, sizeof(path), "%s/call_stats", f->probe.pins);
    fd = bpf_obj_get(path);
    assert_true(fd >= 0);
    for (uint32_t row = 0; row < CALL_ROWS_MAX; row++) {
        for (unsigned cpu = 0; cpu < cpus; cpu++)
            values[cpu] = (struct call_stats){.opened = row + 1, .srtt_count = cpu};
        assert_int_equal(bpf_map_update_elem(fd, &row, values, BPF_ANY), 0);
    }
    close(fd);
    /* With batches, then as on a kernel that has none for this map. */
    for (int single = 0; single < 2; single++) {
        map_find(f->probe.probe, "call_stats")->no_batch = single;
        for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
            read_range(f, ranges[i][0], ranges[i][1], range);
            for (uint32_t row = ranges[i][0]; row < ranges[i][0] + ranges[i][1]; row++) {
                assert_int_equal(range->stats[row].opened, (uint64_t)cpus * (row + 1));
                assert_int_equal(range->stats[row].srtt_count, (uint64_t)cpus * (cpus - 1) / 2);
            }
        }
        assert_int_equal(map_find(f->probe.probe, "call_stats")->no_batch, single);
    }
    assert_int_equal(probe_call_stats_range(f->probe.probe, 2, CALL_ROWS_MAX - 1, keep_range, NULL),
                     -EINVAL);
    free(range);
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        /* In turn each would be loaded anew. */
        CASE(calls_are_counted_one_by_one),
        CASE(the_turnaround_is_the_servers_delay),
        CASE(waiting_to_be_read_counts_for_the_service_alone),
        CASE(served_calls_are_attributed),
        CASE(every_way_to_fail_has_its_name),
        CASE(a_hang_is_counted_when_it_becomes_one),
        CASE(older_connections_are_taken_up),
        CASE(rows_are_read_in_ranges),
        TWIN(calls_are_counted_one_by_one),
        TWIN(the_turnaround_is_the_servers_delay),
        TWIN(waiting_to_be_read_counts_for_the_service_alone),
        TWIN(served_calls_are_attributed),
        TWIN(every_way_to_fail_has_its_name),
        TWIN(a_hang_is_counted_when_it_becomes_one),
        TWIN(older_connections_are_taken_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
