/* What waits for a receiver waits on the disk: in memory is little of it, and a disk that hangs
 * keeps nothing waiting that is there. */
#include "notify_fixture.h"
#include <malloc.h>
#include <pthread.h>
#include <sys/stat.h>

#define MESSAGES 400
#define TEXT_BYTES 4000
#define HELD_BYTES_MAX 1000 /* of a message: its key, its times, what the heap adds */

/* Stands in for libc's, which the outbox calls before it does anything: holds it there, as a disk
 * that hangs would, while the test has the lock. */
static pthread_mutex_t slow_disk = PTHREAD_MUTEX_INITIALIZER;

int lstat(const char *path, struct stat *st)
{
    pthread_mutex_lock(&slow_disk);
    pthread_mutex_unlock(&slow_disk);
    return fstatat(AT_FDCWD, path, st, AT_SYMLINK_NOFOLLOW);
}

static void send_large(struct office *o, unsigned number)
{
    char text[TEXT_BYTES + 1];
    struct note note;

    memset(text, 'a' + (int)(number % 26), TEXT_BYTES);
    text[TEXT_BYTES] = '\0';
    make_note(&note, office_channel(o, 0), "", "nginx");
    snprintf(note.n.key, sizeof(note.n.key), "mw-%u", number);
    note.alerts[0].summary = text;
    notify_send(o->notify, &note.n);
    free_note(&note);
}

static bool failing_and_stored(struct office *o)
{
    struct outbox_view view;

    notify_outbox_view(o->notify, &view);
    return office_view(o, 0).failed_total > 0 && view.queued == 0 &&
           view.stored == office_view(o, 0).queued;
}

struct seen {
    unsigned count, whole;
    bool had[MESSAGES];
};

/* Each says its own, in whatever order: to a clock that is turned on, a body that was asked for
 * before is late, and what is in memory goes first. */
static void check_whole(void *ctx, const char *request)
{
    const char *key = strstr(request, "Idempotency-Key: mw-");
    struct seen *seen = ctx;
    char text[TEXT_BYTES + 1];
    unsigned number;

    seen->count++;
    if (!key || sscanf(key, "Idempotency-Key: mw-%u", &number) != 1 || number >= MESSAGES)
        return;
    memset(text, 'a' + (int)(number % 26), TEXT_BYTES);
    text[TEXT_BYTES] = '\0';
    seen->whole += !seen->had[number] && strstr(request, text);
    seen->had[number] = true;
}

static bool all_recovered(struct office *o)
{
    return office_view(o, 0).queued + office_view(o, 0).sent_total == MESSAGES;
}

static void what_waits_is_on_the_disk_and_is_sent_whole(void **state)
{
    size_t before, held;
    struct seen seen = {0};
    char channel[512];
    struct office o;
    struct peer *peer;

    (void)state;
    office_begin(&o);
    peer = peer_start(o.loop, PEER_ANSWERS, FAILED_ANSWER);
    webhook(channel, "hook", peer, PATIENT);
    office_open(&o, channel);
    send_large(&o, 0);
    office_run(&o, failing_and_stored);
    before = mallinfo2().uordblks;
    for (unsigned i = 1; i < MESSAGES; i++)
        send_large(&o, i);
    office_run(&o, failing_and_stored);
    held = mallinfo2().uordblks;
    if (held > before + HELD_BYTES_MAX * MESSAGES)
        fail_msg("%zu bytes a message", (held - before) / MESSAGES);
    /* The next agent holds no more of them. */
    notify_destroy(o.notify);
    peer->answer = OK_ANSWER;
    peer->seen = check_whole;
    peer->ctx = &seen;
    office_open_notify(&o);
    office_run(&o, all_recovered);
    office_turn_clock(&o, 3600 * NS_PER_SECOND, "mw-last");
    office_run(&o, all_removed);
    assert_int_equal(seen.count, MESSAGES + 1);
    assert_int_equal(seen.whole, MESSAGES);
    peer_stop(peer);
    office_end(&o);
}

/* One message was tried in vain, and is tried again when the clock is turned by 3000 s. */
static struct peer *begin_failing(struct office *o)
{
    char channel[512];
    struct peer *peer;

    office_begin(o);
    peer = peer_start(o->loop, PEER_ANSWERS, FAILED_ANSWER);
    webhook(channel, "hook", peer, "\"retry\":{\"base_delay\":3000,\"max_delay\":3000}," PATIENT);
    office_open(o, channel);
    office_send(o, 0, "mw-1");
    office_run(o, failing_and_stored);
    return peer;
}

static bool second_sent(struct office *o)
{
    return office_view(o, 0).sent_total == 1;
}

static void a_disk_that_hangs_keeps_nothing_new_waiting(void **state)
{
    struct office o;
    struct peer *peer;

    (void)state;
    peer = begin_failing(&o);
    pthread_mutex_lock(&slow_disk);
    peer->answer = OK_ANSWER;
    office_turn_clock(&o, 3000 * NS_PER_SECOND, "mw-2");
    office_run(&o, second_sent);
    assert_string_equal(request_header(peer, "Idempotency-Key: "), "mw-2");
    assert_int_equal(office_view(&o, 0).queued, 1);
    pthread_mutex_unlock(&slow_disk);
    office_run(&o, all_sent);
    assert_string_equal(request_header(peer, "Idempotency-Key: "), "mw-1");
    assert_int_equal(office_view(&o, 0).dropped_total, 0);
    peer_stop(peer);
    office_end(&o);
}

static bool one_dropped(struct office *o)
{
    return office_view(o, 0).dropped_total == 1;
}

/* Somebody else's agent took it, or a person. */
static void what_the_outbox_has_lost_is_given_up(void **state)
{
    struct outbox *other;
    struct office o;
    struct peer *peer;

    (void)state;
    peer = begin_failing(&o);
    assert_int_equal(
        outbox_create(&other, &(struct outbox_config){.path = o.outbox}, &(struct outbox_ops){0}),
        0);
    outbox_remove(other, "hook", "mw-1");
    outbox_destroy(other);
    peer->answer = OK_ANSWER;
    office_turn_clock(&o, 3000 * NS_PER_SECOND, "mw-2");
    office_run(&o, one_dropped);
    office_run(&o, all_sent);
    assert_int_equal(office_view(&o, 0).sent_total, 1);
    assert_string_equal(request_header(peer, "Idempotency-Key: "), "mw-2");
    peer_stop(peer);
    office_end(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_waits_is_on_the_disk_and_is_sent_whole),
        cmocka_unit_test(a_disk_that_hangs_keeps_nothing_new_waiting),
        cmocka_unit_test(what_the_outbox_has_lost_is_given_up),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
