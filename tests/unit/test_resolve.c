/* Names against a name server on the loop of the test, which answers, denies, or says nothing. The
 * clock can be turned forward, so that nobody waits for the half minute between lookups. */
#include "peer.h"
#include "transfer/resolve.h"

enum manner { ANSWERS, DENIES, FAILS, SILENT };

struct scene {
    struct loop *loop;
    struct clock clock;
    uint64_t ahead_ns;
    struct random_source random;
    struct resolver *resolver;
    struct resolver_name *name;
    struct loop_source *server;
    int fd;
    enum manner manner;
    const char *v4[4], *v6; /* the answers */
    unsigned questions[29]; /* by type */
    unsigned reports, stop_at;
    bool unwatch;
};

static uint64_t scene_now(void *ctx)
{
    return clock_monotonic_ns(clock_system()) + ((struct scene *)ctx)->ahead_ns;
}

static uint64_t no_jitter(void *ctx)
{
    return 0;
}

static size_t add_answer(unsigned char *at, unsigned type, const char *address)
{
    static const unsigned char start[] = {0xc0, 12, 0, 0, 0, 1, 0, 0, 0, 60, 0, 0};
    size_t length = type == 1 ? 4 : 16;

    memcpy(at, start, sizeof(start));
    at[3] = (unsigned char)type;
    at[11] = (unsigned char)length;
    assert_int_equal(inet_pton(type == 1 ? AF_INET : AF_INET6, address, at + 12), 1);
    return sizeof(start) + length;
}

static void on_question(void *ctx, uint32_t events)
{
    struct scene *s = ctx;
    unsigned char packet[1024];
    struct sockaddr_in from;
    socklen_t length = sizeof(from);
    ssize_t n = recvfrom(s->fd, packet, 512, 0, (struct sockaddr *)&from, &length);
    size_t end = 12;
    unsigned type;

    assert_true(n > 12);
    while (packet[end])
        end += packet[end] + 1u;
    type = packet[end + 2];
    end += 5;
    assert_true(type == 1 || type == 28);
    s->questions[type]++;
    if (s->manner == SILENT)
        return;
    packet[2] = 0x81;
    packet[3] = (unsigned char)(0x80 | (s->manner == DENIES ? 3 : s->manner == FAILS ? 2 : 0));
    memset(packet + 6, 0, 6); /* no answers, and no EDNS record */
    for (size_t i = 0; s->manner == ANSWERS && type == 1 && i < 4 && s->v4[i]; i++, packet[7]++)
        end += add_answer(packet + end, type, s->v4[i]);
    if (s->manner == ANSWERS && type == 28 && s->v6) {
        end += add_answer(packet + end, type, s->v6);
        packet[7] = 1;
    }
    sendto(s->fd, packet, end, 0, (struct sockaddr *)&from, length);
}

static void begin(struct scene *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    char servers[64];

    s->clock = (struct clock){scene_now, scene_now, s};
    s->random = (struct random_source){no_jitter, NULL};
    s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(s->fd, (struct sockaddr *)&address, length), 0);
    getsockname(s->fd, (struct sockaddr *)&address, &length);
    assert_int_equal(loop_create(&s->loop, &s->clock), 0);
    assert_int_equal(loop_add_fd(s->loop, &s->server, s->fd, EPOLLIN, on_question, s), 0);
    assert_int_equal(resolver_create(&s->resolver, s->loop, &s->clock, &s->random), 0);
    snprintf(servers, sizeof(servers), "127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(resolver_set_servers(s->resolver, servers), 0);
}

static void end(struct scene *s)
{
    resolver_destroy(s->resolver);
    loop_destroy(s->loop);
    close(s->fd);
}

static void on_change(void *ctx)
{
    struct scene *s = ctx;

    if (s->unwatch) {
        resolver_unwatch(s->name);
        s->name = NULL;
    }
    if (++s->reports == s->stop_at)
        loop_stop(s->loop);
}

static void run_until_reports(struct scene *s, unsigned reports)
{
    s->stop_at = reports;
    assert_int_equal(loop_run(s->loop), 0);
    assert_int_equal(s->reports, reports);
}

static void on_nothing(void *ctx)
{
}

/* Turns the clock, which the loop's alarms learn of when the next name is added. */
static void turn_clock(struct scene *s, uint64_t ns)
{
    struct resolver_name *other;

    s->ahead_ns += ns;
    assert_int_equal(resolver_watch(s->resolver, &other, "127.0.0.9", on_nothing, s), 0);
}

static void expect(const struct scene *s, size_t count, const char *const *texts)
{
    struct resolver_view view;
    char text[RESOLVED_TEXT_BYTES];

    resolver_view(s->name, &view);
    assert_int_equal(view.count, count);
    for (size_t i = 0; i < count; i++) {
        resolved_address_format(&view.addresses[i], text);
        assert_string_equal(text, texts[i]);
    }
}

#define EXPECT(s, ...)                                                                             \
    expect((s), sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *),                            \
           (const char *[]){__VA_ARGS__})

static void both_families_are_asked_and_sorted(void **state)
{
    struct scene s = {.v4 = {"192.0.2.9", "192.0.2.1", "192.0.2.9"}, .v6 = "2001:db8::1"};
    struct resolver_view view;

    begin(&s);
    assert_int_equal(resolver_watch(s.resolver, &s.name, "db.example", on_change, &s), 0);
    assert_int_equal(s.reports, 0);
    resolver_view(s.name, &view);
    assert_int_equal(view.resolved_ns, 0);
    run_until_reports(&s, 1);
    EXPECT(&s, "192.0.2.1", "192.0.2.9", "2001:db8::1");
    /* c-ares repeats a question that a busy machine left lying for two seconds. */
    assert_true(s.questions[1] >= 1 && s.questions[28] >= 1);
    resolver_view(s.name, &view);
    assert_int_equal(view.lookups_total, 1);
    assert_string_equal(view.host, "db.example");
    assert_string_equal(view.reason, "");
    assert_int_equal(view.next_ns, view.resolved_ns + RESOLVE_INTERVAL_NS);
    end(&s);
}

static void a_change_is_reported_and_nothing_else(void **state)
{
    struct scene s = {.v4 = {"192.0.2.1", "192.0.2.2"}};
    struct resolver_name *marker;
    struct resolver_view view;

    begin(&s);
    assert_int_equal(resolver_watch(s.resolver, &s.name, "db.example", on_change, &s), 0);
    run_until_reports(&s, 1);
    /* Another order is no change. The server's next answers are given in turn, so that when the
     * marker that is asked after the name is known, the name is too. */
    s.v4[0] = "192.0.2.2";
    s.v4[1] = "192.0.2.1";
    turn_clock(&s, RESOLVE_INTERVAL_NS);
    do {
        assert_int_equal(resolver_watch(s.resolver, &marker, "marker.example", on_change, &s), 0);
        run_until_reports(&s, s.reports + 1);
        resolver_view(s.name, &view);
    } while (view.lookups_total < 2);
    assert_int_equal(view.lookups_total, 2);
    assert_int_equal(view.changes_total, 1);
    s.v4[0] = "192.0.2.3";
    turn_clock(&s, RESOLVE_INTERVAL_NS);
    do {
        run_until_reports(&s, s.reports + 1);
        resolver_view(s.name, &view);
    } while (view.changes_total < 2);
    EXPECT(&s, "192.0.2.1", "192.0.2.3");
    end(&s);
}

static void a_name_that_fails_is_kept_and_asked_again(void **state)
{
    struct scene s = {.v4 = {"192.0.2.1"}};
    struct resolver_view view;

    begin(&s);
    assert_int_equal(resolver_watch(s.resolver, &s.name, "db.example", on_change, &s), 0);
    run_until_reports(&s, 1);
    s.manner = DENIES;
    turn_clock(&s, RESOLVE_INTERVAL_NS);
    run_until_reports(&s, 2);
    EXPECT(&s, "192.0.2.1");
    resolver_view(s.name, &view);
    assert_int_equal(view.failures, 1);
    assert_true(view.reason[0] != '\0');
    assert_true(view.next_ns < view.resolved_ns + 2 * RESOLVE_INTERVAL_NS);
    /* The same address again: the recovery is reported, and it is no change. */
    s.manner = ANSWERS;
    turn_clock(&s, RESOLVE_INTERVAL_NS);
    run_until_reports(&s, 3);
    resolver_view(s.name, &view);
    assert_int_equal(view.failures, 0);
    assert_string_equal(view.reason, "");
    assert_int_equal(view.changes_total, 1);
    assert_int_equal(view.failed_total, 1);
    end(&s);
}

static void a_silent_server_is_given_up(void **state)
{
    struct scene s = {.manner = SILENT};
    struct resolver_view view;

    begin(&s);
    assert_int_equal(resolver_watch(s.resolver, &s.name, "db.example", on_change, &s), 0);
    run_until_reports(&s, 1);
    resolver_view(s.name, &view);
    assert_int_equal(view.count, 0);
    assert_int_equal(view.resolved_ns, 0);
    assert_int_equal(view.failures, 1);
    assert_true(s.questions[1] >= 2); /* it was asked more than once */
    end(&s);
}

static void addresses_and_localhost_need_no_server(void **state)
{
    struct scene s = {.manner = SILENT};
    struct resolver_name *v6, *local;
    struct resolver_view view;

    begin(&s);
    assert_int_equal(resolver_watch(s.resolver, &s.name, "192.0.2.7", on_change, &s), 0);
    assert_int_equal(resolver_watch(s.resolver, &v6, "2001:db8::7", on_change, &s), 0);
    assert_int_equal(resolver_watch(s.resolver, &local, "localhost", on_change, &s), 0);
    run_until_reports(&s, 3);
    EXPECT(&s, "192.0.2.7");
    resolver_view(v6, &view);
    assert_int_equal(view.count, 1);
    assert_int_equal(view.addresses[0].family, AF_INET6);
    resolver_view(local, &view);
    assert_true(view.count >= 1);
    assert_int_equal(s.questions[1] + s.questions[28], 0);
    end(&s);
}

static void a_name_may_be_dropped_at_any_time(void **state)
{
    struct scene s = {.v4 = {"192.0.2.1"}, .unwatch = true};
    struct resolver_name *other;

    begin(&s);
    /* In its own callback, also when that comes without a lookup. */
    assert_int_equal(resolver_watch(s.resolver, &s.name, "db.example", on_change, &s), 0);
    assert_int_equal(resolver_watch(s.resolver, &s.name, "192.0.2.7", on_change, &s), 0);
    run_until_reports(&s, 2);
    /* While it is asked for: its answer comes before that of the second, and calls nobody. */
    s.manner = SILENT;
    s.unwatch = false;
    assert_int_equal(resolver_watch(s.resolver, &other, "first.example", on_change, &s), 0);
    assert_int_equal(resolver_watch(s.resolver, &s.name, "127.0.0.1", on_change, &s), 0);
    run_until_reports(&s, 3);
    resolver_unwatch(other);
    resolver_unwatch(NULL);
    /* With a query under way. */
    end(&s);
}

static void many_names_are_asked_at_once(void **state)
{
    struct scene s = {.v4 = {"192.0.2.1"}, .v6 = "2001:db8::1"};
    struct resolver_name *names[200];
    char host[32];

    begin(&s);
    for (int i = 0; i < 200; i++) {
        snprintf(host, sizeof(host), "n%d.example", i);
        assert_int_equal(resolver_watch(s.resolver, &names[i], host, on_change, &s), 0);
    }
    run_until_reports(&s, 200);
    assert_in_range(s.questions[1], 200, 600);
    end(&s);
    resolver_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_families_are_asked_and_sorted),
        cmocka_unit_test(a_change_is_reported_and_nothing_else),
        cmocka_unit_test(a_name_that_fails_is_kept_and_asked_again),
        cmocka_unit_test(a_silent_server_is_given_up),
        cmocka_unit_test(addresses_and_localhost_need_no_server),
        cmocka_unit_test(a_name_may_be_dropped_at_any_time),
        cmocka_unit_test(many_names_are_asked_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
