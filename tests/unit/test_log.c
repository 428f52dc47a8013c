/* Log lines: the field names of the contract, escaping, the cap, lost lines. */
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

struct fixture {
    int read_fd, write_fd;
    struct log *log;
    char line[2 * LOG_LINE_BYTES];
};

static uint64_t fixed_ns(void *ctx)
{
    return 1758645028641517000ULL;
}

static const struct clock fixed = {fixed_ns, fixed_ns, NULL};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];

    if (!f || pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
        return -1;
    f->read_fd = fds[0];
    f->write_fd = fds[1];
    *state = f;
    return log_create(&f->log, fds[1], LOG_LEVEL_INFO, &fixed);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    log_destroy(f->log);
    close(f->read_fd);
    close(f->write_fd);
    free(f);
    return 0;
}

/* What was written, which must be one line; "" for nothing. */
static const char *written(struct fixture *f)
{
    ssize_t n = read(f->read_fd, f->line, sizeof(f->line) - 1);

    f->line[n > 0 ? n : 0] = '\0';
    if (n > 0)
        assert_ptr_equal(strchr(f->line, '\n'), f->line + n - 1);
    return f->line;
}

static cJSON *written_json(struct fixture *f)
{
    cJSON *json = cJSON_Parse(written(f));

    if (!json)
        fail_msg("not JSON: %s", f->line);
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
                        "evil\r\n{\"ts\":1}\xef\xbf\xbd");
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
    assert_true(strlen(f->line) <= LOG_LINE_BYTES);
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
    assert_true(strlen(f->line) <= LOG_LINE_BYTES);
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
    assert_true(strlen(f->line) <= LOG_LINE_BYTES);
    assert_true(strlen(f->line) > LOG_LINE_BYTES / 2);
    assert_true(cJSON_IsTrue(cJSON_GetObjectItem(json, "truncated")));
    cJSON_Delete(json);
}

static void lost_lines_are_counted_in_the_next(void **state)
{
    struct fixture *f = *state;
    char filler[4096];
    ssize_t n;

    memset(filler, 'x', sizeof(filler));
    while ((n = write(f->write_fd, filler, sizeof(filler))) > 0)
        ;
    LOG_INFO(f->log, "x", "lost");
    LOG_INFO(f->log, "x", "lost too");
    while (read(f->read_fd, filler, sizeof(filler)) > 0)
        ;
    LOG_INFO(f->log, "x", "back");
    assert_non_null(strstr(written(f), "\"msg\":\"back\""));
    assert_non_null(strstr(f->line, "\"lines_lost\":2}"));
    LOG_INFO(f->log, "x", "again");
    assert_null(strstr(written(f), "lines_lost"));
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
        LOG_TEST(lost_lines_are_counted_in_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
