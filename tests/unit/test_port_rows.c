/* Which ports have rows of their own on the page, when there are more than it shows. */
#include "facts/port_rows.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PORTS_MAX 300
#define ROWS_MAX 66 /* 64 but for both `other` */
#define REFUSED_FROM 20000

static struct tcp_port ports[PORTS_MAX];
static struct network_snapshot network = {.ports = ports};
static struct told_rows told[TCP_ROLE_COUNT];

static void begin(void)
{
    network.port_count = 0;
    memset(told, 0, sizeof(told));
    for (int role = 0; role < TCP_ROLE_COUNT; role++)
        told[role].counter_count = sizeof(struct tcp_stats) / sizeof(uint64_t);
}

static void end(void)
{
    for (int role = 0; role < TCP_ROLE_COUNT; role++)
        told_rows_free(&told[role]);
}

static struct tcp_stats *add(uint16_t port)
{
    struct tcp_port *row = &ports[network.port_count++];

    assert_true(network.port_count <= PORTS_MAX);
    *row = (struct tcp_port){.key = {.port = port, .role = TCP_CLIENT}};
    return &row->stats;
}

static void add_refused(unsigned from, unsigned count, uint64_t times)
{
    for (unsigned i = 0; i < count; i++)
        add((uint16_t)(from + i))->connects_failed[0] = times;
}

/* The row's stats, opened 0 and failed 0 when there is no row. */
static struct tcp_stats shown(uint16_t port)
{
    struct tcp_stats ret = {0};
    size_t count;
    struct tcp_port *rows = port_rows_choose(told, &network, ROWS_MAX, &count);

    assert_non_null(rows);
    assert_true(count <= ROWS_MAX);
    for (size_t i = 0; i < count; i++)
        if (rows[i].key.port == port && rows[i].key.role == TCP_CLIENT)
            ret = rows[i].stats;
    free(rows);
    return ret;
}

static void the_busiest_have_rows(void **state)
{
    (void)state;
    begin();
    for (uint16_t port = 1; port <= 200; port++)
        add(port)->opened = port;
    assert_int_equal(shown(200).opened, 200);
    assert_int_equal(shown(150).opened, 150);
    assert_int_equal(shown(100).opened, 0);
    end();
}

/* Refused connects cost a stranger nothing: what comes later finds room beside them. */
static void refused_connects_push_nobody_out(void **state)
{
    (void)state;
    begin();
    add_refused(REFUSED_FROM, 250, 1000);
    assert_int_equal(shown(REFUSED_FROM).connects_failed[0], 1000);
    for (uint16_t port = 1; port <= 48; port++)
        add(port)->opened = 1;
    assert_int_equal(shown(1).opened, 1);
    assert_int_equal(shown(48).opened, 1);
    end();
}

/* What has no row is in `other`, and no counter goes back when rows change hands. */
static void other_has_the_rest(void **state)
{
    uint64_t before;

    (void)state;
    begin();
    for (uint16_t port = 1; port <= 100; port++)
        add(port)->opened = 100;
    shown(0);
    before = shown(0).opened;
    assert_int_equal(before, 36 * 100);
    for (size_t i = 0; i < network.port_count; i++)
        ports[i].stats.opened += i < 50 ? 1000 : 1;
    assert_true(shown(0).opened >= before);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_busiest_have_rows),
        cmocka_unit_test(refused_connects_push_nobody_out),
        cmocka_unit_test(other_has_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
