/* Wrong tokens by source: who has to wait, which lines are written, what is forgotten. */
#include "http/guesses.h"
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND 1000000000ULL
#define START (1000 * SECOND)

static struct guess_report reports[1024];
static size_t report_count;

static void on_report(void *ctx, const struct guess_report *report)
{
    reports[report_count++] = *report;
}

static struct sockaddr_in6 address6(const char *text)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};

    assert_int_equal(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
    return address;
}

static struct sockaddr_in address4(uint32_t number)
{
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(number)};
}

#define AS(address) ((const struct sockaddr *)&(address))

static int make(void **state)
{
    report_count = 0;
    return guesses_create((struct guesses **)state);
}

static int destroy(void **state)
{
    guesses_destroy(*state);
    return 0;
}

static void test_a_guesser_waits(void **state)
{
    struct sockaddr_in guesser = address4(0x0a000001), other = address4(0x0a000002);

    for (int i = 0; i < GUESSES_AT_ONCE; i++) {
        assert_int_equal(guesses_wait_seconds(*state, AS(guesser), START), 0);
        guesses_add(*state, AS(guesser), START);
    }
    assert_int_equal(guesses_wait_seconds(*state, AS(guesser), START), 2);
    assert_int_equal(guesses_wait_seconds(*state, AS(other), START), 0);
    assert_int_equal(guesses_wait_seconds(*state, AS(guesser), START + SECOND), 1);
    assert_int_equal(guesses_wait_seconds(*state, AS(guesser), START + 2 * SECOND), 0);
    guesses_add(*state, AS(guesser), START + 2 * SECOND);
    assert_int_equal(guesses_wait_seconds(*state, AS(guesser), START + 2 * SECOND), 2);
    /* A stale token that is sent now and then never waits. */
    for (uint64_t at = START + 60 * SECOND; at < START + 600 * SECOND; at += 5 * SECOND) {
        assert_int_equal(guesses_wait_seconds(*state, AS(guesser), at), 0);
        guesses_add(*state, AS(guesser), at);
    }
}

static void test_sources(void **state)
{
    struct sockaddr_in6 one = address6("2001:db8::1"), two = address6("2001:db8::ffff:2");
    struct sockaddr_in6 far = address6("2001:db8:0:1::1"), mapped = address6("::ffff:10.0.0.1");
    struct sockaddr_in plain = address4(0x0a000001);
    char text[GUESS_SOURCE_BYTES];

    for (int i = 0; i < GUESSES_AT_ONCE; i++) {
        guesses_add(*state, i % 2 ? AS(one) : AS(two), START);
        guesses_add(*state, AS(mapped), START);
    }
    assert_true(guesses_wait_seconds(*state, AS(one), START) > 0);
    assert_int_equal(guesses_wait_seconds(*state, AS(far), START), 0);
    assert_true(guesses_wait_seconds(*state, AS(plain), START) > 0);
    guess_source_text(AS(mapped), text);
    assert_string_equal(text, "10.0.0.1");
    guess_source_text(AS(one), text);
    assert_string_equal(text, "2001:db8::1");
    guess_source_text(NULL, text);
    assert_string_equal(text, "unknown");
}

static void test_one_line_a_minute(void **state)
{
    struct sockaddr_in guesser = address4(0x0a000001);
    uint64_t next;

    guesses_add(*state, AS(guesser), START);
    assert_int_equal(guesses_report(*state, START, on_report, NULL), 0);
    assert_int_equal(report_count, 1);
    assert_int_equal(reports[0].failures, 1);
    assert_string_equal(reports[0].source, "10.0.0.1");
    for (int i = 0; i < 500; i++) {
        guesses_add(*state, AS(guesser), START + SECOND);
        guesses_add_unread(*state, AS(guesser));
        next = guesses_report(*state, START + SECOND, on_report, NULL);
        assert_int_equal(next, START + GUESS_LINE_NS);
    }
    assert_int_equal(report_count, 1);
    assert_int_equal(guesses_report(*state, next, on_report, NULL), 0);
    assert_int_equal(report_count, 2);
    assert_int_equal(reports[1].failures, 500);
    assert_int_equal(reports[1].unread, 500);
    assert_int_equal(guesses_report(*state, next + 10 * GUESS_LINE_NS, on_report, NULL), 0);
    assert_int_equal(report_count, 2);
}

/* Whoever has many addresses fills neither the log nor the memory, and every guess is told of. */
static void test_many_sources(void **state)
{
    uint64_t told = 0, next = START, tries = 0;

    for (uint32_t i = 0; i < 2000; i++) {
        struct sockaddr_in guesser = address4(0x0b000000 + i);

        guesses_add(*state, AS(guesser), START + i);
        next = guesses_report(*state, START + i, on_report, NULL);
    }
    assert_int_equal(report_count, GUESS_LINES);
    while (next && tries++ < 1000)
        next = guesses_report(*state, next, on_report, NULL);
    assert_int_equal(next, 0);
    for (size_t i = 0; i < report_count; i++)
        told += reports[i].failures + reports[i].of_others;
    assert_int_equal(told, 2000);
    assert_true(report_count <= GUESS_LINES + GUESS_SOURCES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_guesser_waits, make, destroy),
        cmocka_unit_test_setup_teardown(test_sources, make, destroy),
        cmocka_unit_test_setup_teardown(test_one_line_a_minute, make, destroy),
        cmocka_unit_test_setup_teardown(test_many_sources, make, destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
