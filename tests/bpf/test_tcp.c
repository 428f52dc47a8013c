/* Connections: how many, how fast, how long, how much; by role and of every kind. */
#include "tcp_fixture.h"

#define PORT own_ports.first

static struct tcp_stats client_row(struct tcp_fixture *f)
{
    return row_of(f, TCP_CLIENT, PORT);
}

static struct tcp_stats server_row(struct tcp_fixture *f)
{
    return row_of(f, TCP_SERVER, PORT);
}

static void wait_closed(struct tcp_fixture *f, uint64_t count)
{
    WAIT_ROW(f, TCP_CLIENT, PORT, closed, count);
    WAIT_ROW(f, TCP_SERVER, PORT, closed, count);
}

static void assert_counts(const struct tcp_stats *row, uint64_t opened, uint64_t closed)
{
    assert_int_equal(row->opened, opened);
    assert_int_equal(row->closed, closed);
    assert_int_equal(row->lifetime.count, closed);
    assert_int_equal(failures_of(row), 0);
}

static void connects_and_lifetimes_are_counted_exactly(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    uint64_t connect_ns = 0, lifetime_min_ns = 0, lifetime_max_ns = 0;
    struct tcp_stats client, server;
    const unsigned n = 20;
    int listener;

    tcp_open(f);
    listener = listen_at("127.0.0.1", PORT, 8);
    for (unsigned i = 0; i < n; i++) {
        uint64_t begin = monotonic_ns(), connected, closing;
        struct pair p;

        assert_int_equal(connect_to("127.0.0.1", PORT, &p.client), 0);
        connected = monotonic_ns();
        p.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        assert_true(p.server >= 0);
        send_bytes(p.client, p.server, 300000);
        closing = monotonic_ns();
        close_in_turn(p.client, p.server);
        wait_closed(f, i + 1);
        connect_ns += connected - begin;
        lifetime_min_ns += closing - connected;
        lifetime_max_ns += monotonic_ns() - begin;
    }
    client = client_row(f);
    server = server_row(f);
    assert_counts(&client, n, n);
    assert_counts(&server, n, n);
    assert_retransmits(f, PORT, 0);
    assert_int_equal(client.connect.count, n);
    assert_int_equal(server.connect.count, 0);
    assert_in_range(client.connect.sum_ns, n, connect_ns);
    assert_in_range(client.lifetime.sum_ns, lifetime_min_ns, lifetime_max_ns);
    assert_in_range(server.lifetime.sum_ns, lifetime_min_ns, lifetime_max_ns);
    close(listener);
}

static void a_lost_syn_shows_in_the_latency(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    struct tcp_stats client;
    uint64_t begin;
    int listener, fd;

    tcp_open(f);
    if (!packet_drop_open(&f->drop))
        skip();
    packet_drop_enter(&f->drop);
    listener = listen_at("127.0.0.1", PORT, 8);
    packet_drop_set(&f->drop, 1, 0);
    begin = monotonic_ns();
    assert_int_equal(connect_to("127.0.0.1", PORT, &fd), 0);
    client = client_row(f);
    assert_int_equal(client.connect.count, 1);
    /* The first SYN is sent again after a second. */
    assert_in_range(client.connect.sum_ns, NS_PER_SECOND * 9 / 10, monotonic_ns() - begin);
    assert_true(client.retransmits >= 1);
    assert_retransmits(f, PORT, 1);
    close(fd);
    close(listener);
}

static void bytes_are_exact_whoever_closes_and_however(void **state)
{
    static const size_t sizes[][2] = {{0, 0}, {1, 0}, {0, 1}, {5000000, 77}, {3, 1234567}};
    struct tcp_fixture *f = tcp_fixture_of(state);
    uint64_t up = 0, down = 0, count = 0;
    struct tcp_stats client, server;
    int listener;

    tcp_open(f);
    listener = listen_at("127.0.0.1", PORT, 8);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int how = 0; how < 4; how++) {
            struct pair p = pair_open(listener, "127.0.0.1", PORT);

            send_bytes(p.client, p.server, sizes[i][0]);
            send_bytes(p.server, p.client, sizes[i][1]);
            if (how == 0)
                close_in_turn(p.client, p.server);
            else if (how == 1)
                close_in_turn(p.server, p.client);
            else {
                close_with_reset(how == 2 ? p.client : p.server);
                close(how == 2 ? p.server : p.client);
            }
            up += sizes[i][0];
            down += sizes[i][1];
            wait_closed(f, ++count);
            client = client_row(f);
            server = server_row(f);
            assert_int_equal(client.bytes_sent, up);
            assert_int_equal(client.bytes_received, down);
            assert_int_equal(server.bytes_sent, down);
            assert_int_equal(server.bytes_received, up);
        }
    }
    assert_counts(&client, count, count);
    assert_counts(&server, count, count);
    assert_retransmits(f, PORT, 0);
    close(listener);
}

static void rtt_is_the_sockets_own(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    struct tcp_info info;
    socklen_t len = sizeof(info);
    struct tcp_stats client;
    struct pair p;
    int listener;

    tcp_open(f);
    listener = listen_at("127.0.0.1", PORT, 8);
    p = pair_open(listener, "127.0.0.1", PORT);
    assert_int_equal(getsockopt(p.client, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    client = client_row(f);
    assert_int_equal(client.rtt.count, 1);
    assert_int_equal(client.rtt.sum_ns, (uint64_t)info.tcpi_rtt * 1000);
    close_in_turn(p.client, p.server);
    wait_closed(f, 1);
    assert_int_equal(client_row(f).rtt.count, 2);
    assert_int_equal(server_row(f).rtt.count, 2);
    close(listener);
}

static void ipv6_and_mapped_addresses_are_the_same_port(void **state)
{
    static const char *const addresses[] = {"::1", "::ffff:127.0.0.1"};
    struct tcp_fixture *f = tcp_fixture_of(state);
    struct tcp_stats client, server;
    int listener;

    tcp_open(f);
    listener = listen_at("::", PORT, 8);
    for (unsigned i = 0; i < 2; i++) {
        struct pair p = pair_open(listener, addresses[i], PORT);

        send_bytes(p.client, p.server, 1000);
        close_in_turn(p.server, p.client);
        wait_closed(f, i + 1);
    }
    client = client_row(f);
    server = server_row(f);
    assert_counts(&client, 2, 2);
    assert_counts(&server, 2, 2);
    assert_retransmits(f, PORT, 0);
    assert_int_equal(client.bytes_sent, 2000);
    assert_int_equal(server.bytes_received, 2000);
    close(listener);
}

/* One socket that connects to itself: both sides send a SYN, nothing is accepted. */
static void a_socket_connected_to_itself_is_a_client(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    struct endpoint self = endpoint_of("127.0.0.1", PORT);
    struct tcp_stats client;
    int fd;

    tcp_open(f);
    fd = tcp_socket_for(&self, 0);
    assert_int_equal(bind(fd, &self.any, self.len), 0);
    assert_int_equal(connect(fd, &self.any, self.len), 0);
    send_bytes(fd, fd, 500);
    close(fd);
    WAIT_ROW(f, TCP_CLIENT, PORT, closed, 1);
    client = client_row(f);
    assert_counts(&client, 1, 1);
    assert_int_equal(client.connect.count, 1);
    assert_int_equal(client.bytes_sent, 500);
    assert_int_equal(server_row(f).opened, 0);
}

/* Whether a socket of the port is yet to be closed; one in TIME_WAIT is, and a listener is none. */
static bool is_closing(uint16_t port)
{
    FILE *table = fopen("/proc/thread-self/net/tcp", "re");
    unsigned local, remote, state;
    bool found = false;
    char line[256];

    assert_non_null(table);
    while (!found && fgets(line, sizeof(line), table))
        found = sscanf(line, " %*u: %*x:%x %*x:%x %x", &local, &remote, &state) == 3 &&
                (local == port || remote == port) && state != TCP_TIME_WAIT && state != TCP_LISTEN;
    fclose(table);
    return found;
}

/* The first FIN is lost, so that both ends have sent theirs before they see the other's. */
static void close_both_at_once(struct tcp_fixture *f, int listener)
{
    struct pair p = pair_open(listener, "127.0.0.1", PORT);
    uint64_t deadline_ns = monotonic_ns() + DEADLINE_NS;
    char byte;

    send_bytes(p.client, p.server, 10);
    packet_drop_set(&f->drop, 1, 0);
    shutdown(p.client, SHUT_WR);
    packet_drop_wait(&f->drop);
    shutdown(p.server, SHUT_WR);
    assert_int_equal(recv(p.client, &byte, 1, 0), 0);
    assert_int_equal(recv(p.server, &byte, 1, 0), 0);
    close(p.client);
    close(p.server);
    while (is_closing(PORT)) {
        assert_true(monotonic_ns() < deadline_ns);
        poll(NULL, 0, 2);
    }
}

/* Ends that a timer brings are not told to any program while the task that it interrupts is one
 * that the kernel shields, and one may be counted only after it shows: the next connection is as
 * good. */
#define CLOSES_MAX 20

static void a_simultaneous_close_counts_once(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    struct tcp_stats client, server, client_before, server_before;
    bool seen = false;
    int listener;

    tcp_open(f);
    if (!packet_drop_open(&f->drop))
        skip();
    packet_drop_enter(&f->drop);
    listener = listen_at("127.0.0.1", PORT, 8);
    client = client_row(f);
    server = server_row(f);
    for (int i = 0; !seen && i < CLOSES_MAX; i++) {
        client_before = client;
        server_before = server;
        close_both_at_once(f, listener);
        client = client_row(f);
        server = server_row(f);
        assert_true(client.closed <= (uint64_t)i + 1);
        assert_true(server.closed <= (uint64_t)i + 1);
        seen =
            client.closed == client_before.closed + 1 && server.closed == server_before.closed + 1;
    }
    assert_true(seen);
    assert_int_equal(client.bytes_sent - client_before.bytes_sent, 10);
    assert_int_equal(client.bytes_received, 0);
    assert_int_equal(server.bytes_sent, 0);
    assert_int_equal(server.bytes_received - server_before.bytes_received, 10);
    close(listener);
}

static void fast_open_counts_as_any_connect(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    struct endpoint to = endpoint_of("127.0.0.1", PORT);
    struct tcp_stats client, server;
    struct tcp_info info;
    socklen_t len = sizeof(info);
    struct pair p;
    char data[100] = "";
    int listener;

    tcp_open(f);
    /* Client and server, without cookies, for every listener. */
    netns_sysctl("ipv4/tcp_fastopen", "1543");
    listener = listen_at("127.0.0.1", PORT, 8);
    p.client = tcp_socket_for(&to, 0);
    assert_int_equal(sendto(p.client, data, sizeof(data), MSG_FASTOPEN, &to.any, to.len),
                     sizeof(data));
    p.server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(p.server >= 0);
    assert_int_equal(recv(p.server, data, sizeof(data), MSG_WAITALL), sizeof(data));
    assert_int_equal(getsockopt(p.client, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    assert_true(info.tcpi_options & TCPI_OPT_SYN_DATA);
    close_in_turn(p.client, p.server);
    wait_closed(f, 1);
    client = client_row(f);
    server = server_row(f);
    assert_counts(&client, 1, 1);
    assert_counts(&server, 1, 1);
    assert_retransmits(f, PORT, 0);
    assert_int_equal(client.connect.count, 1);
    assert_int_equal(client.bytes_sent, 100);
    assert_int_equal(server.bytes_received, 100);
    close(listener);
}

/* A multipath socket is no TCP socket, its subflow is: one connection. */
static void mptcp_counts_its_subflow(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    struct endpoint to = endpoint_of("127.0.0.1", PORT);
    struct tcp_stats client;
    int listener, fd;

    tcp_open(f);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_MPTCP);
    if (fd < 0)
        skip();
    listener = listen_at("127.0.0.1", PORT, 8);
    assert_int_equal(connect(fd, &to.any, to.len), 0);
    client = client_row(f);
    assert_int_equal(client.opened, 1);
    assert_int_equal(client.connect.count, 1);
    close(fd);
    close(listener);
    WAIT_ROW(f, TCP_CLIENT, PORT, closed, 1);
    assert_int_equal(client_row(f).closed, 1);
}

static void sockets_older_than_the_probe_are_told_apart(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    /* An ephemeral port as a server's: the numbers alone would have it the other way round. */
    const uint16_t port = own_ports.ephemeral;
    struct tcp_stats client, server;
    struct pair p;
    int listener;

    skip_unless_root();
    listener = listen_at("127.0.0.1", port, 8);
    p = pair_open(listener, "127.0.0.1", port);
    tcp_open(f);
    send_bytes(p.client, p.server, 200000);
    close_in_turn(p.client, p.server);
    WAIT_ROW(f, TCP_CLIENT, port, closed, 1);
    WAIT_ROW(f, TCP_SERVER, port, closed, 1);
    client = row_of(f, TCP_CLIENT, port);
    server = row_of(f, TCP_SERVER, port);
    assert_int_equal(client.closed, 1);
    assert_int_equal(client.opened, 0);
    assert_int_equal(client.lifetime.count, 0);
    assert_int_equal(client.bytes_sent, 200000);
    assert_int_equal(server.closed, 1);
    assert_int_equal(server.bytes_received, 200000);
    assert_int_equal(server.bytes_sent, 0);
    close(listener);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, tcp_setup, tcp_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(connects_and_lifetimes_are_counted_exactly),
        CASE(a_lost_syn_shows_in_the_latency),
        CASE(bytes_are_exact_whoever_closes_and_however),
        CASE(rtt_is_the_sockets_own),
        CASE(ipv6_and_mapped_addresses_are_the_same_port),
        CASE(a_socket_connected_to_itself_is_a_client),
        CASE(a_simultaneous_close_counts_once),
        CASE(fast_open_counts_as_any_connect),
        CASE(mptcp_counts_its_subflow),
        CASE(sockets_older_than_the_probe_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
