/* What was to be said survives: a kill, a reload, a broken disk, a flood. */
#include "notify/lane_state.h"
#include "notify_fixture.h"
#include <errno.h>
#include <poll.h>
#include <sys/wait.h>

static void a_channel_that_is_gone_gives_its_messages_up(void **state)
{
    struct config *old;
    struct office o;
    struct peer *peer;
    char channel[512];

    office_begin(&o);
    peer = peer_start(o.loop, PEER_HANGS, "");
    webhook(channel, "hook", peer, QUICK PATIENT);
    office_open(&o, channel);
    o.about = peer;
    office_send(&o, 0, "mw-10");
    old = o.config;
    o.config = office_config("{\"name\":\"other\",\"type\":\"log\"}");
    office_reload(&o);
    config_destroy(old);
    office_run(&o, all_removed);
    assert_string_equal(office_view(&o, 0).name, "other");
    assert_int_equal(notify_channel_count(o.notify), 1);
    peer_stop(peer);
    office_end(&o);
}

/* A database that cannot be opened: the message goes out all the same. */
static void without_a_disk_it_is_sent_all_the_same(void **state)
{
    struct outbox_view outbox;
    struct office o;
    struct peer *peer;
    char channel[512];

    office_begin(&o);
    snprintf(o.outbox, sizeof(o.outbox), "/dev/null/outbox.sqlite");
    peer = peer_start(o.loop, PEER_ANSWERS, OK_ANSWER);
    webhook(channel, "hook", peer, "");
    office_open(&o, channel);
    office_send(&o, 0, "mw-11");
    office_run(&o, all_sent);
    assert_int_equal(office_view(&o, 0).sent_total, 1);
    notify_outbox_view(o.notify, &outbox);
    assert_int_equal(outbox.not_durable, 1);
    peer_stop(peer);
    office_end(&o);
}

static bool stored(struct office *o)
{
    struct outbox_view view;

    notify_outbox_view(o->notify, &view);
    return view.stored == 3;
}

/* The letter of "mw-a". */
static void note_key(void *ctx, const char *request)
{
    const char *at = strstr(request, "Idempotency-Key: mw-");

    strncat(ctx, at + strlen("Idempotency-Key: mw-"), 1);
}

/* An agent that is killed while a receiver hangs; the next one sends what it had to say, in order
 * and with the same keys, also when it says the same again. */
static void what_a_killed_agent_had_to_say_is_sent_by_the_next(void **state)
{
    char channel[512], keys[16] = "";
    struct office o;
    struct peer *peer;
    pid_t child;
    int status;

    office_begin(&o);
    peer = peer_start(o.loop, PEER_ANSWERS, OK_ANSWER);
    webhook(channel, "hook", peer, QUICK PATIENT);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* A loop and a receiver of its own, on the port of the other: nobody answers. */
        struct office in_child = o;
        struct config *config = office_config(channel);

        if (loop_create(&in_child.loop, clock_system()) < 0)
            _exit(1);
        in_child.config = config;
        office_open_notify(&in_child);
        office_send(&in_child, 0, "mw-a");
        office_send(&in_child, 0, "mw-b");
        office_send(&in_child, 0, "mw-c");
        office_run(&in_child, stored);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    peer->seen = note_key;
    peer->ctx = keys;
    office_open(&o, channel);
    office_send(&o, 0, "mw-c");
    office_send(&o, 0, "mw-d");
    office_run(&o, all_removed);
    assert_int_equal(office_view(&o, 0).sent_total, 4);
    /* What was being sent when the agent was killed may arrive twice, with its key; what was put
     * before the outbox was read may come between. */
    assert_in_range(strlen(keys), 4, 5);
    for (const char *c = "bcd"; *c; c++)
        assert_true(strchr(keys, *c) && strchr(keys, *c) == strrchr(keys, *c));
    assert_non_null(strchr(keys, 'a'));
    assert_true(strchr(keys, 'a') < strchr(keys, 'b'));
    peer_stop(peer);
    office_end(&o);
}

static bool six_recovered(struct office *o)
{
    struct outbox_view view;

    notify_outbox_view(o->notify, &view);
    return view.recovered == 6 && view.removed == 6;
}

/* Rows of channels that are gone, or of another type now, or that somebody damaged. */
static void rows_that_nobody_can_send_are_given_up(void **state)
{
    static const struct outbox_entry rows[] = {
        {.channel = "hook", .key = "mw-1", .body = "webhook critical\n{}", .body_bytes = 19},
        {.channel = "hook", .key = "mw-2", .body = "log critical\n{}", .body_bytes = 15},
        {.channel = "hook", .key = "mw-3", .body = "", .body_bytes = 0},
        {.channel = "chat", .key = "mw-4", .body = "slack", .body_bytes = 5},
        {.channel = "chat", .key = "mw-5", .body = "slackcritical\n", .body_bytes = 14},
        {.channel = "gone", .key = "mw-6", .body = "slack info\n{}", .body_bytes = 13},
    };
    struct outbox_config config;
    struct outbox *outbox;
    struct office o;

    office_begin(&o);
    config = (struct outbox_config){.path = o.outbox};
    assert_int_equal(outbox_create(&outbox, &config, &(struct outbox_ops){0}), 0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(outbox_put(outbox, &rows[i]), 0);
    outbox_destroy(outbox);
    office_open(&o, "{\"name\":\"hook\",\"type\":\"log\"},"
                    "{\"name\":\"chat\",\"type\":\"slack\",\"url_file\":\"/nonexistent\"}");
    office_run(&o, six_recovered);
    assert_int_equal(office_view(&o, 0).dropped_total, 3);
    assert_int_equal(office_view(&o, 1).dropped_total, 2);
    office_end(&o);
}

static bool recovered_one(struct office *o)
{
    return office_view(o, 0).queued == 1;
}

/* What failed and waits for its next attempt is not delivered, also when the agent that saw it fail
 * is gone. */
static void a_channel_that_failed_still_does(void **state)
{
    for (unsigned attempts = 0; attempts < 2; attempts++) {
        struct outbox_entry row = {.channel = "hook",
                                   .key = "mw-1",
                                   .body = "webhook critical\n{}",
                                   .body_bytes = 19,
                                   .created_ns = clock_realtime_ns(clock_system()),
                                   .attempts = attempts};
        char channel[512];
        struct outbox *outbox;
        struct peer *peer;
        struct office o;

        office_begin(&o);
        row.created_ns = clock_realtime_ns(&o.clock);
        row.next_attempt_ns = row.created_ns + 60 * NS_PER_SECOND;
        assert_int_equal(outbox_create(&outbox, &(struct outbox_config){.path = o.outbox},
                                       &(struct outbox_ops){0}),
                         0);
        assert_int_equal(outbox_put(outbox, &row), 0);
        outbox_destroy(outbox);
        peer = peer_start(o.loop, PEER_ANSWERS, OK_ANSWER);
        webhook(channel, "hook", peer, "");
        office_open(&o, channel);
        office_run(&o, recovered_one);
        assert_int_equal(office_view(&o, 0).state, attempts ? NOTIFY_FAILING : NOTIFY_OK);
        assert_int_equal(!!*office_view(&o, 0).error, attempts);
        office_turn_clock(&o, 60 * NS_PER_SECOND, "mw-2");
        office_run(&o, all_sent);
        assert_int_equal(office_view(&o, 0).state, NOTIFY_OK);
        peer_stop(peer);
        office_end(&o);
    }
}

static bool flooded(struct office *o)
{
    return office_view(o, 0).sent_total == LANE_ENTRIES_MAX;
}

static void count_criticals(void *ctx, const char *request)
{
    *(unsigned *)ctx += strstr(request, "Idempotency-Key: mw-c") != NULL;
}

/* More than there is room for: what gives way is the oldest of the least severe. */
static void a_flood_is_bounded_and_what_is_critical_stays(void **state)
{
    char channel[512], key[NOTICE_KEY_BYTES];
    unsigned criticals = 100, others = LANE_ENTRIES_MAX, seen = 0;
    struct note note;
    struct office o;
    struct peer *peer;

    office_begin(&o);
    peer = peer_start(o.loop, PEER_ANSWERS, OK_ANSWER);
    webhook(channel, "hook", peer, QUICK PATIENT);
    office_open(&o, channel);
    for (unsigned i = 0; i < criticals; i++) {
        snprintf(key, sizeof(key), "mw-c%u", i);
        office_send(&o, 0, key);
    }
    make_note(&note, office_channel(&o, 0), "", "x");
    note.n.severity = note.alerts[0].severity = SEVERITY_INFO;
    for (unsigned i = 0; i < others; i++) {
        snprintf(note.n.key, sizeof(note.n.key), "mw-i%u", i);
        notify_send(o.notify, &note.n);
    }
    free_note(&note);
    assert_int_equal(office_view(&o, 0).queued, LANE_ENTRIES_MAX);
    assert_int_equal(office_view(&o, 0).dropped_total, criticals);
    peer->seen = count_criticals;
    peer->ctx = &seen;
    office_run(&o, flooded);
    assert_int_equal(seen, criticals);
    assert_string_equal(request_header(peer, "Idempotency-Key: "), "mw-i4095");
    peer_stop(peer);
    office_end(&o);
}

static void store(struct outbox *outbox, unsigned i, const char *body)
{
    char key[NOTICE_KEY_BYTES];
    /* Of now: what is as old as the boot of a host that is up for long enough is given up. */
    const struct outbox_entry row = {.channel = "chat",
                                     .key = key,
                                     .body = body,
                                     .body_bytes = strlen(body),
                                     .created_ns = clock_realtime_ns(clock_system())};
    int r;

    snprintf(key, sizeof(key), "mw-%u", i);
    while ((r = outbox_put(outbox, &row)) == -EAGAIN) {
        struct pollfd fd = {outbox_fd(outbox), POLLIN, 0};

        poll(&fd, 1, 1000);
        outbox_dispatch(outbox);
    }
    assert_int_equal(r, 0);
}

static void on_stored(void *ctx, const struct outbox_entry *entry, bool durable, bool recovered)
{
    assert_true(durable && !recovered);
}

static bool more_recovered_than_fit(struct office *o)
{
    return office_view(o, 0).queued + office_view(o, 0).dropped_total == LANE_ENTRIES_MAX + 1;
}

/* What gives way to the last row is the row before it, behind which it belongs. */
static void more_rows_than_there_is_room_for_are_recovered(void **state)
{
    struct outbox_config config;
    struct outbox *outbox;
    struct office o;

    office_begin(&o);
    config = (struct outbox_config){.path = o.outbox};
    assert_int_equal(outbox_create(&outbox, &config, &(struct outbox_ops){.ready = on_stored}), 0);
    for (unsigned i = 0; i <= LANE_ENTRIES_MAX; i++)
        store(outbox, i, i == LANE_ENTRIES_MAX - 1 ? "slack info\n{}" : "slack critical\n{}");
    outbox_destroy(outbox);
    office_open(&o, "{\"name\":\"chat\",\"type\":\"slack\",\"url_file\":\"/nonexistent\"}");
    office_run(&o, more_recovered_than_fit);
    assert_int_equal(office_view(&o, 0).queued, LANE_ENTRIES_MAX);
    assert_int_equal(office_view(&o, 0).dropped_total, 1);
    office_end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_channel_that_is_gone_gives_its_messages_up),
        cmocka_unit_test(without_a_disk_it_is_sent_all_the_same),
        cmocka_unit_test(what_a_killed_agent_had_to_say_is_sent_by_the_next),
        cmocka_unit_test(rows_that_nobody_can_send_are_given_up),
        cmocka_unit_test(a_channel_that_failed_still_does),
        cmocka_unit_test(a_flood_is_bounded_and_what_is_critical_stays),
        cmocka_unit_test(more_rows_than_there_is_room_for_are_recovered),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
