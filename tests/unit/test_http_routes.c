/* The route table, addresses to listen on, and who makes room when places run out. */
#include "http/connections.h"
#include "http/listen.h"
#include "http/routes.h"
#include "http/site.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void test_table(void **state)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const struct route *r = routes[i], *found;
        char allow[64], param[ROUTE_PARAM_BYTES];

        assert_non_null(r->body);
        assert_non_null(r->summary);
        assert_non_null(r->answer);
        assert_true(r->type != NULL && r->id != NULL);
        /* Only what changes nothing is open to GET, and what changes something is the admin's. */
        assert_int_equal(r->acts, strcmp(r->method, "GET") != 0);
        assert_true(!r->acts || r->role == ROLE_ADMIN);
        assert_int_equal(r->varies == VARIES_BY_CALLER, r->reduced != NULL);
        assert_int_equal(r->varies == VARIES_BY_ACCEPT, r->type_alternative != NULL);
        assert_int_equal(route_find(r->method, r->path, &found, allow, param), ROUTE_FOUND);
        assert_ptr_equal(found, r);
    }
}

static void test_find(void **state)
{
    const struct route *found = NULL;
    char allow[64], param[ROUTE_PARAM_BYTES];

    assert_int_equal(route_find("HEAD", "/health", &found, allow, param), ROUTE_FOUND);
    assert_string_equal(found->method, "GET");
    assert_int_equal(route_find("GET", "/health/", &found, allow, param), ROUTE_NO_PATH);
    assert_int_equal(route_find("GET", "", &found, allow, param), ROUTE_NO_PATH);
    assert_int_equal(route_find("PUT", "/health", &found, allow, param), ROUTE_NO_METHOD);
    assert_string_equal(allow, "GET, HEAD");
    assert_int_equal(route_find("HEAD", "/admin/reload", &found, allow, param), ROUTE_NO_METHOD);
    assert_string_equal(allow, "POST");
}

static void test_names_in_paths(void **state)
{
    static const char *const none[] = {"/breakers/", "/breakers/a/b",
                                       "/admin/circuit-breaker//open", "/admin/circuit-breaker/a",
                                       "/admin/circuit-breaker/a/opens"};
    char allow[64], param[ROUTE_PARAM_BYTES], path[2 * ROUTE_PARAM_BYTES];
    const struct route *found = NULL;

    assert_int_equal(route_find("GET", "/breakers/pay", &found, allow, param), ROUTE_FOUND);
    assert_string_equal(found->id, "breaker");
    assert_string_equal(param, "pay");
    assert_int_equal(route_find("GET", "/breakers", &found, allow, param), ROUTE_FOUND);
    assert_string_equal(found->id, "breakers");
    assert_string_equal(param, "");
    assert_int_equal(route_find("POST", "/admin/circuit-breaker/a/close", &found, allow, param),
                     ROUTE_FOUND);
    assert_string_equal(found->id, "breakerClose");
    assert_string_equal(param, "a");
    assert_int_equal(route_find("POST", "/breakers/pay", &found, allow, param), ROUTE_NO_METHOD);
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        assert_int_equal(route_find("POST", none[i], &found, allow, param), ROUTE_NO_PATH);
    snprintf(path, sizeof(path), "/breakers/%0*d", ROUTE_PARAM_BYTES - 1, 0);
    assert_int_equal(route_find("GET", path, &found, allow, param), ROUTE_FOUND);
    snprintf(path, sizeof(path), "/breakers/%0*d", ROUTE_PARAM_BYTES, 0);
    assert_int_equal(route_find("GET", path, &found, allow, param), ROUTE_NO_PATH);
}

static void test_addresses(void **state)
{
    static const char *const loopback[] = {"127.0.0.1:8000", "127.8.9.1:0", "[::1]:65535",
                                           "localhost:80"};
    static const char *const others[] = {"0.0.0.0:80", "[::]:80", "192.0.2.1:80",
                                         "[::ffff:127.0.0.1]:80", "128.0.0.1:80"};
    static const char *const wrong[] = {
        "",           "8000",         ":8000",           "127.0.0.1",
        "127.0.0.1:", "127.0.0.1:x",  "::1:8000",        "[::1]8000",
        "[::1]",      "[::1:80",      "[127.0.0.1]:80",  "name:80",
        "*:80",       "127.0.0.1:-1", "127.0.0.1:65536", "127.0.0.1:80 ",
        "1.2.3:80",   "[]:80",        "127.0.0.1:+80",   "[::1%lo]:80"};
    struct listen_address a;

    for (size_t i = 0; i < sizeof(loopback) / sizeof(loopback[0]); i++) {
        assert_int_equal(listen_parse(loopback[i], &a), 0);
        assert_true(listen_is_loopback(&a));
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_int_equal(listen_parse(others[i], &a), 0);
        assert_false(listen_is_loopback(&a));
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (listen_parse(wrong[i], &a) != -EINVAL)
            fail_msg("\"%s\" was taken for an address", wrong[i]);
}

static void test_listen(void **state)
{
    struct listen_address a;
    char name[LISTEN_TEXT_BYTES], again[LISTEN_TEXT_BYTES];
    int fd, second = -1;

    assert_int_equal(listen_parse("127.0.0.1:0", &a), 0);
    assert_int_equal(listen_open(&a, 30, &fd, name), 0);
    assert_int_equal(strncmp(name, "127.0.0.1:", 10), 0);
    assert_int_equal(listen_parse(name, &a), 0);
    assert_int_equal(listen_open(&a, 30, &second, again), -EADDRINUSE);
    assert_int_equal(second, -1);
    close(fd);
}

#define PLACES 8

static void test_the_longest_silent_makes_room(void **state)
{
    struct connections all = {.limit = PLACES};
    struct connection *held[PLACES];
    int pairs[PLACES][2];
    char byte;

    for (int i = 0; i < PLACES; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]), 0);
        if (i == PLACES - 1)
            connections_touch(&all, held[0]);
        held[i] = connections_add(&all, pairs[i][0]);
        assert_non_null(held[i]);
    }
    assert_int_equal(all.count, PLACES);
    assert_int_equal(all.evicted_total, 1);
    /* The first was heard of again, so the second had to go. */
    for (int i = 0; i < PLACES; i++)
        assert_int_equal(recv(pairs[i][1], &byte, 1, 0), i == 1 ? 0 : -1);
    for (int i = 0; i < PLACES; i++) {
        connections_remove(&all, held[(i * 3) % PLACES]);
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    connections_remove(&all, NULL);
    assert_int_equal(all.count, 0);
    assert_null(all.oldest);
    assert_null(all.newest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),          cmocka_unit_test(test_find),
        cmocka_unit_test(test_names_in_paths), cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_listen),         cmocka_unit_test(test_the_longest_silent_makes_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
