/* Connects to an upstream that fail in routing, before any packet: they count, trip the breaker in
 * the kernel, and end its probing. */
#include "call_fixture.h"

#define THRESHOLD 3

static const char *const unroutable[] = {"192.0.2.1", "198.51.100.1", "2001:db8:2::1",
                                         "2001:db8:3::1"};
#define UNROUTABLE (sizeof(unroutable) / sizeof(unroutable[0]))

static void open_unroutable(struct call_fixture *f, uint64_t enforce)
{
    struct upstream_address addresses[UNROUTABLE + 1];

    call_open(f, enforce, THRESHOLD);
    netns_run("ip route add unreachable 198.51.100.0/26");
    netns_run("ip -6 addr add 2001:db8:1::1/128 dev lo nodad && "
              "ip -6 route add unreachable 2001:db8:3::/64");
    for (size_t i = 0; i < UNROUTABLE; i++) {
        addresses[i] = upstream_at(unroutable[i], strchr(unroutable[i], ':') ? 128 : 32,
                                   UPSTREAM_PORT, UPSTREAM);
        addresses[i].address = (uint32_t)i;
    }
    addresses[UNROUTABLE] = upstream_at("127.0.0.1", 32, UPSTREAM_PORT, UPSTREAM);
    assert_int_equal(probe_upstreams_set(f->probe.probe, addresses, UNROUTABLE + 1), 0);
}

static int try(const char *address)
{
    return connect_to(address, UPSTREAM_PORT, NULL);
}

static uint64_t unreachable(struct call_fixture *f)
{
    return stats_of(f, UPSTREAM).failures[CALL_CONNECT_UNREACHABLE];
}

static void each_is_a_failure(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    struct record_query q = {.type = RECORD_CALL_FAILED, .reason = CALL_CONNECT_UNREACHABLE};

    open_unroutable(f, 0);
    f->row->failure_threshold = 0;
    for (size_t i = 0; i < UNROUTABLE; i++) {
        int error = try(unroutable[i]);

        assert_true(error == ENETUNREACH || error == EHOSTUNREACH);
        assert_int_equal(unreachable(f), i + 1);
        assert_int_equal(f->row->consecutive_failures, i + 1);
    }
    find_records(f, &q);
    assert_int_equal(q.found, UNROUTABLE);
    assert_int_equal(q.last.call_failed.call.pid, getpid());
    assert_int_equal(q.last.call_failed.call.remote_port, UPSTREAM_PORT);
    assert_int_equal(q.last.call_failed.call.address, UNROUTABLE - 1);
    /* Somebody else's port is nobody's failure. */
    assert_int_equal(connect_to("192.0.2.1", UPSTREAM_PORT + 1, NULL), ENETUNREACH);
    assert_int_equal(unreachable(f), UNROUTABLE);
}

static void the_connect_after_the_last_is_refused(void **state)
{
    struct call_fixture *f = call_fixture_of(state);

    open_unroutable(f, 1);
    for (int i = 0; i < THRESHOLD; i++)
        assert_int_equal(try("192.0.2.1"), ENETUNREACH);
    assert_int_equal(f->row->word, BREAKER_WORD(1, BREAKER_OPEN));
    assert_int_equal(try("192.0.2.1"), ECONNREFUSED);
    assert_int_equal(try("2001:db8:2::1"), ECONNREFUSED);
    assert_int_equal(f->row->refused_total, 2);
}

static void a_probe_that_finds_no_route_opens_it_again(void **state)
{
    struct call_fixture *f = call_fixture_of(state);

    for (uint64_t enforce = 0; enforce < 2; enforce++) {
        open_unroutable(f, enforce);
        set_state(f->row, BREAKER_OPEN);
        set_state(f->row, BREAKER_HALF_OPEN);
        assert_int_equal(try("198.51.100.1"), EHOSTUNREACH);
        assert_int_equal(f->row->probes_total, 1);
        assert_int_equal(f->row->half_open_failures, 1);
        assert_int_equal(f->row->word, BREAKER_WORD(3, BREAKER_OPEN));
        fixture_close(&f->probe);
        packet_drop_close(&f->cgroup);
        netns_enter();
    }
}

static void others_than_the_clients_do_not_count(void **state)
{
    struct call_fixture *f = call_fixture_of(state);

    open_unroutable(f, 0);
    f->row->clients_cgroup_id = 1ULL << 60; /* nobody's */
    f->row->clients_level = 1;
    assert_int_equal(try("192.0.2.1"), ENETUNREACH);
    assert_int_equal(unreachable(f), 0);
    f->row->clients_cgroup_id = CLIENTS_EVERYBODY;
    agent_stamp(f, NEVER_NS, (uint64_t)getpid());
    assert_int_equal(try("192.0.2.1"), ENETUNREACH);
    assert_int_equal(unreachable(f), 0);
    agent_stamp(f, NEVER_NS, 0);
    assert_int_equal(try("192.0.2.1"), ENETUNREACH);
    assert_int_equal(unreachable(f), 1);
}

#define SEPARATE(test) cmocka_unit_test_setup_teardown(test, call_setup, call_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SEPARATE(each_is_a_failure),
        SEPARATE(the_connect_after_the_last_is_refused),
        SEPARATE(a_probe_that_finds_no_route_opens_it_again),
        SEPARATE(others_than_the_clients_do_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
