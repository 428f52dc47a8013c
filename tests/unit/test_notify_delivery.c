/* Delivery on a real loop to receivers that work badly, are gone, or say no. */
#include "notify_fixture.h"

static void a_message_arrives_and_leaves_the_outbox(void **state)
{
    struct notify_channel_view view;
    struct outbox_view outbox;
    struct office o;
    struct peer *peer;
    char channel[512];

    office_begin(&o);
    peer = peer_start(o.loop, PEER_ANSWERS, OK_ANSWER);
    webhook(channel, "hook", peer, "");
    office_open(&o, channel);
    office_send(&o, 0, "mw-1");
    office_run(&o, all_removed);
    assert_int_equal(peer->accepted, 1);
    assert_string_equal(request_header(peer, "Idempotency-Key: "), "mw-1");
    assert_string_equal(request_header(peer, "Content-Type: "), "application/json");
    assert_non_null(strstr(peer->request, "\r\n\r\n{\"version\":\"4\",\"key\":\"mw-1\""));
    view = office_view(&o, 0);
    assert_string_equal(view.name, "hook");
    assert_string_equal(view.type, "webhook");
    assert_int_equal(view.state, NOTIFY_OK);
    assert_int_equal(view.sent_total, 1);
    assert_int_equal(view.failed_total + view.retried_total + view.dropped_total, 0);
    assert_int_equal(view.latency.count, 1);
    assert_true(view.latency.sum_ns > 0 && view.latency.sum_ns < DEADLINE_NS);
    assert_true(view.last_success_ns > STARTS_NS);
    notify_outbox_view(o.notify, &outbox);
    assert_int_equal(outbox.stored, 1);
    assert_int_equal(outbox.removed, 1);
    /* An agent that was killed meanwhile would say it again. */
    office_send(&o, 0, "mw-1");
    assert_int_equal(office_view(&o, 0).queued, 0);
    peer_stop(peer);
    office_end(&o);
}

static bool answered_badly(struct office *o)
{
    const struct peer *peer = o->about;

    return peer->accepted >= 3 && office_view(o, 0).failed_total >= 3;
}

static void what_fails_is_sent_again_with_the_same_key(void **state)
{
    static const struct {
        enum peer_manner manner;
        const char *answer, *error;
    } cases[] = {
        {PEER_ANSWERS, FAILED_ANSWER, "HTTP status 500: oops"},
        {PEER_RESETS, "", ""},
        {PEER_HANGS, "", "timed out"},
        {PEER_SPEAKS_FIRST, "220 smtp.example.org ESMTP\r\n", ""},
        {PEER_ANSWERS, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", "HTTP status 503"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct office o;
        struct peer *peer;
        char channel[512];

        office_begin(&o);
        peer = peer_start(o.loop, cases[i].manner, cases[i].answer);
        webhook_within(channel, cases[i].manner == PEER_HANGS ? 0.2 : 60, "hook", peer,
                       QUICK PATIENT);
        office_open(&o, channel);
        o.about = peer;
        office_send(&o, 0, "mw-2");
        office_run(&o, answered_badly);
        assert_int_equal(office_view(&o, 0).state, NOTIFY_FAILING);
        assert_int_equal(office_view(&o, 0).queued, 1);
        if (!strstr(office_view(&o, 0).error, cases[i].error))
            fail_msg("\"%s\" does not say \"%s\"", office_view(&o, 0).error, cases[i].error);
        peer->manner = PEER_ANSWERS;
        peer->answer = OK_ANSWER;
        office_run(&o, all_removed);
        assert_string_equal(request_header(peer, "Idempotency-Key: "), "mw-2");
        assert_int_equal(office_view(&o, 0).state, NOTIFY_OK);
        assert_string_equal(office_view(&o, 0).error, "");
        assert_int_equal(office_view(&o, 0).sent_total, 1);
        assert_true(office_view(&o, 0).retried_total >= 3);
        assert_int_equal(office_view(&o, 0).dropped_total, 0);
        peer_stop(peer);
        office_end(&o);
    }
}

static bool throttled(struct office *o)
{
    return office_view(o, 0).failed_total == 1;
}

static void retry_after_is_waited_for(void **state)
{
    struct office o;
    struct peer *peer;
    char channel[512];

    office_begin(&o);
    peer = peer_start(o.loop, PEER_ANSWERS,
                      "HTTP/1.1 429 Slow down\r\nRetry-After: 2000\r\nContent-Length: 0\r\n\r\n");
    webhook(channel, "hook", peer, QUICK "\"breaker\":{\"failure_threshold\":1}");
    office_open(&o, channel);
    office_send(&o, 0, "mw-3");
    office_run(&o, throttled);
    /* It is alive: no breaker opens, and nothing is tried before its time. */
    assert_int_equal(office_view(&o, 0).state, NOTIFY_FAILING);
    peer->answer = OK_ANSWER;
    office_turn_clock(&o, 1000 * NS_PER_SECOND, "mw-3a");
    office_run(&o, all_stored);
    assert_int_equal(office_view(&o, 0).retried_total, 0);
    office_turn_clock(&o, 1000 * NS_PER_SECOND, "mw-3b");
    office_run(&o, all_removed);
    assert_int_equal(office_view(&o, 0).retried_total, 1);
    assert_int_equal(peer->accepted, 4);
    peer_stop(peer);
    office_end(&o);
}

static void what_is_refused_does_not_stop_the_next(void **state)
{
    struct office o;
    struct peer *peer;
    char channel[512];

    office_begin(&o);
    peer = peer_start(o.loop, PEER_ANSWERS,
                      "HTTP/1.1 400 Bad\r\nContent-Length: 15\r\n\r\ninvalid_payload");
    webhook(channel, "hook", peer, QUICK PATIENT);
    office_open(&o, channel);
    office_send(&o, 0, "mw-4");
    office_run(&o, all_removed);
    assert_int_equal(peer->accepted, 1);
    assert_int_equal(office_view(&o, 0).dropped_total, 1);
    assert_string_equal(office_view(&o, 0).error, "HTTP status 400: invalid_payload");
    peer->answer = OK_ANSWER;
    office_send(&o, 0, "mw-5");
    office_run(&o, all_removed);
    assert_string_equal(request_header(peer, "Idempotency-Key: "), "mw-5");
    assert_int_equal(office_view(&o, 0).sent_total, 1);
    assert_int_equal(office_view(&o, 0).state, NOTIFY_OK);
    peer_stop(peer);
    office_end(&o);
}

static bool misconfigured(struct office *o)
{
    return office_view(o, 0).state == NOTIFY_MISCONFIGURED;
}

/* A token, a redirect, a URL that is gone: a person mends these, and the message waits. */
static void what_a_person_must_mend_keeps_its_messages(void **state)
{
    static const char *const answers[] = {
        "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    };

    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        struct config *old;
        struct office o;
        struct peer *peer;
        char channel[512];

        office_begin(&o);
        peer = peer_start(o.loop, PEER_ANSWERS, answers[i]);
        webhook(channel, "hook", peer, "\"retry\":{\"base_delay\":3000,\"max_delay\":3000}");
        office_open(&o, channel);
        office_send(&o, 0, "mw-6");
        office_run(&o, misconfigured);
        assert_int_equal(office_view(&o, 0).queued, 1);
        assert_int_equal(office_view(&o, 0).dropped_total, 0);
        peer->answer = OK_ANSWER;
        old = o.config;
        o.config = office_config(channel);
        office_reload(&o);
        config_destroy(old);
        office_run(&o, all_removed);
        assert_int_equal(office_view(&o, 0).sent_total, 1);
        peer_stop(peer);
        office_end(&o);
    }
}

static bool is_ok(struct office *o)
{
    notify_tick(o->notify, NULL, clock_monotonic_ns(clock_system()));
    return office_view(o, 0).state == NOTIFY_OK;
}

/* Seen before there is anything to say, not by the alert that is not told. */
static void a_secret_that_is_missing_is_seen_at_once(void **state)
{
    char channel[512], path[96];
    struct office o;

    office_begin(&o);
    snprintf(path, sizeof(path), "%s/url", o.directory);
    snprintf(channel, sizeof(channel), "{\"name\":\"chat\",\"type\":\"slack\",\"url_file\":\"%s\"}",
             path);
    office_open(&o, channel);
    assert_int_equal(office_view(&o, 0).state, NOTIFY_MISCONFIGURED);
    assert_non_null(strstr(office_view(&o, 0).error, "No such file"));
    write_file(path, "http://127.0.0.1:1/\n");
    office_run(&o, is_ok);
    assert_int_equal(office_view(&o, 0).failed_total, 0);
    office_end(&o);
}

static void a_secret_is_read_when_it_is_there(void **state)
{
    char channel[512], path[96], url[160];
    struct office o;
    struct peer *peer;

    office_begin(&o);
    peer = peer_start(o.loop, PEER_ANSWERS, OK_ANSWER);
    snprintf(path, sizeof(path), "%s/url", o.directory);
    snprintf(channel, sizeof(channel),
             "{\"name\":\"chat\",\"type\":\"slack\",\"url_file\":\"%s\"," QUICK PATIENT "}", path);
    office_open(&o, channel);
    office_send(&o, 0, "mw-7");
    office_run(&o, misconfigured);
    assert_non_null(strstr(office_view(&o, 0).error, path));
    assert_non_null(strstr(office_view(&o, 0).error, "No such file"));
    snprintf(url, sizeof(url), "%sservices/T0/B0\n", peer->url);
    write_file(path, url);
    office_run(&o, all_removed);
    assert_non_null(strstr(peer->request, "POST /services/T0/B0 HTTP/1.1\r\n"));
    assert_non_null(strstr(peer->request, "\"attachments\":[{"));
    peer_stop(peer);
    office_end(&o);
}

static void an_answer_without_end_is_a_yes_all_the_same(void **state)
{
    struct office o;
    struct peer *peer;
    char channel[512];

    office_begin(&o);
    peer = peer_start(o.loop, PEER_NEVER_ENDS, "HTTP/1.1 200 OK\r\n\r\n");
    peer->filler = "and so on ";
    webhook(channel, "hook", peer, "");
    office_open(&o, channel);
    office_send(&o, 0, "mw-13");
    office_run(&o, all_removed);
    assert_int_equal(peer->accepted, 1);
    assert_int_equal(office_view(&o, 0).sent_total, 1);
    peer_stop(peer);
    office_end(&o);
}

static void alertmanager_may_want_a_password(void **state)
{
    char channel[512], path[96];
    struct office o;
    struct peer *peer;

    office_begin(&o);
    peer = peer_start(o.loop, PEER_ANSWERS, OK_ANSWER);
    snprintf(path, sizeof(path), "%s/password", o.directory);
    write_file(path, "open sesame\n");
    snprintf(channel, sizeof(channel),
             "{\"name\":\"am\",\"type\":\"alertmanager\",\"urls\":\"%s\",\"username\":\"Aladdin\","
             "\"password_file\":\"%s\"}",
             peer->url, path);
    office_open(&o, channel);
    office_send(&o, 0, "mw-14");
    office_run(&o, all_removed);
    /* The example of RFC 7617, 2. */
    assert_string_equal(request_header(peer, "Authorization: "),
                        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    peer_stop(peer);
    office_end(&o);
}

static bool failing(struct office *o)
{
    return office_view(o, 0).state == NOTIFY_FAILING;
}

static void a_mail_server_that_is_not_there_is_told_of(void **state)
{
    char channel[512], says[16];
    struct office o;
    uint16_t port = free_port();

    office_begin(&o);
    snprintf(channel, sizeof(channel),
             "{\"name\":\"mail\",\"type\":\"email\",\"smtp\":\"127.0.0.1:%u\",\"from\":\"a@b\","
             "\"to\":\"c@d\"}",
             port);
    office_open(&o, channel);
    office_send(&o, 0, "mw-15");
    office_run(&o, failing);
    snprintf(says, sizeof(says), "%u", port);
    assert_non_null(strstr(office_view(&o, 0).error, says));
    assert_int_equal(office_view(&o, 0).queued, 1);
    office_end(&o);
}

static bool second_sent(struct office *o)
{
    const struct peer *dead = o->about;

    return dead->accepted > 0 && office_view(o, 1).sent_total == 20;
}

static void a_dead_channel_delays_no_other(void **state)
{
    char channel[2][512], both[1100], key[NOTICE_KEY_BYTES];
    struct office o;
    struct peer *dead, *alive;

    office_begin(&o);
    dead = peer_start(o.loop, PEER_HANGS, "");
    alive = peer_start(o.loop, PEER_ANSWERS, OK_ANSWER);
    webhook(channel[0], "dead", dead, "");
    webhook(channel[1], "alive", alive, "");
    snprintf(both, sizeof(both), "%s,%s", channel[0], channel[1]);
    office_open(&o, both);
    o.about = dead;
    for (int i = 0; i < 20; i++) {
        snprintf(key, sizeof(key), "mw-%d", i);
        office_send(&o, 0, key);
        office_send(&o, 1, key);
    }
    office_run(&o, second_sent);
    /* All arrived while the dead one's first attempt goes on. */
    assert_int_equal(dead->accepted, 1);
    assert_int_equal(office_view(&o, 0).sent_total + office_view(&o, 0).failed_total, 0);
    assert_int_equal(office_view(&o, 0).queued, 20);
    peer_stop(dead);
    peer_stop(alive);
    office_end(&o);
}

/* The number of "mw-3". */
static void note_key(void *ctx, const char *request)
{
    strncat(ctx, strstr(request, "Idempotency-Key: mw-") + strlen("Idempotency-Key: mw-"), 1);
}

/* Whatever happens in between, what was said first arrives first. */
static void messages_keep_their_order(void **state)
{
    char channel[512], key[NOTICE_KEY_BYTES], keys[16] = "";
    struct office o;
    struct peer *peer;

    office_begin(&o);
    peer = peer_start(o.loop, PEER_ANSWERS, FAILED_ANSWER);
    webhook(channel, "hook", peer, QUICK PATIENT);
    office_open(&o, channel);
    o.about = peer;
    for (int i = 0; i < 5; i++) {
        snprintf(key, sizeof(key), "mw-%d", i);
        office_send(&o, 0, key);
        office_send(&o, 0, key); /* a second time: it is known */
    }
    office_run(&o, answered_badly);
    assert_int_equal(office_view(&o, 0).queued, 5);
    peer->answer = OK_ANSWER;
    peer->seen = note_key;
    peer->ctx = keys;
    office_run(&o, all_removed);
    assert_string_equal(keys, "01234");
    peer_stop(peer);
    office_end(&o);
}

static bool breaker_opened(struct office *o)
{
    return office_view(o, 0).state == NOTIFY_OPEN;
}

static bool probed(struct office *o)
{
    return office_view(o, 0).failed_total >= 4;
}

static void a_breaker_leaves_a_receiver_alone(void **state)
{
    struct office o;
    struct peer *peer;
    char channel[512];

    office_begin(&o);
    peer = peer_start(o.loop, PEER_ANSWERS, FAILED_ANSWER);
    webhook(channel, "hook", peer,
            QUICK "\"breaker\":{\"failure_threshold\":3,\"recovery_timeout\":600}");
    office_open(&o, channel);
    office_send(&o, 0, "mw-8");
    office_run(&o, breaker_opened);
    assert_int_equal(peer->accepted, 3);
    office_turn_clock(&o, 300 * NS_PER_SECOND, "mw-8a");
    assert_int_equal(office_view(&o, 0).retried_total, 2);
    /* The breaker's time, where the retry's was before it was over. */
    assert_true(office_view(&o, 0).next_attempt_ns > clock_realtime_ns(&o.clock));
    office_turn_clock(&o, 300 * NS_PER_SECOND, "mw-8b");
    office_run(&o, probed);
    /* The probe failed: it is left alone again. */
    assert_int_equal(peer->accepted, 4);
    assert_int_equal(office_view(&o, 0).state, NOTIFY_OPEN);
    peer->answer = OK_ANSWER;
    office_turn_clock(&o, 600 * NS_PER_SECOND, "mw-8c");
    office_run(&o, all_removed);
    assert_int_equal(peer->accepted, 8);
    assert_int_equal(office_view(&o, 0).state, NOTIFY_OK);
    peer_stop(peer);
    office_end(&o);
}

static void what_is_too_old_or_tried_too_often_is_given_up(void **state)
{
    static const char *const limits[] = {
        "\"retry\":{\"base_delay\":0.01,\"max_delay\":0.05,\"max_attempts\":4},",
        "\"retry\":{\"base_delay\":0.01,\"max_delay\":0.05,\"max_elapsed\":0.2},",
    };

    for (size_t i = 0; i < 2; i++) {
        struct office o;
        struct peer *peer;
        char channel[512], more[256];

        office_begin(&o);
        peer = peer_start(o.loop, PEER_ANSWERS, FAILED_ANSWER);
        snprintf(more, sizeof(more), "%s" PATIENT, limits[i]);
        webhook(channel, "hook", peer, more);
        office_open(&o, channel);
        office_send(&o, 0, "mw-9");
        office_run(&o, all_removed);
        assert_int_equal(office_view(&o, 0).dropped_total, 1);
        assert_int_equal(office_view(&o, 0).sent_total, 0);
        if (i == 0)
            assert_int_equal(peer->accepted, 4);
        peer_stop(peer);
        office_end(&o);
    }
}

static bool first_peer_told(struct office *o)
{
    return office_view(o, 0).sent_total == 1 && office_view(o, 1).failed_total >= 2;
}

static void every_peer_of_alertmanager_is_told(void **state)
{
    char channel[512];
    struct office o;
    struct peer *alive, *dead;

    office_begin(&o);
    alive = peer_start(o.loop, PEER_ANSWERS, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    dead = peer_start(o.loop, PEER_RESETS, "");
    snprintf(channel, sizeof(channel),
             "{\"name\":\"am\",\"type\":\"alertmanager\",\"urls\":[\"%s\",\"%s\"]," QUICK PATIENT
             "}",
             alive->url, dead->url);
    office_open(&o, channel);
    office_send(&o, 0, "mw-12");
    office_run(&o, first_peer_told);
    assert_non_null(strstr(alive->request, "POST /api/v2/alerts HTTP/1.1\r\n"));
    assert_string_equal(office_view(&o, 0).peer, alive->url);
    assert_int_equal(office_view(&o, 1).state, NOTIFY_FAILING);
    assert_int_equal(office_view(&o, 1).queued, 1);
    peer_stop(alive);
    peer_stop(dead);
    office_end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_arrives_and_leaves_the_outbox),
        cmocka_unit_test(what_fails_is_sent_again_with_the_same_key),
        cmocka_unit_test(retry_after_is_waited_for),
        cmocka_unit_test(what_is_refused_does_not_stop_the_next),
        cmocka_unit_test(what_a_person_must_mend_keeps_its_messages),
        cmocka_unit_test(a_secret_that_is_missing_is_seen_at_once),
        cmocka_unit_test(a_secret_is_read_when_it_is_there),
        cmocka_unit_test(an_answer_without_end_is_a_yes_all_the_same),
        cmocka_unit_test(alertmanager_may_want_a_password),
        cmocka_unit_test(a_mail_server_that_is_not_there_is_told_of),
        cmocka_unit_test(a_dead_channel_delays_no_other),
        cmocka_unit_test(messages_keep_their_order),
        cmocka_unit_test(a_breaker_leaves_a_receiver_alone),
        cmocka_unit_test(what_is_too_old_or_tried_too_often_is_given_up),
        cmocka_unit_test(every_peer_of_alertmanager_is_told),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
