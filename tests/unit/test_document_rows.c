/* The document beside the messages: what a save does not change it does not write, what is read is
 * what was saved, and what cannot be read is kept. */
#include "outbox_fixture.h"
#include <cjson/cJSON.h>
#include <signal.h>
#include <sys/wait.h>

#define WAIT_NS (60ULL * 1000 * 1000 * 1000)

static struct outbox *open_outbox(void)
{
    const struct outbox_config config = {.path = path};
    const struct outbox_ops ops = {.ready = on_ready};
    struct outbox *outbox;

    assert_int_equal(outbox_create(&outbox, &config, &ops), 0);
    return outbox;
}

static struct outbox_document_result result_of(struct outbox *outbox)
{
    time_t deadline = now_seconds() + DEADLINE_SECONDS;
    struct outbox_document_result result;

    while (!outbox_document_saved(outbox, &result)) {
        struct pollfd fd = {outbox_document_fd(outbox), POLLIN, 0};

        poll(&fd, 1, 1000);
        assert_true(now_seconds() < deadline);
    }
    return result;
}

/* Bytes that were written. */
static uint64_t save(struct outbox *outbox, const char *text, bool keep_old)
{
    struct outbox_document_result result;

    assert_int_equal(outbox_save_document(outbox, cJSON_Parse(text), keep_old), 0);
    result = result_of(outbox);
    assert_string_equal(result.why, "");
    assert_int_equal(result.error, 0);
    return result.bytes;
}

static void expect_left(struct outbox *outbox, const char *text)
{
    cJSON *left = NULL, *wanted = text ? cJSON_Parse(text) : NULL;
    int r = outbox_take_document(outbox, WAIT_NS, &left);

    assert_int_equal(r, text ? 0 : -ENOENT);
    if (text && !cJSON_Compare(left, wanted, true))
        fail_msg("%s instead of %s", cJSON_PrintUnformatted(left), text);
    cJSON_Delete(left);
    cJSON_Delete(wanted);
}

/* Saved by one agent, read by the next. */
static void expect_kept(const char *text)
{
    struct outbox *outbox = open_outbox();

    save(outbox, text, false);
    outbox_destroy(outbox);
    outbox = open_outbox();
    expect_left(outbox, text);
    expect_left(outbox, NULL);
    outbox_destroy(outbox);
}

static void what_was_saved_is_read_in_its_order(void **state)
{
    static const char *const documents[] = {
        "{\"v\":2,\"a\":[{\"id\":\"x\",\"n\":1},{\"id\":\"y\",\"n\":2}],\"o\":{\"k\":[1,2,2,1],"
        "\"s\":0}}",
        "{\"v\":3,\"a\":[{\"id\":\"y\",\"n\":2},{\"id\":\"x\",\"n\":1}],\"o\":{\"k\":[2,1,1],\"s\":"
        "0}}",
        "{\"a\":[{\"id\":\"z\"},{\"id\":\"y\",\"n\":7},{\"id\":\"w\"},{\"id\":\"x\",\"n\":1}]}",
        "{\"a\":[null,\"\",{},[1,[2]],{}],\"b\":[{\"id\":\"x\"},{\"id\":\"x\"}]}",
        "{\"v\":1}",
    };
    struct outbox *outbox = open_outbox();

    (void)state;
    expect_left(outbox, NULL);
    outbox_destroy(outbox);
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++)
        expect_kept(documents[i]);
    /* One after the other by the same agent, forth and back. */
    outbox = open_outbox();
    for (size_t i = 0; i < 2 * sizeof(documents) / sizeof(documents[0]); i++)
        save(outbox, documents[i * 3 % 5], false);
    outbox_destroy(outbox);
    outbox = open_outbox();
    expect_left(outbox, documents[(2 * 5 - 1) * 3 % 5]);
    outbox_destroy(outbox);
}

static char *large(unsigned count, unsigned changed)
{
    cJSON *json = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(json, "alerts");
    char id[16], body[512], *text;

    cJSON_AddNumberToObject(json, "now", changed);
    memset(body, 'x', sizeof(body) - 1);
    body[sizeof(body) - 1] = '\0';
    for (unsigned i = 0; i < count; i++) {
        cJSON *alert = cJSON_CreateObject();

        snprintf(id, sizeof(id), "%u", i);
        cJSON_AddStringToObject(alert, "id", id);
        cJSON_AddStringToObject(alert, "body", body);
        cJSON_AddNumberToObject(alert, "times", i == changed ? 2 : 1);
        cJSON_AddItemToArray(list, alert);
    }
    text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    return text;
}

static void a_save_writes_what_differs(void **state)
{
    struct outbox *outbox = open_outbox();
    char *first = large(300, UINT32_MAX), *second = large(300, 7), *third = large(301, 7);

    (void)state;
    assert_in_range(save(outbox, first, false), 300 * 512, 300 * 700);
    assert_in_range(save(outbox, second, false), 512, 700);
    assert_in_range(save(outbox, third, false), 512, 700);
    outbox_destroy(outbox);
    /* The next agent knows what is there. */
    outbox = open_outbox();
    expect_left(outbox, third);
    assert_in_range(save(outbox, second, false), 0, 100);
    assert_int_equal(save(outbox, second, false), 0);
    outbox_destroy(outbox);
    free(first);
    free(second);
    free(third);
}

static void run_sql(const char *sql)
{
    char command[512];

    snprintf(command, sizeof(command),
             "python3 -c \"import sqlite3,sys; d=sqlite3.connect(sys.argv[1]);"
             "d.execute(sys.argv[2]); d.commit()\" '%s' \"%s\"",
             path, sql);
    assert_int_equal(system(command), 0);
}

static void what_is_damaged_is_kept_when_it_is_replaced(void **state)
{
    struct outbox *outbox = open_outbox();
    cJSON *left = NULL;

    (void)state;
    save(outbox, "{\"v\":1,\"a\":[1,2]}", false);
    outbox_destroy(outbox);
    run_sql("UPDATE document SET text = 'no json' WHERE list = 'a'");
    for (int again = 0; again < 2; again++) {
        outbox = open_outbox();
        assert_int_equal(outbox_take_document(outbox, WAIT_NS, &left), -EBADMSG);
        outbox_destroy(outbox);
    }
    outbox = open_outbox();
    save(outbox, "{\"v\":2}", true);
    save(outbox, "{\"v\":3,\"a\":[3]}", false);
    outbox_destroy(outbox);
    outbox = open_outbox();
    expect_left(outbox, "{\"v\":3,\"a\":[3]}");
    outbox_destroy(outbox);
    run_sql("INSERT INTO document SELECT place + 100, list, '7' FROM document_unread WHERE list = "
            "'a' LIMIT 1");
    outbox = open_outbox();
    expect_left(outbox, "{\"v\":3,\"a\":[3,7]}");
    outbox_destroy(outbox);
}

static void messages_that_fill_the_outbox_leave_it_room(void **state)
{
    char *text = large(300, 1), key[16];
    struct inbox inbox;

    (void)state;
    open_inbox(&inbox, 128 * 1024);
    for (size_t i = 0; i < 100; i++) {
        snprintf(key, sizeof(key), "k%zu", i);
        put(&inbox, key, 4000);
    }
    wait_for(&inbox, 100);
    assert_in_range(inbox.durable, 10, 40);
    save(inbox.outbox, text, false);
    inbox.durable = 0;
    put(&inbox, "more", 4000);
    wait_for(&inbox, 101);
    assert_int_equal(inbox.durable, 0);
    outbox_destroy(inbox.outbox);
    open_inbox(&inbox, 0);
    expect_left(inbox.outbox, text);
    outbox_destroy(inbox.outbox);
    free(text);
}

/* A state that says what was told must not be there before that is. */
static void it_is_on_the_disk_with_what_was_put_before(void **state)
{
    struct outbox_document_result result;
    struct inbox inbox;

    (void)state;
    open_inbox(&inbox, 0);
    for (size_t i = 1; i <= 20; i++) {
        char key[16];

        snprintf(key, sizeof(key), "k%zu", i);
        outbox_hold(inbox.outbox);
        put(&inbox, key, 100);
        assert_int_equal(outbox_save_document(inbox.outbox, cJSON_Parse("{\"told\":[1]}"), false),
                         0);
        assert_int_equal(outbox_save_document(inbox.outbox, cJSON_CreateObject(), false), -EBUSY);
        outbox_tick(inbox.outbox);
        assert_false(outbox_document_saved(inbox.outbox, &result));
        outbox_release(inbox.outbox);
        result = result_of(inbox.outbox);
        assert_int_equal(result.error, 0);
        wait_for(&inbox, i);
        assert_int_equal(inbox.durable, i);
    }
    outbox_destroy(inbox.outbox);
}

static void a_file_that_is_gone_is_made_again_with_it(void **state)
{
    time_t deadline = now_seconds() + DEADLINE_SECONDS;
    struct outbox *outbox = open_outbox();
    struct outbox_view view;
    char command[160];

    (void)state;
    save(outbox, "{\"v\":1,\"a\":[1,2]}", false);
    snprintf(command, sizeof(command), "rm -f '%s'/*", directory);
    assert_int_equal(system(command), 0);
    do {
        outbox_tick(outbox);
        outbox_view(outbox, &view);
        poll(NULL, 0, 10);
    } while (view.made_again == 0 && now_seconds() < deadline);
    outbox_destroy(outbox);
    outbox = open_outbox();
    expect_left(outbox, "{\"v\":1,\"a\":[1,2]}");
    outbox_destroy(outbox);
}

/* Of the document that came with another file nothing is left in this one. */
static void a_file_in_its_place_has_it_alone(void **state)
{
    struct outbox *outbox = open_outbox();
    char other[160], command[400];

    (void)state;
    save(outbox, "{\"v\":1,\"a\":[7,8,9,10]}", false);
    outbox_destroy(outbox);
    snprintf(other, sizeof(other), "%s-other", path);
    assert_int_equal(rename(path, other), 0);
    outbox = open_outbox();
    save(outbox, "{\"v\":1,\"a\":[1]}", false);
    snprintf(command, sizeof(command), "rm '%s-wal' '%s-shm' && mv '%s' '%s'", path, path, other,
             path);
    assert_int_equal(system(command), 0);
    save(outbox, "{\"v\":1,\"a\":[1,2]}", false);
    outbox_destroy(outbox);
    outbox = open_outbox();
    expect_left(outbox, "{\"v\":1,\"a\":[1,2]}");
    outbox_destroy(outbox);
}

/* Killed at any moment there is one whole document, and none older than the last that was said to
 * be on the disk. */
static void killed_it_is_whole(void **state)
{
    for (int round = 0; round < 15; round++) {
        int told[2];
        unsigned char last = 0, byte;
        struct outbox *outbox;
        cJSON *left = NULL;
        pid_t child;

        assert_int_equal(pipe(told), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            outbox = open_outbox();
            for (unsigned char n = 1; n < 250; n++) {
                char *text = large(n, n - 1);

                save(outbox, text, false);
                if (write(told[1], &n, 1) != 1)
                    _exit(1);
                free(text);
            }
            for (;;)
                pause();
        }
        close(told[1]);
        while (last < 10 + round && read(told[0], &byte, 1) == 1)
            last = byte;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(told[0], &byte, 1) == 1)
            last = byte;
        close(told[0]);
        outbox = open_outbox();
        assert_int_equal(outbox_take_document(outbox, WAIT_NS, &left), 0);
        outbox_destroy(outbox);
        byte = (unsigned char)cJSON_GetArraySize(cJSON_GetObjectItem(left, "alerts"));
        assert_in_range(byte, last, last + 1);
        assert_int_equal(cJSON_GetObjectItem(left, "now")->valuedouble, byte - 1);
        cJSON_Delete(left);
        clean_up(state);
        set_up(state);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)
    const struct CMUnitTest tests[] = {
        TEST(what_was_saved_is_read_in_its_order),
        TEST(a_save_writes_what_differs),
        TEST(what_is_damaged_is_kept_when_it_is_replaced),
        TEST(messages_that_fill_the_outbox_leave_it_room),
        TEST(it_is_on_the_disk_with_what_was_put_before),
        TEST(a_file_that_is_gone_is_made_again_with_it),
        TEST(a_file_in_its_place_has_it_alone),
        TEST(killed_it_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
