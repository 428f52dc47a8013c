/* Retransmitted segments and resets, made in exact numbers, against the namespace's own counters in
 * /proc/net/snmp and netstat. */
#include "probe/feature.h"
#include "tcp_fixture.h"
#include "told_fixture.h"
#include "tun_peer.h"
#include <bpf/btf.h>

#define PORT own_ports.first
#define MESSAGE_BYTES 500 /* one segment, and larger than a bare acknowledgement */

static int tun = -1;
static struct told_bpf *told;

static int teardown(void **state)
{
    if (tun >= 0)
        close(tun);
    tun = -1;
    told_bpf__destroy(told);
    told = NULL;
    return tcp_teardown(state);
}

static uint64_t tcp_ext(const char *name)
{
    return netns_counter("self", "netstat", "TcpExt:", name);
}

/* A listener whose accepted sockets can be made to lose packets. */
static int listen_with_loss(struct tcp_fixture *f)
{
    tcp_open(f);
    if (!packet_drop_open(&f->drop)) {
        print_message("no cgroup v2\n");
        skip();
    }
    packet_drop_enter(&f->drop);
    return listen_at("127.0.0.1", PORT, 64);
}

static void finish(struct tcp_fixture *f, struct pair p, uint64_t closed)
{
    close_in_turn(p.client, p.server);
    WAIT_ROW(f, TCP_CLIENT, PORT, closed, closed);
    WAIT_ROW(f, TCP_SERVER, PORT, closed, closed);
}

static void each_lost_message_is_one_retransmission(void **state)
{
    static const uint64_t losses[] = {0, 1, 2, 3, 1};
    struct tcp_fixture *f = tcp_fixture_of(state);
    int listener = listen_with_loss(f);
    uint64_t lost = 0;

    for (unsigned i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
        struct pair p = pair_open(listener, "127.0.0.1", PORT);

        packet_drop_set(&f->drop, losses[i], DATA_BYTES);
        send_bytes(p.client, p.server, MESSAGE_BYTES);
        assert_int_equal(packet_drop_left(&f->drop), 0);
        lost += losses[i];
        finish(f, p, i + 1);
        assert_retransmits(f, PORT, lost);
        assert_true(row_of(f, TCP_CLIENT, PORT).retransmits >= lost);
    }
    close(listener);
}

/* What is lost of a bulk transfer are packets of many segments, and some are sent twice in vain. */
static void a_lossy_bulk_transfer_agrees_with_the_kernel(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    int listener = listen_with_loss(f);
    struct pair p = pair_open(listener, "127.0.0.1", PORT);

    for (int i = 0; i < 10; i++) {
        packet_drop_set(&f->drop, 3, DATA_BYTES);
        send_bytes(p.client, p.server, 2000000);
        assert_int_equal(packet_drop_left(&f->drop), 0);
    }
    finish(f, p, 1);
    assert_retransmits(f, PORT, 30);
    close(listener);
}

/* On a busy machine the answer to the probe may be late, so that a timeout comes as well: then once
 * more. */
static void a_tail_loss_probe_is_a_retransmission(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    uint64_t deadline = monotonic_ns() + DEADLINE_NS, probes, timeouts;
    int listener = listen_with_loss(f);

    for (uint64_t i = 1;; i++) {
        struct pair p = pair_open(listener, "127.0.0.1", PORT);

        probes = tcp_ext("TCPLossProbes");
        timeouts = tcp_ext("TCPTimeouts");
        packet_drop_set(&f->drop, 1, DATA_BYTES);
        send_bytes(p.client, p.server, MESSAGE_BYTES);
        finish(f, p, i);
        assert_retransmits(f, PORT, i);
        probes = tcp_ext("TCPLossProbes") - probes;
        timeouts = tcp_ext("TCPTimeouts") - timeouts;
        if (probes == 1 && timeouts == 0)
            break;
        assert_true(monotonic_ns() < deadline);
    }
    close(listener);
}

static void a_timeout_is_a_retransmission(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    int listener = listen_with_loss(f);
    struct pair p;

    netns_sysctl("ipv4/tcp_early_retrans", "0"); /* no loss probes */
    p = pair_open(listener, "127.0.0.1", PORT);
    packet_drop_set(&f->drop, 2, DATA_BYTES);
    send_bytes(p.server, p.client, MESSAGE_BYTES);
    finish(f, p, 1);
    assert_int_equal(tcp_ext("TCPLossProbes"), 0);
    assert_true(tcp_ext("TCPTimeouts") >= 2);
    assert_true(row_of(f, TCP_SERVER, PORT).retransmits >= 2);
    assert_retransmits(f, PORT, 2);
    close(listener);
}

static void connect_to_nobody(void)
{
    struct endpoint to = endpoint_of(TUN_ADDRESS, PORT);
    int fd = tcp_socket_for(&to, 0), retries = 1;
    unsigned syns = 0;

    setsockopt(fd, IPPROTO_TCP, TCP_SYNCNT, &retries, sizeof(retries));
    assert_int_equal(connect(fd, &to.any, to.len), -1);
    assert_int_equal(errno, ETIMEDOUT);
    for (struct pollfd more = {.fd = tun, .events = POLLIN}; poll(&more, 1, 0) == 1;) {
        unsigned char packet[2048];
        const struct tun_segment *s = (const struct tun_segment *)packet;

        if (read(tun, packet, sizeof(packet)) >= (ssize_t)sizeof(*s))
            syns += s->ip.version == 4 && s->ip.protocol == IPPROTO_TCP;
    }
    assert_int_equal(syns, 2);
    close(fd);
}

/* Counted though the connect fails: at its end at the latest. */
static void syns_to_nobody_are_retransmitted(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    uint64_t deadline = monotonic_ns() + DEADLINE_NS, before, counted;

    tcp_open(f);
    told = told_open();
    tun = tun_open();
    if (access("/proc/sys/net/ipv4/tcp_syn_linear_timeouts", F_OK) == 0) /* from 6.5 on */
        netns_sysctl("ipv4/tcp_syn_linear_timeouts", "0");
    for (uint64_t sent_again = 1;; sent_again++) {
        before = row_of(f, TCP_CLIENT, PORT).retransmits;
        connect_to_nobody();
        counted = row_of(f, TCP_CLIENT, PORT).retransmits - before;
        assert_int_equal(snmp_tcp("self", "RetransSegs"), sent_again);
        assert_true(counted <= 1);
        if (told_until_now(told).connects_failed > 0)
            break;
        assert_true(monotonic_ns() < deadline);
    }
    assert_int_equal(counted, 1);
}

/* A host that asks and is never heard of again. */
static void unanswered_syn_acks_are_retransmitted(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    uint64_t deadline = monotonic_ns() + DEADLINE_NS, counted;
    struct tun_segment from_peer = {0}, answer;
    int listener;

    tcp_open(f);
    told = told_open();
    tun = tun_open();
    netns_sysctl("ipv4/tcp_synack_retries", "1");
    listener = listen_at("10.77.0.1", PORT, 8);
    assert_int_equal(inet_pton(AF_INET, "10.77.0.1", &from_peer.ip.saddr), 1);
    assert_int_equal(inet_pton(AF_INET, TUN_ADDRESS, &from_peer.ip.daddr), 1);
    from_peer.tcp.source = htons(PORT);
    for (uint16_t asked = 1;; asked++) {
        from_peer.tcp.dest = htons(40000 + asked);
        tun_send(tun, &from_peer, 1000, 0, TH_SYN);
        for (int i = 0; i < 2; i++) {
            answer = tun_receive(tun);
            assert_true(answer.tcp.syn && answer.tcp.ack);
        }
        /* It is sent before it is counted. */
        while (snmp_tcp("self", "RetransSegs") < asked)
            assert_true(monotonic_ns() < deadline);
        counted = told_until_now(told).syn_acks_again;
        assert_int_equal(row_of(f, TCP_SERVER, PORT).retransmits, counted);
        if (counted > 0)
            break;
        assert_true(monotonic_ns() < deadline);
    }
    assert_int_equal(counted, 1);
    close(listener);
}

static void resets_of_connections_are_counted_on_both_sides(void **state)
{
    const unsigned by_client = 7, by_server = 4;
    struct tcp_fixture *f = tcp_fixture_of(state);
    struct tcp_stats client, server;
    int listener;

    tcp_open(f);
    listener = listen_at("127.0.0.1", PORT, 8);
    for (unsigned i = 0; i < by_client + by_server; i++) {
        struct pair p = pair_open(listener, "127.0.0.1", PORT);
        bool first = i < by_client;

        close_with_reset(first ? p.client : p.server);
        WAIT_ROW(f, TCP_CLIENT, PORT, closed, i + 1);
        WAIT_ROW(f, TCP_SERVER, PORT, closed, i + 1);
        close(first ? p.server : p.client);
    }
    client = row_of(f, TCP_CLIENT, PORT);
    server = row_of(f, TCP_SERVER, PORT);
    assert_int_equal(client.resets_sent, by_client);
    assert_int_equal(client.resets_received, by_server);
    assert_int_equal(server.resets_sent, by_server);
    assert_int_equal(server.resets_received, by_client);
    assert_int_equal(snmp_tcp("self", "OutRsts"), client.resets_sent + server.resets_sent);
    /* The side that sends it gives its connection up as well. */
    assert_int_equal(snmp_tcp("self", "EstabResets"), 2 * (by_client + by_server));
    close(listener);
}

/* Before Linux 6.10 (commit 19822a980e19, which gave the tracepoint a record of its own) it fires
 * for resets of a socket only. */
static void skip_unless_traced_without_socket(void)
{
    struct btf *kernel = btf__load_vmlinux_btf();
    bool traced = kernel && feature_present(kernel, "trace_event_raw_tcp_send_reset");

    btf__free(kernel);
    if (!traced) {
        print_message("this kernel's tcp_send_reset tells of resets by a socket only\n");
        skip();
    }
}

/* Resets to nobody's segments are in the row of port 0, together with the host's and those of other
 * namespaces: once nobody else sends one meanwhile. */
static void resets_by_no_socket_are_counted(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    uint64_t deadline = monotonic_ns() + DEADLINE_NS, counted, sent = 0;
    const unsigned n = 25;

    tcp_open(f);
    skip_unless_traced_without_socket();
    do {
        assert_true(monotonic_ns() < deadline);
        counted = row_of(f, TCP_SERVER, 0).resets_sent;
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(connect_to("127.0.0.1", PORT, NULL), ECONNREFUSED);
        counted = row_of(f, TCP_SERVER, 0).resets_sent - counted;
        sent += n;
        assert_int_equal(snmp_tcp("self", "OutRsts"), sent);
        assert_int_equal(row_of(f, TCP_CLIENT, PORT).resets_received, sent);
        assert_true(counted >= n);
    } while (counted > n);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, tcp_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_lost_message_is_one_retransmission),
        CASE(a_lossy_bulk_transfer_agrees_with_the_kernel),
        CASE(a_tail_loss_probe_is_a_retransmission),
        CASE(a_timeout_is_a_retransmission),
        CASE(syns_to_nobody_are_retransmitted),
        CASE(unanswered_syn_acks_are_retransmitted),
        CASE(resets_of_connections_are_counted_on_both_sides),
        CASE(resets_by_no_socket_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
