/* Ports come and go in the kernel's map; what was counted for them stays. */
#include "collect/tcp_ports.h"
#include "tcp_fixture.h"

#define PORT own_ports.first
/* In a network namespace of the test's own, where nobody listens there. */
#define FIRST_REFUSED 20001
#define REFUSED 300

struct seen {
    uint64_t refused, opened;
    size_t rows;
};

/* Of the refused ports and of `other`. */
static struct seen look(struct tcp_ports *ports, uint64_t now_ns, uint16_t *ret_opened)
{
    struct network_snapshot n = {0};
    struct seen seen = {0};

    tcp_ports_sample(ports, now_ns, &n);
    assert_null(n.ports_missing);
    *ret_opened = 0;
    for (size_t i = 0; i < n.port_count; i++) {
        const struct tcp_port *row = &n.ports[i];
        bool refused = row->key.port >= FIRST_REFUSED && row->key.port < FIRST_REFUSED + REFUSED;

        if (row->key.role != TCP_CLIENT)
            continue;
        if (row->key.port == PORT)
            *ret_opened = (uint16_t)row->stats.opened;
        if (row->key.port == 0 || row->key.port == PORT)
            seen.opened += row->stats.opened;
        if (row->key.port == 0 || refused)
            seen.refused += row->stats.connects_failed[CONNECT_REFUSED];
        seen.rows += refused;
    }
    assert_true(n.port_count <= TCP_PORTS_MAX / 2 + TCP_ROLE_COUNT);
    return seen;
}

static void connect_and_close(int listener)
{
    struct pair p = pair_open(listener, "127.0.0.1", PORT);

    close(p.server);
    wait_readable(p.client);
    close(p.client);
}

static void strangers_make_room(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    uint64_t now_ns = 1000 * NS_PER_SECOND;
    struct tcp_ports *ports;
    uint16_t opened;
    struct seen seen;
    int listener;

    tcp_open(f);
    assert_int_equal(tcp_ports_create(&ports, f->probe.probe), 0);
    for (uint16_t i = 0; i < REFUSED; i++)
        assert_int_equal(connect_to("127.0.0.1", FIRST_REFUSED + i, NULL), ECONNREFUSED);
    seen = look(ports, now_ns, &opened);
    assert_true(seen.refused >= REFUSED);
    assert_true(seen.rows < REFUSED);
    assert_int_equal(rows_of(f, TCP_CLIENT, FIRST_REFUSED, FIRST_REFUSED + REFUSED - 1).rows,
                     seen.rows);
    listener = listen_at("127.0.0.1", PORT, 16);
    for (int i = 0; i < 5; i++)
        connect_and_close(listener);
    WAIT_ROW(f, TCP_CLIENT, PORT, closed, 5);
    seen = look(ports, now_ns += 10 * NS_PER_SECOND, &opened);
    assert_int_equal(opened, 5);
    /* Nothing happens there for more than an hour. */
    seen = look(ports, now_ns += 3601 * NS_PER_SECOND, &opened);
    assert_int_equal(seen.rows, 0);
    assert_int_equal(opened, 0);
    assert_true(seen.refused >= REFUSED && seen.opened >= 5);
    connect_and_close(listener);
    WAIT_ROW(f, TCP_CLIENT, PORT, closed, 1);
    seen = look(ports, now_ns += 10 * NS_PER_SECOND, &opened);
    assert_int_equal(opened, 1);
    assert_true(seen.opened >= 6);
    close(listener);
    tcp_ports_destroy(ports);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(strangers_make_room, tcp_setup, tcp_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
