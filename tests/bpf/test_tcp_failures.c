/* Failed connects of every kind, really produced: one record with all its fields, one count. */
#include "tcp_fixture.h"
#include "told_fixture.h"
#include "tun_peer.h"
#include <sys/prctl.h>

#define PORT own_ports.first
#define COMM "mw-test-connect"

static int tun = -1;
static struct told_bpf *told;

static int setup(void **state)
{
    prctl(PR_SET_NAME, COMM);
    return tcp_setup(state);
}

static int teardown(void **state)
{
    if (tun >= 0)
        close(tun);
    tun = -1;
    told_bpf__destroy(told);
    told = NULL;
    return tcp_teardown(state);
}

/* What one attempt came to, as its caller saw it. */
struct attempt {
    const char *address;
    uint16_t port;
    enum connect_failure reason;
    int error;
    bool sent; /* a SYN; else there is no time to tell */
    uint64_t elapsed_min_ns, elapsed_max_ns;
};

static bool has_record(struct probe_fixture *probe, void *ctx)
{
    const uint16_t *port = ctx;

    for (size_t i = 0; i < probe->count; i++)
        if (probe->records[i].head.type == RECORD_CONNECT_FAILED &&
            probe->records[i].connect_failed.remote_port == *port)
            return true;
    return false;
}

static void check_address(const struct record_connect_failed *record, const char *address)
{
    static const char mapped[] = "::ffff:";
    static const unsigned char none[16];
    struct endpoint to;

    if (strncmp(address, mapped, strlen(mapped)) == 0)
        address += strlen(mapped);
    to = endpoint_of(address, 0);
    assert_int_equal(record->family, to.any.sa_family);
    if (to.any.sa_family == AF_INET6) {
        assert_memory_equal(record->remote_addr, &to.v6.sin6_addr, 16);
        return;
    }
    assert_memory_equal(record->remote_addr, &to.v4.sin_addr, 4);
    assert_memory_equal(record->remote_addr + 4, none, 12);
}

/* The only failure to its port. */
static struct record_connect_failed wait_for_record(struct tcp_fixture *f, uint16_t port)
{
    struct record_connect_failed record = {0};
    size_t count = 0;

    fixture_wait(&f->probe, has_record, &port, "the record of a failed connect");
    for (size_t i = 0; i < f->probe.count; i++) {
        const struct record_connect_failed *r = &f->probe.records[i].connect_failed;

        if (r->head.type != RECORD_CONNECT_FAILED || r->remote_port != port)
            continue;
        record = *r;
        count++;
    }
    assert_int_equal(count, 1);
    return record;
}

static void expect(struct tcp_fixture *f, struct attempt *a)
{
    struct record_connect_failed record = wait_for_record(f, a->port);
    struct tcp_stats row;

    assert_int_equal(record.reason, a->reason);
    assert_int_equal(record.error, a->error);
    check_address(&record, a->address);
    assert_int_equal(record.pid, getpid());
    assert_string_equal(record.comm, COMM);
    assert_int_equal(record.cgroup_id, f->drop.cgroup_id);
    if (a->sent)
        assert_in_range(record.elapsed_ns, a->elapsed_min_ns + 1, a->elapsed_max_ns);
    else
        assert_int_equal(record.elapsed_ns, 0);
    row = row_of(f, TCP_CLIENT, a->port);
    assert_int_equal(row.connects_failed[a->reason], 1);
    assert_int_equal(failures_of(&row), 1);
    assert_int_equal(row.connect.count, 0);
    assert_int_equal(row.opened, 0);
    assert_int_equal(row.closed, 0);
}

/* Sockets made from now on are of a cgroup of the test's own. */
static void open_in_cgroup(struct tcp_fixture *f)
{
    tcp_open(f);
    if (!packet_drop_open(&f->drop)) {
        print_message("no cgroup v2\n");
        skip();
    }
    packet_drop_enter(&f->drop);
}

/* A blocking connect that fails as `a` says; `prepare` may be NULL. */
static void make_attempt(struct attempt *a, void (*prepare)(int fd))
{
    struct endpoint to = endpoint_of(a->address, a->port);
    int fd = tcp_socket_for(&to, 0);
    uint64_t began;

    if (prepare)
        prepare(fd);
    began = monotonic_ns();
    assert_int_equal(connect(fd, &to.any, to.len), -1);
    assert_int_equal(errno, a->error);
    a->elapsed_max_ns = monotonic_ns() - began;
    close(fd);
}

static void check_connect(struct tcp_fixture *f, struct attempt a)
{
    make_attempt(&a, NULL);
    expect(f, &a);
}

/* One that a timer fails, which the kernel may tell no program of: then with another port. */
static void check_connect_by_timer(struct tcp_fixture *f, struct attempt a, void (*prepare)(int fd))
{
    told = told_open();
    for (a.port = PORT;; a.port++) {
        assert_true(a.port < PORT + OWN_PORTS);
        make_attempt(&a, prepare);
        if (told_until_now(told).connects_failed > 0)
            break;
    }
    expect(f, &a);
}

static int start_connect(const char *address, uint16_t port)
{
    struct endpoint to = endpoint_of(address, port);
    int fd = tcp_socket_for(&to, SOCK_NONBLOCK);

    assert_int_equal(connect(fd, &to.any, to.len), -1);
    assert_int_equal(errno, EINPROGRESS);
    return fd;
}

static int wait_for_error(int fd)
{
    struct pollfd over = {.fd = fd, .events = POLLOUT};
    socklen_t len = sizeof(int);
    int error = 0;

    assert_int_equal(poll(&over, 1, DEADLINE_NS / NS_PER_MS), 1);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    return error;
}

static void refused(void **state)
{
    static const char *const addresses[] = {"127.0.0.1", "::1", "::ffff:127.0.0.1"};
    struct tcp_fixture *f = tcp_fixture_of(state);

    open_in_cgroup(f);
    for (uint16_t i = 0; i < 3; i++)
        check_connect(f, (struct attempt){.address = addresses[i],
                                          .port = (uint16_t)(PORT + i),
                                          .reason = CONNECT_REFUSED,
                                          .error = ECONNREFUSED,
                                          .sent = true});
}

static void limit_waiting(int fd)
{
    unsigned limit_ms = 300;

    assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit_ms, sizeof(limit_ms)), 0);
}

static void timed_out(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);

    open_in_cgroup(f);
    tun = tun_open();
    /* The limit is looked at when the first SYN is to be sent again. */
    check_connect_by_timer(f,
                           (struct attempt){.address = TUN_ADDRESS,
                                            .reason = CONNECT_TIMED_OUT,
                                            .error = ETIMEDOUT,
                                            .sent = true,
                                            .elapsed_min_ns = 900 * NS_PER_MS},
                           limit_waiting);
}

/* They fail before a SYN is sent. */
static void unreachable_by_route(void **state)
{
    static const struct {
        const char *address;
        int error;
    } cases[] = {
        {"192.0.2.1", ENETUNREACH}, {"198.51.100.1", EHOSTUNREACH}, {"198.51.100.65", EACCES},
        {"198.51.100.129", EINVAL}, {"2001:db8:2::1", ENETUNREACH}, {"2001:db8:3::1", EHOSTUNREACH},
        {"2001:db8:4::1", EACCES},  {"2001:db8:5::1", EINVAL},
    };
    struct tcp_fixture *f = tcp_fixture_of(state);

    open_in_cgroup(f);
    netns_run("ip route add unreachable 198.51.100.0/26 && ip route add prohibit 198.51.100.64/26 "
              "&& ip route add blackhole 198.51.100.128/26");
    netns_run("ip -6 addr add 2001:db8:1::1/128 dev lo nodad && "
              "ip -6 route add unreachable 2001:db8:3::/64 && "
              "ip -6 route add prohibit 2001:db8:4::/64 && "
              "ip -6 route add blackhole 2001:db8:5::/64");
    for (uint16_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_connect(f, (struct attempt){.address = cases[i].address,
                                          .port = (uint16_t)(PORT + i),
                                          .reason = CONNECT_UNREACHABLE,
                                          .error = cases[i].error});
}

static void told_by_icmp(void **state)
{
    static const struct {
        uint8_t type, code;
        int error;
        enum connect_failure reason;
    } cases[] = {
        {ICMP_DEST_UNREACH, ICMP_NET_UNREACH, ENETUNREACH, CONNECT_UNREACHABLE},
        {ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, EHOSTUNREACH, CONNECT_UNREACHABLE},
        {ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, ENOPROTOOPT, CONNECT_UNREACHABLE},
        {ICMP_DEST_UNREACH, ICMP_HOST_UNKNOWN, EHOSTDOWN, CONNECT_UNREACHABLE},
        {ICMP_DEST_UNREACH, ICMP_HOST_ISOLATED, ENONET, CONNECT_UNREACHABLE},
        {ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, EHOSTUNREACH, CONNECT_UNREACHABLE},
        {ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, EHOSTUNREACH, CONNECT_UNREACHABLE},
        {ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, ECONNREFUSED, CONNECT_REFUSED},
    };
    struct tcp_fixture *f = tcp_fixture_of(state);

    open_in_cgroup(f);
    tun = tun_open();
    for (uint16_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct attempt a = {.address = TUN_ADDRESS,
                            .port = (uint16_t)(PORT + i),
                            .reason = cases[i].reason,
                            .error = cases[i].error,
                            .sent = true};
        uint64_t began = monotonic_ns();
        int fd = start_connect(a.address, a.port);
        struct tun_segment syn = tun_receive_to(tun, a.port, TH_SYN);

        tun_send_icmp(tun, &syn, cases[i].type, cases[i].code);
        assert_int_equal(wait_for_error(fd), a.error);
        a.elapsed_max_ns = monotonic_ns() - began;
        expect(f, &a);
        close(fd);
    }
}

static void no_neighbour_answers(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);

    open_in_cgroup(f);
    netns_run("ip link add mwveth0 type veth peer name mwveth1 && ip link set mwveth1 up && "
              "ip link set mwveth0 up && ip addr add 10.78.0.1/24 dev mwveth0");
    netns_sysctl("ipv4/neigh/mwveth0/retrans_time_ms", "50");
    check_connect_by_timer(f,
                           (struct attempt){.address = "10.78.0.2",
                                            .reason = CONNECT_UNREACHABLE,
                                            .error = EHOSTUNREACH,
                                            .sent = true,
                                            .elapsed_min_ns = 50 * NS_PER_MS},
                           NULL);
}

/* The peer wants to connect as well, then changes its mind. */
static void reset_after_a_simultaneous_open(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    struct attempt a = {.address = TUN_ADDRESS,
                        .port = PORT,
                        .reason = CONNECT_RESET,
                        .error = ECONNRESET,
                        .sent = true};
    struct tun_segment syn, answer;
    uint64_t began;
    int fd;

    open_in_cgroup(f);
    tun = tun_open();
    began = monotonic_ns();
    fd = start_connect(a.address, a.port);
    syn = tun_receive_to(tun, PORT, TH_SYN);
    tun_send(tun, &syn, 1000, 0, TH_SYN);
    answer = tun_receive_to(tun, PORT, TH_SYN | TH_ACK);
    tun_send(tun, &answer, 1001, 0, TH_RST);
    assert_int_equal(wait_for_error(fd), a.error);
    a.elapsed_max_ns = monotonic_ns() - began;
    expect(f, &a);
    assert_int_equal(row_of(f, TCP_CLIENT, PORT).resets_received, 1);
    close(fd);
}

static void no_port_is_free(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    struct record_connect_failed record;
    struct tcp_stats row;
    uint64_t began;
    struct pair p;
    int listener;

    open_in_cgroup(f);
    netns_sysctl("ipv4/ip_local_port_range", "40000 40000");
    listener = listen_at("127.0.0.1", PORT, 8);
    p = pair_open(listener, "127.0.0.1", PORT);
    began = monotonic_ns();
    assert_int_equal(connect_to("127.0.0.1", PORT, NULL), EADDRNOTAVAIL);
    began = monotonic_ns() - began;
    record = wait_for_record(f, PORT);
    assert_int_equal(record.reason, CONNECT_NO_PORT);
    assert_int_equal(record.error, EADDRNOTAVAIL);
    assert_int_equal(record.pid, getpid());
    assert_int_equal(record.cgroup_id, f->drop.cgroup_id);
    assert_true(record.elapsed_ns <= began);
    check_address(&record, "127.0.0.1");
    row = row_of(f, TCP_CLIENT, PORT);
    assert_int_equal(row.connects_failed[CONNECT_NO_PORT], 1);
    assert_int_equal(failures_of(&row), 1);
    assert_int_equal(row.opened, 1);
    close_in_turn(p.client, p.server);
    close(listener);
}

static void abandoned_by_the_caller(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    struct attempt a = {
        .address = TUN_ADDRESS, .port = PORT, .reason = CONNECT_ABANDONED, .sent = true};
    uint64_t began, sent;
    int fd;

    open_in_cgroup(f);
    tun = tun_open();
    began = monotonic_ns();
    fd = start_connect(a.address, a.port);
    sent = monotonic_ns();
    tun_receive_to(tun, PORT, TH_SYN);
    a.elapsed_min_ns = monotonic_ns() - sent;
    close(fd);
    a.elapsed_max_ns = monotonic_ns() - began;
    expect(f, &a);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(refused),
        CASE(timed_out),
        CASE(unreachable_by_route),
        CASE(told_by_icmp),
        CASE(no_neighbour_answers),
        CASE(reset_after_a_simultaneous_open),
        CASE(no_port_is_free),
        CASE(abandoned_by_the_caller),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
