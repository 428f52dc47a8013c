/* What happens in another network namespace is not this one's: not evidence, and not refused. */
#include "call_fixture.h"
#include "service/netns.h"

#define THRESHOLD 3
#define SERVICE 5
#define SERVICE_ROW (UPSTREAMS_MAX + SERVICE)

static uint64_t cookie_of(const char *netns)
{
    struct netns_seen seen = {0};
    uint64_t cookie;

    assert_int_equal(netns_find(netns, &seen, &cookie), 0);
    return cookie;
}

static int try(void)
{
    return connect_to("127.0.0.1", UPSTREAM_PORT, NULL);
}

static void open_own(struct call_fixture *f, uint64_t enforce)
{
    call_open(f, enforce, THRESHOLD);
    f->row->netns_cookie = cookie_of(NETNS_OWN);
}

/* Runs in a process in a namespace of its own, and ends it. */
static int in_another(struct call_fixture *f, int (*act)(struct call_fixture *f))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        netns_enter();
        _exit(act(f));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int fail_often(struct call_fixture *f)
{
    (void)f;
    for (int i = 0; i < 2 * THRESHOLD; i++)
        if (try() != ECONNREFUSED)
            return 1;
    return 0;
}

static int be_served(struct call_fixture *f)
{
    int listener = listen_at("127.0.0.1", UPSTREAM_PORT, 8);
    struct pair p;

    (void)f;
    if (connect_to("127.0.0.1", UPSTREAM_PORT, &p.client) != 0)
        return 1;
    p.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    call_once(&p);
    close_in_turn(p.client, p.server);
    close(listener);
    return 0;
}

static int find_no_route(struct call_fixture *f)
{
    (void)f;
    for (int i = 0; i < 2 * THRESHOLD; i++)
        if (connect_to("192.0.2.1", UPSTREAM_PORT, NULL) != ENETUNREACH ||
            connect_to("2001:db8::1", UPSTREAM_PORT, NULL) != ENETUNREACH)
            return 1;
    return 0;
}

static uint64_t failures(struct call_fixture *f)
{
    struct call_stats stats = stats_of(f, UPSTREAM);

    return failures_in(&stats);
}

static void another_namespace_is_no_evidence(void **state)
{
    struct call_fixture *f = call_fixture_of(state);

    open_own(f, 0);
    assert_int_equal(in_another(f, fail_often), 0);
    assert_int_equal(in_another(f, be_served), 0);
    assert_int_equal(failures(f), 0);
    assert_int_equal(stats_of(f, UPSTREAM).opened, 0);
    assert_int_equal(f->row->word, 0);
    for (int i = 0; i < THRESHOLD; i++)
        assert_int_equal(try(), ECONNREFUSED);
    assert_int_equal(failures(f), THRESHOLD);
    assert_int_equal(BREAKER_STATE_OF(f->row->word), BREAKER_OPEN);
}

static void another_namespace_is_not_refused(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    int listener;

    open_own(f, 1);
    set_state(f->row, BREAKER_FORCED_OPEN);
    assert_int_equal(in_another(f, be_served), 0);
    assert_int_equal(f->row->refused_total, 0);
    listener = listen_at("127.0.0.1", UPSTREAM_PORT, 8);
    assert_int_equal(try(), ECONNREFUSED);
    assert_int_equal(f->row->refused_total, 1);
    f->row->netns_cookie = 0;
    assert_int_equal(in_another(f, fail_often), 0);
    assert_int_equal(f->row->refused_total, 1 + 2 * THRESHOLD);
    close(listener);
}

static void any_namespace_is_evidence_when_asked_for(void **state)
{
    struct call_fixture *f = call_fixture_of(state);

    call_open(f, 0, THRESHOLD);
    assert_int_equal(in_another(f, fail_often), 0);
    assert_int_equal(failures(f), 2 * THRESHOLD);
    assert_int_equal(BREAKER_STATE_OF(f->row->word), BREAKER_OPEN);
}

static void routes_of_another_namespace_are_no_evidence(void **state)
{
    struct upstream_address addresses[2];
    struct call_fixture *f = call_fixture_of(state);

    open_own(f, 0);
    addresses[0] = upstream_at("192.0.2.1", 32, UPSTREAM_PORT, UPSTREAM);
    addresses[1] = upstream_at("2001:db8::1", 128, UPSTREAM_PORT, UPSTREAM);
    assert_int_equal(probe_upstreams_set(f->probe.probe, addresses, 2), 0);
    netns_run("ip -6 addr add 2001:db8:1::1/128 dev lo nodad");
    assert_int_equal(in_another(f, find_no_route), 0);
    assert_int_equal(failures(f), 0);
    find_no_route(f);
    assert_true(failures(f) > 0);
}

/* Connected as nobody's, then the row is that of the namespace in rows[0]: the walk may take it up.
 */
static int be_served_and_looked_at(struct call_fixture *f)
{
    int listener = listen_at("127.0.0.1", UPSTREAM_PORT, 8);
    struct pair p;

    f->row->netns_cookie = 1ULL << 40; /* nobody's, while it is made */
    p = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
    f->row->netns_cookie = f->rows[0].netns_cookie;
    put(p.client, "request");
    return in_flight(f);
}

static void a_walk_takes_up_no_connection_of_another_namespace(void **state)
{
    struct call_fixture *f = call_fixture_of(state);

    open_own(f, 0);
    f->rows[0].netns_cookie = f->row->netns_cookie;
    in_another(f, be_served_and_looked_at);
    assert_int_equal(stats_of(f, UPSTREAM).opened, 0);
    be_served_and_looked_at(f);
    assert_int_equal(stats_of(f, UPSTREAM).opened, 1);
}

static void a_service_has_the_port_of_its_namespace(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    struct service_key key = {SERVICE_PORT, 0, SERVICE};

    call_open(f, 0, THRESHOLD);
    key.key = SERVICE_PORT_KEY(cookie_of(NETNS_OWN), UPSTREAM_PORT);
    assert_int_equal(probe_services_set(f->probe.probe, &key, 1), 0);
    assert_int_equal(in_another(f, be_served), 0);
    assert_int_equal(stats_of(f, SERVICE_ROW).opened, 0);
    assert_int_equal(be_served(f), 0);
    assert_int_equal(stats_of(f, SERVICE_ROW).opened, 1);
    key.key = SERVICE_PORT_KEY(cookie_of(NETNS_ANY), UPSTREAM_PORT);
    assert_int_equal(probe_services_set(f->probe.probe, &key, 1), 0);
    assert_int_equal(in_another(f, be_served), 0);
    assert_int_equal(stats_of(f, SERVICE_ROW).opened, 2);
}

static int is_itself(struct call_fixture *f)
{
    struct netns_seen seen = {0};
    char path[64];
    uint64_t cookie, again;

    snprintf(path, sizeof(path), "/proc/%d/ns/net", getppid());
    return !(cookie_of(path) == f->rows[0].netns_cookie &&
             cookie_of(NETNS_OWN) != f->rows[0].netns_cookie &&
             cookie_of("/proc/self/ns/net") == cookie_of(NETNS_OWN) &&
             netns_find(path, &seen, &cookie) == 0 && netns_find(path, &seen, &again) == 0 &&
             cookie == again);
}

static void a_namespace_is_found_by_its_path(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    struct netns_seen seen = {0};
    uint64_t cookie;

    open_own(f, 0);
    f->rows[0].netns_cookie = f->row->netns_cookie;
    assert_true(f->row->netns_cookie > 0);
    assert_int_equal(in_another(f, is_itself), 0);
    assert_int_equal(cookie_of(NETNS_ANY), 0);
    assert_int_equal(netns_find("/proc/self/ns/not", &seen, &cookie), -ENOENT);
    assert_int_equal(netns_find("/etc/passwd", &seen, &cookie), -EINVAL);
    assert_int_equal(netns_find("/proc/self/ns/uts", &seen, &cookie), -EINVAL);
    assert_int_equal(seen.cookie, 0);
    assert_int_equal(cookie, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(another_namespace_is_no_evidence, call_setup,
                                        call_teardown),
        cmocka_unit_test_setup_teardown(another_namespace_is_not_refused, call_setup,
                                        call_teardown),
        cmocka_unit_test_setup_teardown(any_namespace_is_evidence_when_asked_for, call_setup,
                                        call_teardown),
        cmocka_unit_test_setup_teardown(routes_of_another_namespace_are_no_evidence, call_setup,
                                        call_teardown),
        cmocka_unit_test_setup_teardown(a_walk_takes_up_no_connection_of_another_namespace,
                                        call_setup, call_teardown),
        cmocka_unit_test_setup_teardown(a_service_has_the_port_of_its_namespace, call_setup,
                                        call_teardown),
        cmocka_unit_test_setup_teardown(a_namespace_is_found_by_its_path, call_setup,
                                        call_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
