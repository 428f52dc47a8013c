/* Log lines: the field names of the contract, escaping, the cap, a reader that stalls, the journal.
 */
#include "log_fixture.h"
#include <math.h>
#include <stdio.h>

#include <cjson/cJSON.h>

/* More than the log keeps for its reader, and than a pipe holds. */
#define STORM_LINES 8000
#define DROPPED_BYTES 400 /* of one line of it, at least */

static uint64_t fixed_ns(void *ctx)
{
    return 1758645028641517000ULL;
}

static const struct clock fixed = {fixed_ns, fixed_ns, NULL};

static int set_up(void **state)
{
    return log_fixture_open(state, &fixed);
}

/* What was written, which must be one line; "" for nothing. */
static const char *written(struct fixture *f)
{
    const char *line;

    assert_true(log_flush(f->log, PROGRAM_DEADLINE_NS));
    line = log_fixture_read(f);
    if (*line)
        assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
    return line;
}

static cJSON *written_json(struct fixture *f)
{
    cJSON *json = cJSON_Parse(written(f));

    if (!json)
        fail_msg("not JSON: %s", f->text);
    return json;
}

static void the_line_of_the_contract(void **state)
{
    struct fixture *f = *state;

    log_write(
        f->log, LOG_LEVEL_INFO, "health_monitor", "/a/b.c/user/health_monitor.c",
        "check_system_health", "System health check completed",
        (const struct log_field[]){LOG_DOUBLE("cpu_usage", 45.2), LOG_DOUBLE("memory_usage", 67.8),
                                   LOG_DOUBLE("disk_usage", 23.1), LOG_STRING("status", "healthy")},
        4);
    assert_string_equal(
        written(f),
        "{\"ts\":\"2025-09-23T16:30:28.641517+00:00\",\"level\":\"INFO\","
        "\"logger\":\"health_monitor\",\"msg\":\"System health check completed\","
        "\"module\":\"health_monitor\",\"func\":\"check_system_health\",\"cpu_usage\":45.2,"
        "\"memory_usage\":67.8,\"disk_usage\":23.1,\"status\":\"healthy\"}\n");
}

static void the_macros_name_the_place(void **state)
{
    struct fixture *f = *state;

    LOG_WARNING(f->log, "x", "plain");
    assert_non_null(strstr(written(f), "\"level\":\"WARNING\",\"logger\":\"x\",\"msg\":\"plain\","
                                       "\"module\":\"test_log\","
                                       "\"func\":\"the_macros_name_the_place\"}\n"));
    LOG_CRITICAL(f->log, "x", "m", LOG_U64("a", UINT64_MAX), LOG_BOOL("b", true));
    assert_non_null(strstr(written(f), ",\"a\":18446744073709551615,\"b\":true}\n"));
}

static void unknown_values_are_null(void **state)
{
    struct fixture *f = *state;

    LOG_ERROR(f->log, "x", "m", LOG_DOUBLE("a", NAN), LOG_DOUBLE("b", INFINITY),
              LOG_STRING("c", NULL));
    assert_non_null(strstr(written(f), ",\"a\":null,\"b\":null,\"c\":null}\n"));
}

static void levels_below_are_not_written(void **state)
{
    struct fixture *f = *state;

    log_set_level(f->log, LOG_LEVEL_WARNING);
    LOG_INFO(f->log, "x", "m");
    assert_string_equal(written(f), "");
    log_set_level(f->log, LOG_LEVEL_INFO);
    LOG_DEBUG(f->log, "x", "m");
    assert_string_equal(written(f), "");
    LOG_INFO(f->log, "x", "m");
    assert_string_not_equal(written(f), "");
    log_set_level(f->log, LOG_LEVEL_ERROR);
    LOG_INFO(f->log, "x", "m");
    assert_string_equal(written(f), "");
    log_set_level(f->log, LOG_LEVEL_DEBUG);
    LOG_DEBUG(f->log, "x", "m");
    assert_string_not_equal(written(f), "");
    log_write(NULL, LOG_LEVEL_ERROR, "x", "f.c", "g", "m", NULL, 0);
    assert_string_equal(log_level_name(LOG_LEVEL_DEBUG), "DEBUG");
    assert_string_equal(log_level_name(LOG_LEVEL_CRITICAL), "CRITICAL");
}

static void nothing_breaks_the_line(void **state)
{
    struct fixture *f = *state;
    cJSON *json;

    LOG_INFO(f->log, "x", "a\nb\"}\x01", LOG_STRING("na\"me", "evil\r\n{\"ts\":1}\xff"));
    json = written_json(f);
    assert_string_equal(cJSON_GetObjectItem(json, "msg")->valuestring, "a\nb\"}\x01");
    assert_string_equal(cJSON_GetObjectItem(json, "na\"me")->valuestring,
                        "evil\r\n{\"ts\":1}\xef\xbf\xbd"
                        "ff");
    cJSON_Delete(json);
}

static void long_strings_are_cut(void **state)
{
    struct fixture *f = *state;
    char lengthy[20000];
    cJSON *json;

    memset(lengthy, 'a', sizeof(lengthy) - 1);
    lengthy[sizeof(lengthy) - 1] = '\0';
    LOG_INFO(f->log, "x", lengthy, LOG_STRING("s", lengthy), LOG_U64("n", 7));
    json = written_json(f);
    assert_true(strlen(f->text) <= LOG_LINE_BYTES);
    assert_int_equal(strlen(cJSON_GetObjectItem(json, "msg")->valuestring), 1024);
    assert_int_equal(strlen(cJSON_GetObjectItem(json, "s")->valuestring), 1024);
    assert_int_equal(cJSON_GetObjectItem(json, "n")->valueint, 7);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(json, "truncated")));
    cJSON_Delete(json);
}

/* Six bytes for one: a message of control characters alone would fill the line. */
static void escapes_do_not_pass_the_cap(void **state)
{
    struct fixture *f = *state;
    char control[5000];
    cJSON *json;

    memset(control, 1, sizeof(control) - 1);
    control[sizeof(control) - 1] = '\0';
    LOG_INFO(f->log, "x", control, LOG_STRING("s", control), LOG_U64("n", 7));
    json = written_json(f);
    assert_true(strlen(f->text) <= LOG_LINE_BYTES);
    assert_non_null(cJSON_GetObjectItem(json, "msg"));
    assert_non_null(cJSON_GetObjectItem(json, "func"));
    assert_int_equal(cJSON_GetObjectItem(json, "n")->valueint, 7);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(json, "truncated")));
    cJSON_Delete(json);
}

static void fields_that_do_not_fit_are_left_out(void **state)
{
    struct fixture *f = *state;
    struct log_field fields[64];
    char value[200];
    cJSON *json;
    size_t i;

    memset(value, 'v', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    for (i = 0; i < 64; i++)
        fields[i] = LOG_STRING("field", value);
    log_write(f->log, LOG_LEVEL_INFO, "x", "f.c", "g", "m", fields, 64);
    json = written_json(f);
    assert_true(strlen(f->text) <= LOG_LINE_BYTES);
    assert_true(strlen(f->text) > LOG_LINE_BYTES / 2);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(json, "truncated")));
    cJSON_Delete(json);
}

static uint64_t dropped(struct fixture *f)
{
    struct log_view view;

    log_view(f->log, &view);
    return view.lines_dropped_total;
}

static uint64_t elapsed_ns(uint64_t since_ns)
{
    return clock_monotonic_ns(clock_system()) - since_ns;
}

/* A pipe whose writes wait, as a service's do. */
static void make_blocking(struct fixture *f)
{
    assert_int_equal(fcntl(f->write_fd, F_SETFL, 0), 0);
}

static void storm(struct fixture *f)
{
    char filler[DROPPED_BYTES];

    memset(filler, 'x', sizeof(filler) - 1);
    filler[sizeof(filler) - 1] = '\0';
    for (uint64_t i = 0; i < STORM_LINES; i++)
        LOG_INFO(f->log, "x", filler, LOG_U64("number", i));
}

/* Reads lines until `last` was there; checks that what is missing is said where it is missing, and
 * returns how many lines were said to be. */
static uint64_t read_storm(struct fixture *f, const char *last)
{
    FILE *pipe = fdopen(dup(f->read_fd), "r");
    uint64_t lost = 0, next = 0;
    bool ended = false;
    char *line = NULL;
    size_t size = 0;

    assert_non_null(pipe);
    assert_int_equal(fcntl(f->read_fd, F_SETFL, 0), 0);
    while (!ended && getline(&line, &size, pipe) > 0) {
        cJSON *json = cJSON_Parse(line), *item;

        assert_non_null(json);
        item = cJSON_GetObjectItem(json, "number");
        if (item)
            assert_int_equal((uint64_t)item->valuedouble, next++);
        item = cJSON_GetObjectItem(json, "lines_lost");
        if (item) {
            assert_string_equal(cJSON_GetObjectItem(json, "level")->valuestring, "WARNING");
            lost += (uint64_t)item->valuedouble;
            next += (uint64_t)item->valuedouble;
        }
        ended = strcmp(cJSON_GetObjectItem(json, "msg")->valuestring, last) == 0;
        cJSON_Delete(json);
    }
    assert_true(ended);
    free(line);
    fclose(pipe);
    return lost;
}

static void a_stalled_reader_stops_nobody(void **state)
{
    struct fixture *f = *state;
    struct log_view view;
    uint64_t lost;

    make_blocking(f);
    storm(f);
    log_view(f->log, &view);
    assert_true(view.lines_dropped_total > 0 && view.lines_dropped_total < STORM_LINES);
    assert_true(view.queued_bytes > 0 && view.queued_bytes <= 1 << 20);
    assert_false(log_flush(f->log, NS_PER_MS));
    lost = view.lines_dropped_total;
    /* The reader comes back, and hears of it without another line. */
    assert_int_equal(read_storm(f, "Log lines are missing here: they were not read in time"), lost);
    assert_true(log_flush(f->log, PROGRAM_DEADLINE_NS));
    LOG_INFO(f->log, "x", "again");
    assert_null(strstr(written(f), "lines_lost"));
    assert_int_equal(dropped(f), lost);
    log_view(f->log, &view);
    assert_int_equal(view.queued_bytes, 0);
}

static void a_reader_that_keeps_up_loses_nothing(void **state)
{
    struct fixture *f = *state;
    pid_t reader;

    /* A child must not allocate that was forked beside a thread, which may hold the allocator. */
    log_destroy(f->log);
    f->log = NULL;
    reader = fork();
    assert_true(reader >= 0);
    if (reader == 0) {
        close(f->write_fd);
        _exit(read_storm(f, "end") > 0);
    }
    assert_int_equal(log_create(&f->log, f->write_fd, LOG_LEVEL_INFO, &fixed), 0);
    make_blocking(f);
    for (uint64_t i = 0; i < STORM_LINES; i++) {
        LOG_INFO(f->log, "x", "m", LOG_U64("number", i));
        if (i % 1000 == 0)
            assert_true(log_flush(f->log, PROGRAM_DEADLINE_NS));
    }
    LOG_INFO(f->log, "x", "end");
    assert_int_equal(program_wait(reader), 0);
    assert_int_equal(dropped(f), 0);
}

/* The end waits for a reader, but not for ever. */
static void an_end_is_bounded(void **state)
{
    struct fixture *f = *state;
    uint64_t began_ns;

    make_blocking(f);
    storm(f);
    began_ns = clock_monotonic_ns(clock_system());
    log_destroy(f->log);
    assert_true(elapsed_ns(began_ns) >= NS_PER_SECOND);
    assert_true(elapsed_ns(began_ns) < PROGRAM_DEADLINE_NS);
    assert_int_equal(log_create(&f->log, f->write_fd, LOG_LEVEL_INFO, &fixed), 0);
}

static void an_end_writes_what_is_there(void **state)
{
    struct fixture *f = *state;
    char text[8192];
    ssize_t n;

    for (int i = 0; i < 20; i++)
        LOG_INFO(f->log, "x", "m");
    LOG_INFO(f->log, "x", "the last");
    log_destroy(f->log);
    f->log = NULL;
    n = read(f->read_fd, text, sizeof(text) - 1);
    assert_true(n > 0);
    text[n] = '\0';
    assert_non_null(strstr(text, "the last"));
}

static void lines_of_a_closed_pipe_are_counted(void **state)
{
    struct fixture *f = *state;

    signal(SIGPIPE, SIG_IGN);
    close(f->read_fd);
    f->read_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    LOG_INFO(f->log, "x", "lost");
    assert_true(log_flush(f->log, PROGRAM_DEADLINE_NS));
    LOG_INFO(f->log, "x", "lost too");
    assert_true(log_flush(f->log, PROGRAM_DEADLINE_NS));
    assert_int_equal(dropped(f), 2);
    /* None at all: not even the one that the loop has opened in its place. */
    log_destroy(f->log);
    assert_int_equal(log_create(&f->log, -1, LOG_LEVEL_INFO, &fixed), 0);
    LOG_INFO(f->log, "x", "lost");
    assert_true(log_flush(f->log, PROGRAM_DEADLINE_NS));
    assert_int_equal(dropped(f), 1);
}

/* Of a library, or of the agent before its loop runs. */
static void what_is_printed_goes_the_same_way(void **state)
{
    struct fixture *f = *state;
    FILE *before = stderr;
    char lengthy[3 * LOG_LINE_BYTES];

    assert_int_equal(log_adopt_stderr(f->log), 0);
    fputs("moonwatch: ", stderr);
    fprintf(stderr, "%s: %d\n", "services", 7);
    assert_string_equal(written(f), "moonwatch: services: 7\n");
    fputs("moon", stderr);
    fflush(stderr);
    LOG_INFO(f->log, "x", "between");
    assert_null(strstr(written(f), "moon"));
    memset(lengthy, 'a', sizeof(lengthy) - 1);
    lengthy[sizeof(lengthy) - 1] = '\0';
    fprintf(stderr, "watch\n%s", lengthy);
    assert_string_equal(written(f), "moonwatch\n");
    log_destroy(f->log);
    f->log = NULL;
    assert_ptr_equal(stderr, before);
}

static void the_journal_is_told_priorities(void **state)
{
    static const struct {
        enum log_level level;
        const char *begins;
    } levels[] = {
        {LOG_LEVEL_DEBUG, "<7>{\"ts\":"},    {LOG_LEVEL_INFO, "<6>{\"ts\":"},
        {LOG_LEVEL_WARNING, "<4>{\"ts\":"},  {LOG_LEVEL_ERROR, "<3>{\"ts\":"},
        {LOG_LEVEL_CRITICAL, "<2>{\"ts\":"},
    };
    struct fixture *f = *state;
    char stream[64];
    struct stat st;

    assert_int_equal(fstat(f->write_fd, &st), 0);
    for (int other = 0; other < 2; other++) {
        /* The unit's stream, and one whose stderr leads elsewhere. */
        snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
                 (unsigned long long)st.st_ino + (unsigned)other);
        assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
        log_destroy(f->log);
        assert_int_equal(log_create(&f->log, f->write_fd, LOG_LEVEL_DEBUG, &fixed), 0);
        assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
        for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
            const char *begins = levels[i].begins + (other ? strlen("<N>") : 0);

            LOG_AT(f->log, levels[i].level, "x", "m", LOG_U64("n", 7));
            assert_memory_equal(written(f), begins, strlen(begins));
        }
        assert_int_equal(log_adopt_stderr(f->log), 0);
        fprintf(stderr, "moonwatch: no\n");
        assert_string_equal(written(f), other ? "moonwatch: no\n" : "<3>moonwatch: no\n");
    }
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(the_line_of_the_contract),
        LOG_TEST(the_macros_name_the_place),
        LOG_TEST(unknown_values_are_null),
        LOG_TEST(levels_below_are_not_written),
        LOG_TEST(nothing_breaks_the_line),
        LOG_TEST(long_strings_are_cut),
        LOG_TEST(escapes_do_not_pass_the_cap),
        LOG_TEST(fields_that_do_not_fit_are_left_out),
        LOG_TEST(a_stalled_reader_stops_nobody),
        LOG_TEST(a_reader_that_keeps_up_loses_nothing),
        LOG_TEST(an_end_is_bounded),
        LOG_TEST(an_end_writes_what_is_there),
        LOG_TEST(lines_of_a_closed_pipe_are_counted),
        LOG_TEST(what_is_printed_goes_the_same_way),
        LOG_TEST(the_journal_is_told_priorities),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
