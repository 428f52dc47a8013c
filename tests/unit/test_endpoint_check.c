/* Active checks: what is expected of an answer, how results are kept, and peers that misbehave
 * under each protocol. Real databases are in test_endpoint_database.c. */
#include "check_scene.h"
#include "facts/endpoint_rows.h"

#define OFTEN "\"interval\":0.1,\"timeout\":0.1"
#define PATIENT "\"interval\":60,\"timeout\":60"
#define JSON_ANSWER(body) "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" body

static void expectations_decide(void **state)
{
    static const struct {
        const char *answer, *expect, *reason; /* NULL: ok */
    } cases[] = {
        {JSON_ANSWER(""), "", NULL},
        {"HTTP/1.1 302 Found\r\n\r\n", "", NULL},
        {"HTTP/1.1 404 No\r\n\r\n", "", "status 404 (expected 2xx or 3xx)"},
        {"HTTP/1.1 404 No\r\n\r\n", ",\"expect\":404", NULL},
        {"HTTP/1.1 503 No\r\n\r\n", ",\"expect\":{\"status\":503}", NULL},
        {JSON_ANSWER(""), ",\"expect\":204", "status 200 (expected 204)"},
        {JSON_ANSWER("all is well"), ",\"expect\":\"is well\"", NULL},
        {JSON_ANSWER("all is bad"), ",\"expect\":\"is well\"", "\"is well\" is not in the answer"},
        {JSON_ANSWER("{\"a\":{\"b/c\":[1,{\"~\":true}]},\"s\":\"up\"}"),
         ",\"expect\":{\"json\":{\"/a/b~1c/0\":1,\"/a/b~1c/1/~0\":true,\"/s\":\"up\"}}", NULL},
        {JSON_ANSWER("{\"s\":\"down\"}"), ",\"expect\":{\"json\":{\"/s\":\"up\"}}",
         "/s is \"down\" (expected \"up\")"},
        {JSON_ANSWER("{\"s\":\"1\"}"), ",\"expect\":{\"json\":{\"/s\":1}}",
         "/s is \"1\" (expected 1)"},
        {JSON_ANSWER("{\"S\":1}"), ",\"expect\":{\"json\":{\"/s\":1}}", "/s is not there"},
        {JSON_ANSWER("[1,2]"), ",\"expect\":{\"json\":{\"/2\":1}}", "/2 is not there"},
        {JSON_ANSWER("[1,2]"), ",\"expect\":{\"json\":{\"/01\":2}}", "/01 is not there"},
        {JSON_ANSWER("[1,2]"), ",\"expect\":{\"json\":{\"\":[1,2]}}", NULL},
        {JSON_ANSWER("{\"n\":null}"), ",\"expect\":{\"json\":{\"/n\":null}}", NULL},
        {JSON_ANSWER("{}"), ",\"expect\":{\"json\":{\"/n\":null}}", "/n is not there"},
        {JSON_ANSWER("<html>"), ",\"expect\":{\"json\":{\"/s\":1}}", "the answer is not JSON"},
    };
    struct check_scene s;
    struct peer *peer;

    check_scene_begin(&s);
    peer = peer_start(s.loop, PEER_ANSWERS, "");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        peer->answer = cases[i].answer;
        /* Another url each time: another check. */
        check_scene_service(&s, "\"type\":\"http\",\"url\":\"%s%zu\"," PATIENT "%s", peer->url, i,
                            cases[i].expect);
        check_scene_run(&s, 1);
        if ((s.last.status == ENDPOINT_OK) != !cases[i].reason ||
            !strstr(s.last_reason, cases[i].reason ? cases[i].reason : ""))
            fail_msg("case %zu: %s, \"%s\"", i, endpoint_status_name(s.last.status), s.last_reason);
    }
    peer_stop(peer);
    check_scene_end(&s);
}

static void results_are_counted_and_dated(void **state)
{
    struct check_scene s;
    struct endpoint_check_view view;
    struct peer *peer;
    uint64_t since_ns;

    check_scene_begin(&s);
    peer = peer_start(s.loop, PEER_ANSWERS, "HTTP/1.1 200 OK\r\n\r\n");
    check_scene_service(&s, "\"type\":\"http\",\"url\":\"%s\",\"interval\":0.1,\"timeout\":0.1",
                        peer->url);
    assert_int_equal(endpoint_check_count(s.checks), 1);
    endpoint_check_view(s.checks, 0, &view);
    assert_int_equal(view.status, ENDPOINT_UNKNOWN);
    assert_string_equal(view.reason, "not asked yet");
    assert_int_equal(view.last_ns, 0);
    peer->answer = "HTTP/1.1 500 Oops\r\n\r\n";
    check_scene_run(&s, 3);
    endpoint_check_view(s.checks, 0, &view);
    assert_int_equal(view.status, ENDPOINT_FAILED);
    assert_int_equal(view.consecutive, 3);
    assert_int_equal(view.runs_total, 3);
    assert_int_equal(view.failed_total, 3);
    assert_int_equal(view.latency_ns, 0);
    since_ns = view.since_ns;
    assert_true(view.last_ns > since_ns && view.next_ns > since_ns);
    peer->answer = "HTTP/1.1 200 OK\r\n\r\n";
    do
        check_scene_run(&s, 1);
    while (s.last.status == ENDPOINT_FAILED);
    assert_int_equal(s.last.consecutive, 1);
    assert_true(s.last.since_ns > since_ns);
    assert_true(s.last.latency_ns > 0);
    assert_int_equal(s.last.http_status, 200);
    peer_stop(peer);
    check_scene_end(&s);
}

/* A row is taken with a tick, and told until the next one. */
static void a_row_says_why_whatever_comes_after(void **state)
{
    struct check_scene s;
    struct facts facts = {.clock = clock_system()};
    struct peer *peer;

    check_scene_begin(&s);
    peer = peer_start(s.loop, PEER_ANSWERS, "HTTP/1.1 500 Oops\r\n\r\n");
    check_scene_service(&s, "\"type\":\"http\",\"url\":\"%s\"," OFTEN, peer->url);
    check_scene_run(&s, 1);
    expect_failure(&s, "status 500");
    facts.checks = s.checks;
    facts_take(&facts);
    peer->answer = "HTTP/1.1 200 OK\r\n\r\n";
    do
        check_scene_run(&s, 1);
    while (s.last.status == ENDPOINT_FAILED);
    assert_int_equal(facts.endpoint_count, 1);
    assert_string_equal(facts.endpoints[0].status, endpoint_status_name(ENDPOINT_FAILED));
    assert_non_null(strstr(facts.endpoints[0].failure, "status 500"));
    facts_release(&facts);
    peer_stop(peer);
    check_scene_end(&s);
}

static void a_throttled_check_waits_as_long_as_asked(void **state)
{
    struct check_scene s;
    struct peer *peer;

    check_scene_begin(&s);
    peer = peer_start(s.loop, PEER_ANSWERS, "HTTP/1.1 429 Slow\r\nRetry-After: 100\r\n\r\n");
    check_scene_service(&s, "\"type\":\"http\",\"url\":\"%s\",\"interval\":60,\"timeout\":60",
                        peer->url);
    check_scene_run(&s, 1);
    expect_failure(&s, "status 429");
    assert_int_equal(s.last.outcome, OUTCOME_THROTTLED);
    assert_int_equal(s.last.next_ns, s.last.last_ns + 100 * NS_PER_SECOND);
    peer_stop(peer);
    check_scene_end(&s);
}

static void a_reload_keeps_what_is_the_same(void **state)
{
    struct check_scene s;
    struct endpoint_check_view view;
    struct peer *peer;

    check_scene_begin(&s);
    peer = peer_start(s.loop, PEER_ANSWERS, "HTTP/1.1 200 OK\r\n\r\n");
    check_scene_service(&s, "\"type\":\"http\",\"url\":\"%s\"," PATIENT, peer->url);
    check_scene_run(&s, 1);
    expect_success(&s);
    check_scene_service(&s, "\"type\":\"http\",\"url\":\"%s\",\"interval\":50,\"timeout\":20",
                        peer->url);
    endpoint_check_view(s.checks, 0, &view);
    assert_int_equal(view.status, ENDPOINT_OK);
    assert_int_equal(view.runs_total, 1);
    check_scene_service(&s, "\"type\":\"http\",\"url\":\"%sother\"," PATIENT, peer->url);
    endpoint_check_view(s.checks, 0, &view);
    assert_int_equal(view.status, ENDPOINT_UNKNOWN);
    check_scene_configure(&s, "{}");
    assert_int_equal(endpoint_check_count(s.checks), 0);
    peer_stop(peer);
    check_scene_end(&s);
}

/* A peer that speaks none of the protocols, in every way it can fail to. */
static void bad_peers_fail_every_type(void **state)
{
    static const char *const urls[] = {
        "\"type\":\"http\",\"url\":\"http://127.0.0.1:%u/\"",
        "\"type\":\"http\",\"url\":\"https://127.0.0.1:%u/\"",
        "\"type\":\"postgres\",\"url\":\"postgres://u@127.0.0.1:%u/d\"",
        "\"type\":\"redis\",\"url\":\"redis://127.0.0.1:%u\"",
    };
    static const char garbage[] = "\xff\xfe\x01garbage\r\n\x16\x02\x02 more\r\n";
    static const struct {
        enum peer_manner manner;
        const char *answer;
    } manners[] = {{PEER_RESETS, ""},
                   {PEER_SPEAKS_FIRST, garbage},
                   {PEER_SPEAKS_FIRST, "E"},
                   {PEER_HANGS, ""}};
    struct check_scene s;

    check_scene_begin(&s);
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        for (size_t m = 0; m < sizeof(manners) / sizeof(manners[0]); m++) {
            struct peer *peer = peer_start(s.loop, manners[m].manner, manners[m].answer);
            char check[256];

            snprintf(check, sizeof(check), urls[i], peer->port);
            check_scene_service(&s, "%s," OFTEN, check);
            check_scene_run(&s, 2);
            assert_int_equal(s.last.status, ENDPOINT_FAILED);
            if (!s.last_reason[0] || strchr(s.last_reason, '\n'))
                fail_msg("type %zu, manner %zu: \"%s\"", i, m, s.last_reason);
            assert_int_equal(s.last.consecutive, 2);
            /* The next peer may get the same port: that would be the same check. */
            check_scene_configure(&s, "{}");
            peer_stop(peer);
        }
    }
    check_scene_end(&s);
}

static void what_is_not_there_is_said_to_be(void **state)
{
    static const struct {
        const char *check, *reason;
    } cases[] = {
        {"\"type\":\"tcp\",\"url\":\"tcp://127.0.0.1:%u\"", "connect"},
        {"\"type\":\"redis\",\"url\":\"redis://127.0.0.1:%u\"", "refused"},
        {"\"type\":\"postgres\",\"url\":\"postgres://127.0.0.1:%u/\"", "refused"},
        {"\"type\":\"redis\",\"url\":\"redis://name.invalid:%u\"", "name.invalid: "},
        {"\"type\":\"postgres\",\"url\":\"postgres://name.invalid:%u/\"", "name.invalid: "},
        {"\"type\":\"postgres\",\"url\":\"postgres://a:%u,b/\"", "several hosts"},
        {"\"type\":\"redis\",\"url\":\"redis://127.0.0.1:%u\",\"password_file\":\"/nonexistent/p\"",
         "/nonexistent/p: No such file"},
        {"\"type\":\"http\",\"url\":\"http://127.0.0.1:%u\",\"token_file\":\"/dev/null\"",
         "/dev/null: it is not a regular file"},
        {"\"type\":\"postgres\",\"url\":\"postgres://127.0.0.1:%u/\",\"ca_file\":\"/dev/zero\"",
         "/dev/zero: it is not a regular file"},
    };
    struct check_scene s;
    unsigned port = free_port();

    check_scene_begin(&s);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char check[256];

        snprintf(check, sizeof(check), cases[i].check, port);
        check_scene_service(&s, "%s," PATIENT, check);
        check_scene_run(&s, 1);
        expect_failure(&s, cases[i].reason);
    }
    check_scene_end(&s);
}

static void tcp_and_credentials_of_http(void **state)
{
    struct check_scene s;
    struct peer *peer;
    char directory[64], password[96], token[96];

    make_directory(directory, NULL);
    snprintf(password, sizeof(password), "%s/password", directory);
    snprintf(token, sizeof(token), "%s/token", directory);
    write_file(password, "secret\n");
    write_file(token, "abc.def\n");
    check_scene_begin(&s);
    peer = peer_start(s.loop, PEER_ANSWERS, "HTTP/1.1 200 OK\r\n\r\n");
    check_scene_service(&s, "\"type\":\"tcp\",\"url\":\"tcp://localhost:%u\"," PATIENT, peer->port);
    check_scene_run(&s, 1);
    expect_success(&s);
    assert_true(s.last.latency_ns > 0);
    check_scene_service(
        &s,
        "\"type\":\"http\",\"url\":\"http://me@127.0.0.1:%u/\",\"password_file\":\"%s\"," PATIENT,
        peer->port, password);
    check_scene_run(&s, 1);
    expect_success(&s);
    assert_non_null(strstr(peer->request, "Authorization: Basic bWU6c2VjcmV0\r\n"));
    check_scene_service(&s, "\"type\":\"http\",\"url\":\"%st\",\"token_file\":\"%s\"," PATIENT,
                        peer->url, token);
    check_scene_run(&s, 1);
    assert_non_null(strstr(peer->request, "Authorization: Bearer abc.def\r\n"));
    peer_stop(peer);
    check_scene_end(&s);
    remove_directory(directory);
}

static void answers_of_cached_paths_are_handed_on(void **state)
{
    char text[1024];
    struct check_scene s;
    struct peer *peer;

    check_scene_begin(&s);
    peer = peer_start(s.loop, PEER_ANSWERS,
                      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nprices");
    snprintf(text, sizeof(text),
             "{\"upstreams\":[{\"name\":\"shop\",\"address\":\"127.0.0.1:%u\",\"check\":{\"type\":"
             "\"http\",\"url\":\"%shealth?a=1\",\"interval\":60,\"timeout\":60},\"fallback\":{"
             "\"strategy\":\"cached\",\"paths\":[\"/prices\"]}}]}",
             peer->port, peer->url);
    check_scene_configure(&s, text);
    assert_int_equal(endpoint_check_count(s.checks), 1);
    s.stop_at_answers = 2;
    assert_int_equal(loop_run(s.loop), 0);
    for (int i = 0; i < 2; i++) {
        assert_true(s.answered[i].good);
        assert_string_equal(s.answered[i].upstream, "shop");
        assert_string_equal(s.answered[i].body, "prices");
        assert_string_equal(s.answered[i].content_type, "text/plain");
    }
    assert_int_equal(strcmp(s.answered[0].path, "/prices") == 0,
                     strcmp(s.answered[1].path, "/prices") != 0);
    assert_int_equal(strcmp(s.answered[0].path, "/health?a=1") == 0,
                     strcmp(s.answered[1].path, "/health?a=1") != 0);
    /* Configured anew, they are asked at once. */
    peer->answer = "HTTP/1.1 500 Oops\r\n\r\n";
    check_scene_configure(&s, text);
    s.stop_at_answers = s.answers + 2;
    assert_int_equal(loop_run(s.loop), 0);
    assert_false(s.answered[(s.answers - 1) % 8].good);
    peer_stop(peer);
    check_scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expectations_decide),
        cmocka_unit_test(results_are_counted_and_dated),
        cmocka_unit_test(a_row_says_why_whatever_comes_after),
        cmocka_unit_test(a_throttled_check_waits_as_long_as_asked),
        cmocka_unit_test(a_reload_keeps_what_is_the_same),
        cmocka_unit_test(bad_peers_fail_every_type),
        cmocka_unit_test(what_is_not_there_is_said_to_be),
        cmocka_unit_test(tcp_and_credentials_of_http),
        cmocka_unit_test(answers_of_cached_paths_are_handed_on),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
