/* An outbox that cannot be used: moved aside, and what can be read of it goes on. */
#include "outbox_fixture.h"
#include "store/sqlite_library.h"
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* sqlite3's own tool is not needed to damage a file. */
static void overwrite(long offset, size_t bytes)
{
    FILE *file = fopen(path, "r+");

    assert_non_null(file);
    fseek(file, offset, SEEK_SET);
    while (bytes-- > 0)
        fputc('x', file);
    fclose(file);
}

#define PAGE_BYTES 4096
#define DOCUMENT "{\"silences\":[{\"id\":\"of-the-night\",\"until\":7}],\"v\":1}"

/* The page that holds the text. */
static long page_with(const char *text)
{
    static char page[PAGE_BYTES];
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    for (long offset = 0; fread(page, sizeof(page), 1, file) == 1; offset += PAGE_BYTES)
        if (memmem(page, sizeof(page), text, strlen(text))) {
            fclose(file);
            return offset;
        }
    fail_msg("%s is on no page", text);
    return 0;
}

static void save_document(struct outbox *outbox)
{
    time_t deadline = now_seconds() + DEADLINE_SECONDS;
    struct outbox_document_result result;

    assert_int_equal(outbox_save_document(outbox, cJSON_Parse(DOCUMENT), false), 0);
    while (!outbox_document_saved(outbox, &result)) {
        struct pollfd fd = {outbox_document_fd(outbox), POLLIN, 0};

        poll(&fd, 1, 1000);
        assert_true(now_seconds() < deadline);
    }
    assert_int_equal(result.error, 0);
}

/* Messages, and the document. */
static void fill(size_t count, size_t body_bytes)
{
    struct inbox inbox;
    char key[16];

    open_inbox(&inbox, 0);
    save_document(inbox.outbox);
    for (size_t i = 0; i < count; i++) {
        snprintf(key, sizeof(key), "k%zu", i);
        put(&inbox, key, body_bytes);
    }
    wait_for(&inbox, count);
    outbox_destroy(inbox.outbox);
}

static void expect_new_database(void)
{
    struct outbox_view view;
    struct inbox inbox;
    struct stat st;

    open_inbox(&inbox, 0);
    put(&inbox, "new", 10);
    wait_for(&inbox, 1);
    assert_string_equal(inbox.keys[inbox.count - 1], "new");
    assert_int_equal(inbox.durable, inbox.count);
    outbox_view(inbox.outbox, &view);
    assert_int_equal(view.moved_aside, 1);
    assert_int_equal(strncmp(view.moved_why, path, strlen(path)), 0);
    assert_true(strlen(view.moved_why) > strlen(path) + strlen(": "));
    assert_null(strchr(view.moved_why, '\n'));
    assert_int_equal(stat(view.moved_to, &st), 0);
    assert_int_equal(outbox_remove(inbox.outbox, "ops", "new"), 0);
    outbox_destroy(inbox.outbox);
    unlink(view.moved_to);
}

static void a_file_that_is_no_database_is_moved_aside(void **state)
{
    FILE *file = fopen(path, "w");

    fputs("this is not a database, whatever its name says, and it is long enough", file);
    fclose(file);
    expect_new_database();
}

/* It is no database that one cannot write to any more. */
static void a_new_one_has_no_error(void **state)
{
    struct outbox_view view;
    struct inbox inbox;

    a_file_that_is_no_database_is_moved_aside(state);
    fill(200, 500);
    overwrite(0, 100);
    open_inbox(&inbox, 0);
    outbox_wait_left(inbox.outbox, DEADLINE_SECONDS * 1000);
    outbox_view(inbox.outbox, &view);
    assert_int_equal(view.moved_aside, 1);
    assert_true(view.open);
    assert_string_equal(view.error, "");
    outbox_destroy(inbox.outbox);
}

static void a_damaged_database_is_moved_aside(void **state)
{
    fill(200, 500);
    overwrite(4096 + 10, 4096);
    expect_new_database();
    fill(200, 500);
    overwrite(0, 100);
    expect_new_database();
}

static void a_newer_one_is_moved_aside_and_called_so(void **state)
{
    static const char version[] = {0, 0, 0, 3}; /* of the schema, at 60 in the file's header */
    struct outbox_view view;
    struct inbox inbox;
    FILE *file;

    fill(1, 10);
    file = fopen(path, "r+");
    assert_non_null(file);
    fseek(file, 60, SEEK_SET);
    assert_int_equal(fwrite(version, sizeof(version), 1, file), 1);
    fclose(file);
    open_inbox(&inbox, 0);
    outbox_wait_left(inbox.outbox, DEADLINE_SECONDS * 1000);
    outbox_view(inbox.outbox, &view);
    assert_int_equal(view.moved_aside, 1);
    assert_non_null(strstr(view.moved_why, "is of a newer version of the agent"));
    assert_int_equal(view.recovered, 0);
    outbox_destroy(inbox.outbox);
}

static void expect_document(struct outbox *outbox, bool there)
{
    cJSON *left = NULL, *wanted = cJSON_Parse(DOCUMENT);
    int r = outbox_take_document(outbox, DEADLINE_SECONDS * 1000000000ULL, &left);

    assert_int_equal(r, there ? 0 : -ENOENT);
    if (there)
        assert_true(cJSON_Compare(left, wanted, true));
    cJSON_Delete(left);
    cJSON_Delete(wanted);
}

/* A page of messages takes the alerts' state with it as little as that of the state takes the
 * messages. */
static void what_can_be_read_goes_on(void **state)
{
    struct outbox_view view;
    struct inbox inbox;
    size_t recovered;

    fill(200, 500);
    overwrite(page_with("k199"), PAGE_BYTES);
    open_inbox(&inbox, 0);
    expect_document(inbox.outbox, true);
    wait_for(&inbox, 1);
    outbox_view(inbox.outbox, &view);
    assert_int_equal(view.moved_aside, 1);
    assert_string_equal(inbox.keys[0], "k0");
    assert_int_equal(fetch(&inbox, "k0"), 500);
    recovered = view.recovered;
    outbox_destroy(inbox.outbox);

    overwrite(page_with("of-the-night"), PAGE_BYTES);
    open_inbox(&inbox, 0);
    expect_document(inbox.outbox, false);
    wait_for(&inbox, recovered);
    assert_int_equal(inbox.recovered, recovered);
    outbox_view(inbox.outbox, &view);
    assert_int_equal(view.moved_aside, 1);
    assert_true(view.open);
    outbox_destroy(inbox.outbox);
}

static void one_whose_end_is_missing_goes_on(void **state)
{
    struct outbox_view view;
    struct inbox inbox;
    struct stat st;

    fill(200, 500);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(truncate(path, st.st_size - PAGE_BYTES), 0);
    open_inbox(&inbox, 0);
    expect_document(inbox.outbox, true);
    wait_for(&inbox, 1);
    outbox_view(inbox.outbox, &view);
    assert_int_equal(view.moved_aside, 1);
    assert_string_equal(inbox.keys[0], "k0");
    outbox_destroy(inbox.outbox);
}

static void other_columns_of_the_messages_leave_the_state(void **state)
{
    struct sqlite_library library = {0};
    struct outbox_view view;
    struct inbox inbox;
    sqlite3 *db;

    fill(1, 10);
    assert_int_equal(sqlite_library_open(&library), 0);
    assert_int_equal(library.open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(
        library.exec(db, "DROP TABLE outbox; CREATE TABLE outbox(x)", NULL, NULL, NULL), SQLITE_OK);
    library.close_v2(db);
    sqlite_library_close(&library);
    open_inbox(&inbox, 0);
    expect_document(inbox.outbox, true);
    outbox_view(inbox.outbox, &view);
    assert_int_equal(view.moved_aside, 1);
    outbox_destroy(inbox.outbox);
}

/* The messages of one page are lost, whatever lies behind it. */
static void what_lies_behind_a_damaged_page_goes_on(void **state)
{
    struct outbox_view view;
    struct inbox inbox;

    fill(200, 500);
    overwrite(page_with("k100bbbb"), PAGE_BYTES);
    open_inbox(&inbox, 0);
    outbox_wait_left(inbox.outbox, DEADLINE_SECONDS * 1000);
    outbox_view(inbox.outbox, &view);
    assert_int_equal(view.moved_aside, 1);
    assert_in_range(view.recovered, 200 - PAGE_BYTES / 500, 199);
    wait_for(&inbox, view.recovered);
    assert_string_equal(inbox.keys[0], "k0");
    assert_string_equal(inbox.keys[inbox.count - 1], "k199");
    assert_int_equal(fetch(&inbox, "k100"), -ENOENT);
    assert_int_equal(fetch(&inbox, "k199"), 500);
    outbox_destroy(inbox.outbox);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The disk is full as well: what was read waits until it can be written. */
static void without_room_it_waits(void **state)
{
    time_t deadline = now_seconds() + DEADLINE_SECONDS;
    struct outbox_view view;
    struct inbox inbox;

    fill(200, 500);
    overwrite(page_with("k199"), PAGE_BYTES);
    signal(SIGXFSZ, SIG_IGN);
    limit_files(10 * PAGE_BYTES);
    open_inbox(&inbox, 0);
    expect_document(inbox.outbox, true);
    outbox_view(inbox.outbox, &view);
    assert_int_equal(view.moved_aside, 1);
    assert_false(view.open);
    limit_files(RLIM_INFINITY);
    while (inbox.recovered == 0 && now_seconds() < deadline) {
        struct pollfd fd = {outbox_fd(inbox.outbox), POLLIN, 0};

        outbox_tick(inbox.outbox);
        poll(&fd, 1, 100);
        outbox_dispatch(inbox.outbox);
    }
    outbox_view(inbox.outbox, &view);
    assert_true(view.open);
    assert_int_equal(view.moved_aside, 1);
    assert_in_range(inbox.recovered, 100, 200);
    assert_int_equal(fetch(&inbox, "k0"), 500);
    outbox_destroy(inbox.outbox);
    open_inbox(&inbox, 0);
    expect_document(inbox.outbox, true);
    outbox_destroy(inbox.outbox);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)
    const struct CMUnitTest tests[] = {
        TEST(a_file_that_is_no_database_is_moved_aside),
        TEST(a_damaged_database_is_moved_aside),
        TEST(a_new_one_has_no_error),
        TEST(a_newer_one_is_moved_aside_and_called_so),
        TEST(what_can_be_read_goes_on),
        TEST(what_lies_behind_a_damaged_page_goes_on),
        TEST(without_room_it_waits),
        TEST(one_whose_end_is_missing_goes_on),
        TEST(other_columns_of_the_messages_leave_the_state),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
