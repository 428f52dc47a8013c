/* Loss and delay made by netem on a link between two namespaces: seen as loss and as delay. */
#include "tcp_fixture.h"
#include <sys/prctl.h>
#include <sys/wait.h>

#define PORT 22000
#define NEAR "10.99.0.1"
#define FAR "10.99.0.2"
#define DELAY_MS 40
#define TRANSFER_BYTES (2 << 20)

static pid_t far_end;

/* The far end sends back one byte for all it receives on each connection, until it is killed. */
static void start_far_end(void)
{
    int ready[2], moved[2];
    char byte = 0;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(moved, O_CLOEXEC), 0);
    far_end = fork();
    assert_true(far_end >= 0);
    if (far_end == 0) {
        int listener;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        netns_enter();
        if (write(ready[1], &byte, 1) != 1 || read(moved[0], &byte, 1) != 1)
            _exit(90);
        netns_run("ip addr add " FAR "/24 dev mw-far && ip link set mw-far up");
        listener = listen_at(FAR, PORT, 8);
        if (write(ready[1], &byte, 1) != 1)
            _exit(91);
        for (;;) {
            static char data[65536];
            int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

            while (recv(fd, data, sizeof(data), 0) > 0)
                ;
            send(fd, &byte, 1, MSG_NOSIGNAL);
            close(fd);
        }
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    netns_run("ip link add mw-near type veth peer name mw-far");
    {
        char command[96];

        snprintf(command, sizeof(command), "ip link set mw-far netns %d", far_end);
        netns_run(command);
    }
    netns_run("ip addr add " NEAR "/24 dev mw-near && ip link set mw-near up");
    assert_int_equal(write(moved[1], &byte, 1), 1);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    close(moved[0]);
    close(moved[1]);
}

static int teardown(void **state)
{
    if (far_end > 0) {
        kill(far_end, SIGKILL);
        waitpid(far_end, NULL, 0);
    }
    far_end = 0;
    return tcp_teardown(state);
}

/* Sends all, and waits for the byte that says it has arrived. */
static void transfer(size_t bytes)
{
    static char data[65536];
    char byte;
    int fd;

    assert_int_equal(connect_to(FAR, PORT, &fd), 0);
    while (bytes > 0) {
        ssize_t n = send(fd, data, bytes < sizeof(data) ? bytes : sizeof(data), MSG_NOSIGNAL);

        assert_true(n > 0);
        bytes -= (size_t)n;
    }
    shutdown(fd, SHUT_WR);
    assert_int_equal(recv(fd, &byte, 1, 0), 1);
    close(fd);
}

static void run(void **state, const char *netem, void (*check)(struct tcp_fixture *))
{
    struct tcp_fixture *f = tcp_fixture_of(state);

    tcp_open(f);
    start_far_end();
    netns_run(netem);
    check(f);
}

static void check_delay(struct tcp_fixture *f)
{
    const uint64_t least_ns = DELAY_MS * NS_PER_SECOND / 1000;
    uint64_t before = snmp_tcp("self", "RetransSegs"), elapsed_ns = 0;
    struct tcp_stats row;

    for (unsigned i = 1; i <= 5; i++) {
        uint64_t begin = monotonic_ns();

        transfer(1000);
        elapsed_ns += monotonic_ns() - begin;
        WAIT_ROW(f, TCP_CLIENT, PORT, closed, i);
    }
    row = row_of(f, TCP_CLIENT, PORT);
    print_message("connect %.1f ms, rtt %.1f ms, retransmits %llu\n",
                  (double)row.connect.sum_ns / (double)row.connect.count / 1e6,
                  (double)row.rtt.sum_ns / (double)row.rtt.count / 1e6,
                  (unsigned long long)row.retransmits);
    assert_int_equal(row.connect.count, 5);
    assert_in_range(row.connect.sum_ns, 5 * least_ns, elapsed_ns);
    /* Read twice of each connection, which no round trip outlasts. */
    assert_int_equal(row.rtt.count, 10);
    assert_in_range(row.rtt.sum_ns, 10 * least_ns * 9 / 10, 2 * elapsed_ns);
    assert_int_equal(row.retransmits, snmp_tcp("self", "RetransSegs") - before);
}

/* As many segments sent again as the kernel itself counted, and about the share that was lost. */
static void check_loss(struct tcp_fixture *f)
{
    uint64_t before = snmp_tcp("self", "RetransSegs"), sent = snmp_tcp("self", "OutSegs"), kernel;
    struct tcp_stats row;
    double share;

    transfer(TRANSFER_BYTES);
    WAIT_ROW(f, TCP_CLIENT, PORT, closed, 1);
    row = row_of(f, TCP_CLIENT, PORT);
    kernel = snmp_tcp("self", "RetransSegs") - before;
    sent = snmp_tcp("self", "OutSegs") - sent;
    share = (double)row.retransmits / (double)sent;
    print_message("retransmits %llu, kernel %llu, of %llu segments (%.1f %%)\n",
                  (unsigned long long)row.retransmits, (unsigned long long)kernel,
                  (unsigned long long)sent, share * 100);
    assert_int_equal(row.retransmits, kernel);
    assert_true(row.retransmits > 0);
    assert_true(share > 0.01 && share < 0.25);
}

static void a_slow_link_shows_in_rtt_and_connect_latency(void **state)
{
    run(state, "tc qdisc add dev mw-near root netem delay 40ms", check_delay);
}

/* Segments of one packet each, so that the qdisc loses packets and not batches of them. */
static void a_lossy_link_shows_in_the_retransmits(void **state)
{
    run(state,
        "ip link set mw-near mtu 1500 gso_max_size 1500 2>/dev/null;"
        "tc qdisc add dev mw-near root netem loss 5%",
        check_loss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_slow_link_shows_in_rtt_and_connect_latency, tcp_setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_lossy_link_shows_in_the_retransmits, tcp_setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
