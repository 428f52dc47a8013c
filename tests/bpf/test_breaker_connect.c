/* An open breaker at connect(): refusal, fallback, probes, and everything that is to pass. */
#include "call_fixture.h"
#include "probe/map.h"
#include <stdatomic.h>

#define FALLBACK_PORT (uint16_t)(own_ports.first + 5)
#define PROBERS 64
#define ROUNDS 40

static int try(const char *address, uint16_t port)
{
    return connect_to(address, port, NULL);
}

struct tries {
    uint64_t attempts;
    size_t rows;
};

static void add_tries(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    const struct connect_client *client = values;
    const struct connect_client_key *whose = key;
    struct tries *tries = ctx;
    char comm[COMM_BYTES];

    prctl(PR_GET_NAME, comm);
    assert_int_equal(whose->upstream, UPSTREAM);
    assert_string_equal(whose->comm, comm);
    assert_true(whose->cgroup_id > 1);
    assert_int_equal(client->pid, getpid());
    tries->attempts += client->attempts;
    tries->rows++;
}

static uint64_t tried(struct call_fixture *f)
{
    struct tries tries = {0};

    assert_true(probe_map_for_each(f->probe.probe, "connect_client", add_tries, &tries) >= 0);
    assert_true(tries.rows <= 1);
    return tries.attempts;
}

static void attempts_are_counted_by_client(void **state)
{
    struct breaker_fallback v4 = {.port = FALLBACK_PORT};
    struct call_fixture *f = call_fixture_of(state);
    int fallback;

    call_open(f, 1, 3);
    fallback = listen_at("127.0.0.1", FALLBACK_PORT, 8);
    assert_int_equal(tried(f), 0);
    for (uint64_t i = 1; i <= 6; i++) { /* the second three by the breaker */
        assert_int_equal(try("127.0.0.1", UPSTREAM_PORT), ECONNREFUSED);
        assert_int_equal(tried(f), i);
    }
    assert_int_equal(f->row->refused_total, 3);
    /* What goes elsewhere does not press on the upstream. */
    assert_int_equal(inet_pton(AF_INET6, "::ffff:127.0.0.1", v4.addr), 1);
    breaker_set_fallback(f->row, &v4);
    assert_int_equal(try("127.0.0.1", UPSTREAM_PORT), 0);
    assert_int_equal(try("127.0.0.1", FALLBACK_PORT), 0);
    assert_int_equal(tried(f), 6);
    agent_stamp(f, NEVER_NS, (uint64_t)getpid());
    assert_int_equal(try("127.0.0.1", UPSTREAM_PORT), ECONNREFUSED); /* nobody listens */
    assert_int_equal(tried(f), 6);
    close(fallback);
}

static void an_open_breaker_redirects_to_the_fallback(void **state)
{
    struct breaker_fallback v4 = {.port = FALLBACK_PORT}, v6 = {.port = FALLBACK_PORT};
    struct call_fixture *f = call_fixture_of(state);
    struct endpoint peer;
    int fallback, fallback6, fd, accepted;

    call_open(f, 1, 2);
    assert_int_equal(inet_pton(AF_INET6, "::ffff:127.0.0.1", v4.addr), 1);
    assert_int_equal(inet_pton(AF_INET6, "::1", v6.addr), 1);
    fallback = listen_at("127.0.0.1", FALLBACK_PORT, 8);
    fallback6 = listen_at("::1", FALLBACK_PORT, 8);
    breaker_set_fallback(f->row, &v4);
    set_state(f->row, BREAKER_OPEN);

    assert_int_equal(connect_to("127.0.0.1", UPSTREAM_PORT, &fd), 0);
    peer.len = sizeof(peer.v6);
    assert_int_equal(getpeername(fd, &peer.any, &peer.len), 0);
    assert_int_equal(ntohs(peer.v4.sin_port), FALLBACK_PORT);
    accepted = accept4(fallback, NULL, NULL, SOCK_CLOEXEC);
    assert_true(accepted >= 0);
    /* What it says is not the upstream's. */
    put(fd, "request");
    take(accepted);
    close_with_reset(accepted);
    close(fd);
    /* An IPv4-mapped address leads to it from an IPv6 socket. */
    assert_int_equal(connect_to("::ffff:127.0.0.1", UPSTREAM_PORT, &fd), 0);
    close(fd);
    assert_int_equal(f->row->redirected_total, 2);
    assert_int_equal(f->row->refused_total, 0);
    assert_int_equal(stats_of(f, UPSTREAM).turnaround.count, 0);

    breaker_set_fallback(f->row, &v6);
    assert_int_equal(try("127.0.0.1", UPSTREAM_PORT), ECONNREFUSED); /* no way there */
    assert_int_equal(try("::1", UPSTREAM_PORT), 0);
    assert_int_equal(f->row->redirected_total, 3);
    assert_int_equal(f->row->refused_total, 1);

    /* The fallback is another address of the same upstream: still not counted for it. */
    breaker_set_fallback(f->row, NULL);
    assert_int_equal(try("::1", UPSTREAM_PORT), ECONNREFUSED);
    v4.port = UPSTREAM_PORT;
    breaker_set_fallback(f->row, &v4);
    assert_int_equal(try("::ffff:127.0.0.1", UPSTREAM_PORT), ECONNREFUSED);
    assert_int_equal(stats_of(f, UPSTREAM).failures[CALL_CONNECT_REFUSED], 0);
    close(fallback);
    close(fallback6);
}

static void whatever_is_not_meant_passes(void **state)
{
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons(UPSTREAM_PORT),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct call_fixture *f = call_fixture_of(state);
    int listener, fd;

    call_open(f, 1, 2);
    listener = listen_at("127.0.0.1", UPSTREAM_PORT, 64);
    set_state(f->row, BREAKER_FORCED_OPEN);
    assert_int_equal(try("127.0.0.1", UPSTREAM_PORT), ECONNREFUSED);
    assert_int_equal(try("::ffff:127.0.0.1", UPSTREAM_PORT), ECONNREFUSED);
    assert_int_equal(f->row->refused_total, 2);
    /* UDP */
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    close(fd);
    /* A process outside the cgroup that is attached, then one outside that of the clients. */
    packet_drop_leave(&f->cgroup);
    assert_int_equal(try("127.0.0.1", UPSTREAM_PORT), 0);
    packet_drop_enter(&f->cgroup);
    f->row->clients_level = 1;
    f->row->clients_cgroup_id = f->cgroup.cgroup_id + 1;
    assert_int_equal(try("127.0.0.1", UPSTREAM_PORT), 0);
    f->row->clients_cgroup_id = f->cgroup.cgroup_id;
    assert_int_equal(try("127.0.0.1", UPSTREAM_PORT), ECONNREFUSED);
    /* The agent, and everybody once the agent's time is over. */
    agent_stamp(f, NEVER_NS, (uint64_t)getpid());
    assert_int_equal(try("127.0.0.1", UPSTREAM_PORT), 0);
    agent_stamp(f, monotonic_ns() - 1, 0);
    assert_int_equal(try("127.0.0.1", UPSTREAM_PORT), 0);
    agent_stamp(f, NEVER_NS, 0);
    assert_int_equal(try("127.0.0.1", UPSTREAM_PORT), ECONNREFUSED);
    set_state(f->row, BREAKER_OFF);
    assert_int_equal(try("127.0.0.1", UPSTREAM_PORT), 0);
    set_state(f->row, BREAKER_CLOSED);
    assert_int_equal(try("127.0.0.1", UPSTREAM_PORT), 0);
    assert_int_equal(f->row->refused_total, 4);
    close(listener);
}

static void the_longest_prefix_decides(void **state)
{
    struct upstream_address addresses[] = {
        upstream_at("127.0.0.0", 8, UPSTREAM_PORT, 1),
        upstream_at("127.1.2.0", 24, UPSTREAM_PORT, 2),
        upstream_at("127.1.2.3", 32, UPSTREAM_PORT, 4),
    };
    struct call_fixture *f = call_fixture_of(state);
    int listener;

    call_open(f, 1, 2);
    assert_int_equal(probe_upstreams_set(f->probe.probe, addresses, 3), 0);
    listener = listen_at("0.0.0.0", UPSTREAM_PORT, 64);
    for (int i = 0; i < 5; i++)
        f->rows[i].clients_cgroup_id = CLIENTS_EVERYBODY;
    f->rows[1].enforce = f->rows[2].enforce = f->rows[4].enforce = 1;
    set_state(&f->rows[2], BREAKER_OPEN);
    assert_int_equal(try("127.9.9.9", UPSTREAM_PORT), 0);
    assert_int_equal(try("127.1.2.4", UPSTREAM_PORT), ECONNREFUSED);
    assert_int_equal(try("127.1.2.3", UPSTREAM_PORT), 0);
    set_state(&f->rows[1], BREAKER_OPEN);
    assert_int_equal(try("127.9.9.9", UPSTREAM_PORT), ECONNREFUSED);
    assert_int_equal(try("127.1.2.3", UPSTREAM_PORT), 0);
    /* A smaller table: what is no longer in it passes. */
    assert_int_equal(probe_upstreams_set(f->probe.probe, addresses + 1, 2), 0);
    assert_int_equal(try("127.9.9.9", UPSTREAM_PORT), 0);
    assert_int_equal(try("127.1.2.4", UPSTREAM_PORT), ECONNREFUSED);
    close(listener);
}

struct probers {
    pthread_barrier_t barrier;
    atomic_uint passed, refused;
    int fds[PROBERS];
};

struct prober {
    struct probers *all;
    int index;
};

static void *probe_once(void *ctx)
{
    struct prober *prober = ctx;
    struct endpoint to = endpoint_of(prober->index % 2 ? "127.0.0.1" : "::1", UPSTREAM_PORT);
    int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    pthread_barrier_wait(&prober->all->barrier);
    if (fd >= 0 && connect(fd, &to.any, to.len) == 0)
        prober->all->passed++;
    else if (errno == ECONNREFUSED)
        prober->all->refused++;
    prober->all->fds[prober->index] = fd;
    return NULL;
}

static void half_open_admits_exactly_its_number(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    int listener, listener6;

    call_open(f, 1, 2);
    listener = listen_at("127.0.0.1", UPSTREAM_PORT, 128);
    listener6 = listen_at("::1", UPSTREAM_PORT, 128);
    set_state(f->row, BREAKER_OPEN);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct probers all = {0};
        struct prober probers[PROBERS];
        pthread_t threads[PROBERS];
        unsigned allowed = 1 + round % 7;

        f->row->half_open_max = allowed;
        f->row->success_threshold = PROBERS;
        pthread_barrier_init(&all.barrier, NULL, PROBERS);
        set_state(f->row, BREAKER_HALF_OPEN);
        for (int i = 0; i < PROBERS; i++) {
            probers[i] = (struct prober){&all, i};
            assert_int_equal(pthread_create(&threads[i], NULL, probe_once, &probers[i]), 0);
        }
        for (int i = 0; i < PROBERS; i++)
            pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&all.barrier);
        assert_int_equal(all.passed, allowed);
        assert_int_equal(all.refused, PROBERS - allowed);
        assert_int_equal(f->row->half_open_admitted, PROBERS);
        for (int i = 0; i < PROBERS; i++)
            close(all.fds[i]);
        set_state(f->row, BREAKER_OPEN);
    }
    close(listener);
    close(listener6);
}

#define KNOCKERS 4
#define KNOCKS 40000

/* A refused socket can be tried again at once, so that CPUs meet in the counters. */
static void *knock(void *ctx)
{
    struct endpoint to = endpoint_of("127.0.0.1", UPSTREAM_PORT);
    int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    atomic_uint *refused = ctx;

    for (int i = 0; i < KNOCKS; i++) {
        if (connect(fd, &to.any, to.len) < 0 && errno == ECONNREFUSED)
            (*refused)++;
    }
    close(fd);
    return NULL;
}

static void no_ticket_is_lost(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    pthread_t threads[KNOCKERS];
    atomic_uint refused = 0;

    call_open(f, 1, 2);
    set_state(f->row, BREAKER_OPEN);
    f->row->half_open_max = 0;
    set_state(f->row, BREAKER_HALF_OPEN);
    for (int i = 0; i < KNOCKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, knock, &refused), 0);
    for (int i = 0; i < KNOCKERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(refused, KNOCKERS * KNOCKS);
    assert_int_equal(f->row->half_open_admitted, KNOCKERS * KNOCKS);
    assert_int_equal(f->row->refused_total, KNOCKERS * KNOCKS);
}

static void probes_count_in_their_epoch_only(void **state)
{
    struct record_query enough = {.type = RECORD_BREAKER, .reason = CALL_PROBES_SUCCEEDED};
    struct call_fixture *f = call_fixture_of(state);
    struct pair stale, old, probe[3];
    int listener;

    call_open(f, 1, 2);
    listener = listen_at("127.0.0.1", UPSTREAM_PORT, 64);
    old = pair_open(listener, "127.0.0.1", UPSTREAM_PORT); /* from before it opened */
    set_state(f->row, BREAKER_OPEN);
    set_state(f->row, BREAKER_HALF_OPEN);
    stale = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
    call_once(&stale);
    assert_int_equal(f->row->half_open_successes, 1);
    set_state(f->row, BREAKER_OPEN);
    set_state(f->row, BREAKER_HALF_OPEN);
    call_once(&stale);
    call_once(&old);
    assert_int_equal(f->row->half_open_successes, 0);
    put(old.client, "request");
    take(old.server);
    close_with_reset(old.server);
    WAIT_STATS(f, UPSTREAM, failures[CALL_RESET], 1);
    put(stale.client, "request");
    take(stale.server);
    close_with_reset(stale.server);
    WAIT_STATS(f, UPSTREAM, failures[CALL_RESET], 2);
    assert_int_equal(f->row->half_open_failures, 0);
    assert_int_equal(BREAKER_STATE_OF(f->row->word), BREAKER_HALF_OPEN);
    for (int i = 0; i < 3; i++) {
        probe[i] = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
        call_once(&probe[i]);
        find_records(f, &enough);
        assert_int_equal(enough.found, i == 2);
    }
    assert_int_equal(enough.last.breaker.from, BREAKER_HALF_OPEN);
    assert_int_equal(enough.last.breaker.to, BREAKER_HALF_OPEN);
    assert_int_equal(try("127.0.0.1", UPSTREAM_PORT), ECONNREFUSED);
    /* One failed probe, and it is open again. */
    put(probe[1].client, "request");
    take(probe[1].server);
    close_with_reset(probe[1].server);
    WAIT_STATS(f, UPSTREAM, failures[CALL_RESET], 3);
    assert_int_equal(f->row->half_open_failures, 1);
    assert_int_equal(BREAKER_STATE_OF(f->row->word), BREAKER_OPEN);
    for (int i = 0; i < 3; i++)
        close(probe[i].client);
    close(probe[0].server);
    close(probe[2].server);
    close(old.client);
    close(stale.client);
    close(listener);
}

static void open_sockets_are_closed_when_asked(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    struct pair inside, outside, other;
    int listener, fallback;
    char byte;

    call_open(f, 1, 2);
    listener = listen_at("127.0.0.1", UPSTREAM_PORT, 64);
    fallback = listen_at("127.0.0.1", FALLBACK_PORT, 64);
    inside = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
    other = pair_open(fallback, "127.0.0.1", FALLBACK_PORT);
    packet_drop_leave(&f->cgroup);
    outside = pair_open(listener, "127.0.0.1", UPSTREAM_PORT);
    assert_int_equal(probe_breaker_close_sockets(f->probe.probe, UPSTREAM, f->cgroup.cgroup), 1);
    assert_int_equal(recv(inside.client, &byte, 1, 0), -1);
    assert_int_equal(errno, ECONNABORTED);
    call_once(&outside);
    assert_int_equal(probe_breaker_close_sockets(f->probe.probe, UPSTREAM, NULL), 1);
    assert_int_equal(recv(outside.client, &byte, 1, 0), -1);
    call_once(&other);
    close(inside.client);
    close(inside.server);
    close(outside.client);
    close(outside.server);
    close_in_turn(other.client, other.server);
    assert_int_equal(f->row->consecutive_failures, 0);
    close(listener);
    close(fallback);
}

#define SEPARATE(test) cmocka_unit_test_setup_teardown(test, call_setup, call_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SEPARATE(attempts_are_counted_by_client),
        SEPARATE(an_open_breaker_redirects_to_the_fallback),
        SEPARATE(whatever_is_not_meant_passes),
        SEPARATE(the_longest_prefix_decides),
        SEPARATE(half_open_admits_exactly_its_number),
        SEPARATE(no_ticket_is_lost),
        SEPARATE(probes_count_in_their_epoch_only),
        SEPARATE(open_sockets_are_closed_when_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
