#include "tree.h"

#define DEV_HEAD                                                                                   \
    "Inter-|   Receive                                                |  Transmit\n"               \
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "     \
    "drop fifo colls carrier compressed\n"
#define SNMP_HEAD                                                                                  \
    "Ip: Forwarding DefaultTTL\nIp: 1 64\n"                                                        \
    "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets "   \
    "CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n"

static void write_dev(struct tree *t, const char *rows)
{
    char text[4096];

    snprintf(text, sizeof(text), "%s%s", DEV_HEAD, rows);
    tree_write(t, "proc/net/dev", text);
}

static void write_snmp(struct tree *t, unsigned sent, unsigned again)
{
    char text[1024];

    snprintf(text, sizeof(text),
             SNMP_HEAD
             "Tcp: 1 200 120000 -1 15 2 0 0 0 1647 %u %u 0 2 0\nUdp: InDatagrams\nUdp: 1\n",
             sent, again);
    tree_write(t, "proc/net/snmp", text);
}

static int setup(void **state)
{
    struct tree *t = tree_create();

    write_dev(t, "    lo:     100       1    0    0    0     0          0         0"
                 "      100       1    0    0    0     0       0          0\n"
                 "  eth0:    5000      10    1    2    0     0          0         3"
                 "     7000      20    3    4    0     5       6          0\n");
    write_snmp(t, 1000, 10);
    tree_write(t, "proc/sys/net/netfilter/nf_conntrack_count", "512\n");
    tree_write(t, "proc/sys/net/netfilter/nf_conntrack_max", "2048\n");
    *state = t;
    return 0;
}

static int teardown(void **state)
{
    tree_destroy(*state);
    return 0;
}

static const struct network_snapshot *sample(struct tree *t, double seconds)
{
    if (!t->state)
        tree_open(t, &network_collector);
    return &tree_sample(t, seconds)->network;
}

static const struct interface *find(const struct network_snapshot *n, const char *name)
{
    for (size_t i = 0; i < n->interface_count; i++)
        if (strcmp(n->interfaces[i].name, name) == 0)
            return &n->interfaces[i];
    return NULL;
}

static void reads_every_figure(void **state)
{
    const struct network_snapshot *n = sample(*state, 1);
    const struct interface *eth0 = find(n, "eth0");

    assert_null(n->missing);
    assert_null(n->interfaces_missing);
    assert_int_equal(n->interface_count, 2);
    assert_non_null(eth0);
    assert_true(eth0->received_bytes_total == 5000 && eth0->received_packets_total == 10);
    assert_true(eth0->receive_errors_total == 1 && eth0->receive_drops_total == 2);
    assert_true(eth0->sent_bytes_total == 7000 && eth0->sent_packets_total == 20);
    assert_true(eth0->send_errors_total == 3 && eth0->send_drops_total == 4);
    assert_missing(eth0->sent_bytes_per_second, "two samples");
    assert_known(n->tcp_segments_sent_total, 1000);
    assert_known(n->tcp_retransmits_total, 10);
    assert_missing(n->retransmit_percent, "two samples");
    assert_known(n->conntrack_entries, 512);
    assert_known(n->conntrack_limit, 2048);
    assert_known(n->conntrack_usage_percent, 25);
    assert_string_equal(n->ports_missing, "no BPF");
    assert_int_equal(n->port_count, 0);
}

static void rates_are_per_second_of_the_interval(void **state)
{
    struct tree *t = *state;
    const struct network_snapshot *n = sample(t, 1);

    write_dev(t, "  lo: 100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0\n"
                 "eth0:6000 10 1 2 0 0 0 3 7500 20 3 4 0 5 6 0\n");
    write_snmp(t, 1090, 20);
    n = sample(t, 2);
    assert_known(find(n, "eth0")->received_bytes_per_second, 500);
    assert_known(find(n, "eth0")->sent_bytes_per_second, 250);
    assert_known(find(n, "lo")->sent_bytes_per_second, 0);
    assert_known(n->retransmit_percent, 10); /* 10 again, 90 for the first time */
    n = sample(t, 1);
    assert_missing(n->retransmit_percent, "no segment was sent");
    n = sample(t, 0);
    assert_missing(find(n, "lo")->sent_bytes_per_second, "no time passed");
}

static void what_has_a_device_comes_first(void **state)
{
    const struct network_snapshot *n;
    struct tree *t = *state;
    char text[4096] = "";
    size_t len = 0;

    for (int i = 0; i < 40; i++)
        len +=
            (size_t)sprintf(text + len, "veth%d: %d 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n", i, 1000 * i);
    sprintf(text + len, "eth0: 6 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n");
    write_dev(t, text);
    tree_write(t, "sys/class/net/eth0/device/vendor", "x\n");
    n = sample(t, 1);
    assert_int_equal(n->interface_count, 41);
    assert_string_equal(n->interfaces[0].name, "eth0");
    assert_string_equal(n->interfaces[1].name, "veth39");
}

static void an_interface_comes_and_goes(void **state)
{
    struct tree *t = *state;
    const struct network_snapshot *n = sample(t, 1);

    write_dev(t, "veth1: 7 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n"
                 "eth0: 5100 1 0 0 0 0 0 0 7000 1 0 0 0 0 0 0\n");
    n = sample(t, 1);
    assert_int_equal(n->interface_count, 2);
    assert_null(find(n, "lo"));
    assert_known(find(n, "eth0")->received_bytes_per_second, 100);
    assert_missing(find(n, "veth1")->received_bytes_per_second, "two samples");
    write_dev(t, "eth0: 5100 1 0 0 0 0 0 0 7000 1 0 0 0 0 0 0\n"
                 "lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n");
    n = sample(t, 1);
    /* It was away: its last counters are not those of the sample before. */
    assert_missing(find(n, "lo")->received_bytes_per_second, "two samples");
    assert_known(find(n, "eth0")->received_bytes_per_second, 0);
}

static void many_interfaces_are_kept(void **state)
{
    struct tree *t = *state;
    char rows[8192] = "";
    const struct network_snapshot *n;
    size_t len = 0;

    for (int i = 0; i < 100; i++)
        len += (size_t)snprintf(rows + len, sizeof(rows) - len,
                                "v%d: %d 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0\n", i, i);
    tree_write(t, "proc/net/dev", rows);
    sample(t, 1);
    n = sample(t, 1);
    assert_int_equal(n->interface_count, 100);
    assert_true(find(n, "v99")->received_bytes_total == 99);
    for (int i = 0; i < 100; i++)
        assert_known(n->interfaces[i].received_bytes_per_second, 0);
}

/* Every third is gone, the others come in the opposite order behind a new one. */
static void each_keeps_its_rate_in_any_order(void **state)
{
    struct tree *t = *state;
    char rows[16384] = "", name[16];
    const struct network_snapshot *n;
    size_t len = 0;

    for (int i = 0; i < 200; i++)
        len += (size_t)snprintf(rows + len, sizeof(rows) - len,
                                "v%d: 5 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0\n", i);
    tree_write(t, "proc/net/dev", rows);
    sample(t, 1);
    len = (size_t)snprintf(rows, sizeof(rows), "new: 9 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0\n");
    for (int i = 199; i >= 0; i--)
        if (i % 3)
            len += (size_t)snprintf(rows + len, sizeof(rows) - len,
                                    "v%d: %d 1 0 0 0 0 0 0 0 1 0 0 0 0 0 0\n", i, 5 + i);
    tree_write(t, "proc/net/dev", rows);
    n = sample(t, 1);
    assert_int_equal(n->interface_count, 134);
    assert_missing(find(n, "new")->received_bytes_per_second, "two samples");
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "v%d", i);
        if (i % 3)
            assert_known(find(n, name)->received_bytes_per_second, i);
        else
            assert_null(find(n, name));
    }
}

static void counters_that_go_back_give_no_rate(void **state)
{
    struct tree *t = *state;
    const struct network_snapshot *n = sample(t, 1);

    write_dev(t, "eth0: 50 1 0 0 0 0 0 0 8000 1 0 0 0 0 0 0\n");
    write_snmp(t, 5, 0);
    n = sample(t, 1);
    assert_missing(find(n, "eth0")->received_bytes_per_second, "began anew");
    assert_known(find(n, "eth0")->sent_bytes_per_second, 1000);
    assert_missing(n->retransmit_percent, "began anew");
    assert_known(n->tcp_segments_sent_total, 5);
}

static void truncated_files_lose_figures_only(void **state)
{
    struct tree *t = *state;
    const struct network_snapshot *n;

    write_dev(t, "lo: 100 1 0 0 0 0 0 0 100 1 0 0 0 0 0 0\neth0: 5000 10 1");
    tree_write(t, "proc/net/snmp", SNMP_HEAD "Tcp: 1 200 120000 -1 15 2 0 0 0 1647 9");
    tree_write(t, "proc/sys/net/netfilter/nf_conntrack_max", "20");
    n = sample(t, 1);
    assert_int_equal(n->interface_count, 1);
    assert_null(find(n, "eth0"));
    assert_missing(n->tcp_segments_sent_total, "not in /proc/net/snmp");
    assert_missing(n->tcp_retransmits_total, "not in /proc/net/snmp");
    assert_missing(n->retransmit_percent, "not in /proc/net/snmp");
    assert_known(n->conntrack_entries, 512);
    assert_missing(n->conntrack_limit, "nf_conntrack_max");
    assert_missing(n->conntrack_usage_percent, "nf_conntrack_max");
    assert_null(n->missing);

    tree_write(t, "proc/net/snmp", SNMP_HEAD "Tcp: 1 200 120000 -1 15 2 0 0 0 1647 900\n");
    n = sample(t, 1);
    assert_known(n->tcp_segments_sent_total, 900);
    assert_missing(n->tcp_retransmits_total, "not in /proc/net/snmp");

    tree_write(t, "proc/net/dev", DEV_HEAD);
    n = sample(t, 1);
    assert_int_equal(n->interface_count, 0);
    assert_non_null(strstr(n->interfaces_missing, "/proc/net/dev"));
    tree_write(t, "proc/net/dev", "");
    n = sample(t, 1);
    assert_non_null(strstr(n->interfaces_missing, "/proc/net/dev"));
}

static void garbled_rows_are_left_out(void **state)
{
    struct tree *t = *state;
    const struct network_snapshot *n;

    write_dev(t, ": 1 2 3\nlo: 1 1 0 0 -1 0 0 0 1 1 0 0 0 0 0 0\n\n  :\nno colon 1 2 3\n"
                 "eth0: 99999999999999999999 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n"
                 "eth1: 18446744073709551615 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n");
    tree_write(t, "proc/net/snmp", "Tcp: OutSegs RetransSegs\nTcp: x 7\n");
    n = sample(t, 1);
    assert_int_equal(n->interface_count, 1);
    assert_true(find(n, "eth1")->received_bytes_total == 18446744073709551615.0);
    assert_missing(n->tcp_segments_sent_total, "not in /proc/net/snmp");
    assert_known(n->tcp_retransmits_total, 7);
}

static void conntrack_may_be_absent_and_come_later(void **state)
{
    struct tree *t = *state;
    const struct network_snapshot *n;

    tree_remove(t, "proc/sys/net/netfilter");
    n = sample(t, 1);
    assert_missing(n->conntrack_entries, "not loaded");
    assert_missing(n->conntrack_usage_percent, "not loaded");
    tree_write(t, "proc/sys/net/netfilter/nf_conntrack_count", "1\n");
    tree_write(t, "proc/sys/net/netfilter/nf_conntrack_max", "0\n");
    n = sample(t, 1);
    assert_known(n->conntrack_entries, 1);
    assert_missing(n->conntrack_usage_percent, "no limit");
}

static void without_proc_everything_says_why(void **state)
{
    struct tree *t = *state;
    const struct network_snapshot *n;

    tree_remove(t, "proc/net");
    n = sample(t, 1);
    assert_non_null(strstr(n->missing, "/proc/net/dev: No such file"));
    assert_missing(n->tcp_retransmits_total, "/proc/net/snmp: No such file");
    assert_int_equal(n->interface_count, 0);
}

static void every_failure_has_a_name(void **state)
{
    for (unsigned f = 0; f < CONNECT_FAILURE_COUNT; f++)
        for (unsigned g = 0; g < f; g++)
            assert_string_not_equal(connect_failure_name(f), connect_failure_name(g));
    assert_string_equal(connect_failure_name(CONNECT_TIMED_OUT), "timed_out");
    assert_string_equal(connect_failure_name(CONNECT_FAILURE_COUNT), "unknown");
}

static void sockets_are_counted_by_kind(void **state)
{
    struct tree *t = *state;
    const struct network_snapshot *n;
    double page_bytes = (double)sysconf(_SC_PAGESIZE);

    tree_write(t, "proc/net/sockstat",
               "sockets: used 143\nTCP: inuse 5 orphan 6 tw 7 alloc 8 mem 9\n"
               "UDP: inuse 10 mem 11\nUDPLITE: inuse 12\nRAW: inuse 13\nFRAG: inuse 0 memory 14\n");
    n = sample(t, 1);
    assert_known(n->sockets_used, 143);
    assert_known(n->tcp_sockets_in_use, 5);
    assert_known(n->tcp_sockets_orphaned, 6);
    assert_known(n->tcp_sockets_time_wait, 7);
    assert_known(n->tcp_memory_bytes, 9 * page_bytes);
    assert_known(n->udp_sockets_in_use, 10);
    assert_known(n->udp_memory_bytes, 11 * page_bytes);
    tree_write(t, "proc/net/sockstat", "sockets: used\nTCP: inuse 4294967296 orphan x tw 1\n");
    n = sample(t, 1);
    assert_missing(n->sockets_used, "not in /proc/net/sockstat");
    assert_known(n->tcp_sockets_in_use, 4294967296.0);
    assert_missing(n->tcp_sockets_orphaned, "not in /proc/net/sockstat");
    assert_missing(n->udp_memory_bytes, "not in /proc/net/sockstat");
}

static void sockets_of_no_file_are_missing(void **state)
{
    const struct network_snapshot *n = sample(*state, 1);

    assert_missing(n->sockets_used, "/proc/net/sockstat: No such file or directory");
    assert_missing(n->tcp_memory_bytes, "/proc/net/sockstat: No such file or directory");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(reads_every_figure),
        CASE(rates_are_per_second_of_the_interval),
        CASE(what_has_a_device_comes_first),
        CASE(an_interface_comes_and_goes),
        CASE(many_interfaces_are_kept),
        CASE(each_keeps_its_rate_in_any_order),
        CASE(counters_that_go_back_give_no_rate),
        CASE(truncated_files_lose_figures_only),
        CASE(garbled_rows_are_left_out),
        CASE(conntrack_may_be_absent_and_come_later),
        CASE(sockets_are_counted_by_kind),
        CASE(sockets_of_no_file_are_missing),
        CASE(without_proc_everything_says_why),
        cmocka_unit_test(every_failure_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
