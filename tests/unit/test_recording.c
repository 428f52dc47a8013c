/* Recordings: what a good one holds, and what is said about a bad one. */
#include "alert/recording.h"
#include "base/clock.h"
#include "base/file.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "facts/metrics.h"
#include "health/health.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Who is waited for, and who never comes. */
#define DEADLINE_MS 60000
#define WAIT_MS 1

static int file_of(const char *text, char path[64])
{
    int fd = memfd_create("recording", MFD_CLOEXEC);

    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

static void columns_are_series_checks_and_events(void **state)
{
    static const char text[] =
        "timestamp,plain,\"m{mount=\"\"/a,b\"\",x=\"\"\"\"}\",check:disk:/var,check:cpu,"
        "\"event:crash{comm=\"\"web\"\"}\"\r\n"
        "1767225600,1.5,,degraded,,2\n"
        "\n"
        "2026-01-01 00:00:10,-1e3,7,unhealthy,healthy,\n"
        "2026-01-01T01:00:20.5+01:00,nan,8,unknown,healthy,0\n";
    char path[64], error[RECORDING_ERROR_BYTES];
    struct recording *recording = NULL;
    struct alert_input first, second;
    int fd = file_of(text, path);

    if (recording_open(&recording, path, WAIT_MS, health_check_name, error) < 0)
        fail_msg("%s", error);
    assert_int_equal(recording_next(recording, &first, error), 1);
    assert_int_equal(first.realtime_ns / NS_PER_SECOND, 1767225600);
    assert_int_equal(first.sample_count, 2);
    assert_string_equal(first.samples[0].metric, "plain");
    assert_float_equal(first.samples[0].value, 1.5, 0);
    assert_true(isnan(first.samples[1].value));
    assert_string_equal(first.samples[1].labels[0].name, "mount");
    assert_string_equal(first.samples[1].labels[0].value, "/a,b");
    assert_int_equal(first.condition_count, 2);
    assert_int_equal(first.conditions[0].status, STATUS_DEGRADED);
    assert_string_equal(first.conditions[0].labels[1].value, "/var");
    assert_int_equal(first.conditions[1].status, STATUS_UNKNOWN);
    assert_int_equal(first.event_count, 2);
    assert_int_equal(first.events[1].event, RULE_EVENT_CRASH);
    assert_string_equal(first.events[1].labels[1].value, "web");
    /* The row before is still there. */
    assert_int_equal(recording_next(recording, &second, error), 1);
    assert_float_equal(first.samples[0].value, 1.5, 0);
    assert_float_equal(second.samples[0].value, -1000, 0);
    assert_int_equal((second.realtime_ns - first.realtime_ns) / NS_PER_SECOND, 10);
    assert_int_equal(second.event_count, 0);
    assert_int_equal(recording_next(recording, &second, error), 1);
    assert_true(second.realtime_ns - first.realtime_ns == 20500000000ULL);
    assert_int_equal(recording_next(recording, &second, error), 0);
    recording_close(recording);
    close(fd);
}

static void bad_recordings_name_the_place(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "the file is empty"},
        {"time,a\n", "line 1: the header is not timestamp,SERIES"},
        {"timestamp\n", "the header is not"},
        {"timestamp,\n", "a column without a name"},
        {"timestamp,\"a{b=c\n", "line 1: a quote is not closed"},
        {"timestamp,\"a{b}\"\n", "a{b}: labels: column 3: no operator"},
        {"timestamp,\"a{b=\"\"c\"\"\"\n", "the labels do not end with }"},
        {"timestamp,\"a{b=~\"\"c\"\"}\"\n", "labels are {NAME=\"VALUE\",...}"},
        {"timestamp,event:boom\n", "event:boom: there is no such event (allowed: crash"},
        {"timestamp,\"a\"b\n", "line 1: text behind a closing quote"},
        {"timestamp,a\n1,2,3\n", "line 2: 3 fields, the header has 2"},
        {"timestamp,a\n1\n", "line 2: 1 fields"},
        {"timestamp,a\nyesterday,2\n", "line 2, column 1: \"yesterday\" is not accepted"},
        {"timestamp,a\n-5,2\n", "line 2, column 1: \"-5\""},
        {"timestamp,a\n1767225600000,2\n", "line 2, column 1"},
        {"timestamp,a\n2026-01-01T00:00:00+1,2\n", "line 2, column 1"},
        {"timestamp,a\n5,1\n4,1\n", "line 3, column 1: \"4\" is not accepted (allowed: a time not"},
        {"timestamp,a\n5,x\n", "line 2, column 2: \"x\" is not accepted (allowed: a number"},
        {"timestamp,check:dsk:/var\n", "check:dsk:/var: there is no such check (see"},
        {"timestamp,check:cpu\n5,ill\n",
         "line 2, column 2: \"ill\" is not accepted (allowed: healthy"},
        {"timestamp,event:oom\n5,1.5\n", "(allowed: a whole number up to 1000)"},
        {"timestamp,event:oom\n5,1e9\n", "(allowed: a whole number up to 1000)"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char path[64], error[RECORDING_ERROR_BYTES] = "";
        struct recording *recording = NULL;
        struct alert_input input;
        int fd = file_of(cases[i].text, path), r;

        r = recording_open(&recording, path, WAIT_MS, health_check_name, error);
        while (r == 0 || r == 1) {
            r = recording_next(recording, &input, error);
            if (r == 0)
                fail_msg("%s is accepted", cases[i].text);
        }
        assert_int_equal(r, -EINVAL);
        if (!strstr(error, cases[i].error))
            fail_msg("%s: \"%s\"", cases[i].text, error);
        recording_close(recording);
        close(fd);
    }
}

static void a_spreadsheet_may_have_written_it(void **state)
{
    char path[64], error[RECORDING_ERROR_BYTES];
    struct recording *recording = NULL;
    struct alert_input row;
    int fd = file_of("\xef\xbb\xbftimestamp,m\r\n5,1\r\n", path);

    if (recording_open(&recording, path, WAIT_MS, health_check_name, error) < 0)
        fail_msg("%s", error);
    assert_int_equal(recording_next(recording, &row, error), 1);
    assert_string_equal(row.samples[0].metric, "m");
    recording_close(recording);
    close(fd);
}

/* What no rule can look at is a slip; what is no metric of the agent's is not its business. */
static void slips_in_metrics_are_found(void **state)
{
    char path[64], error[RECORDING_ERROR_BYTES];
    struct recording *recording = NULL;
    size_t cursor = 0;
    int fd = file_of("timestamp,node_load1,moonwatch_load1,moonwatch_lod1,check:cpu\n", path);

    if (recording_open(&recording, path, WAIT_MS, health_check_name, error) < 0)
        fail_msg("%s", error);
    assert_string_equal(recording_unknown_metric(recording, &cursor), "moonwatch_lod1");
    assert_null(recording_unknown_metric(recording, &cursor));
    recording_close(recording);
    close(fd);
}

static void what_never_ends_is_an_error(void **state)
{
    char path[64], error[RECORDING_ERROR_BYTES];
    struct recording *recording;
    size_t bytes = 5 << 20;
    char *text = malloc(bytes);
    int fd;

    assert_int_equal(recording_open(&recording, "/dev/zero", WAIT_MS, health_check_name, error),
                     FILE_NOT_REGULAR);
    assert_string_equal(error, "it is not a regular file, and no pipe");
    memset(text, 'a', bytes - 1);
    text[bytes - 1] = '\0';
    fd = file_of(text, path);
    assert_int_equal(recording_open(&recording, path, WAIT_MS, health_check_name, error), -EINVAL);
    assert_string_equal(error, "line 1: longer than 4194303 bytes");
    close(fd);
    free(text);
}

static void read_what_a_child_writes(const char *path)
{
    char error[RECORDING_ERROR_BYTES] = "";
    struct recording *recording = NULL;
    struct alert_input input;
    pid_t writer = fork();
    int fd, status;

    if (writer == 0) {
        fd = open(path, O_WRONLY);
        dprintf(fd, "timestamp,a\n1,");
        dprintf(fd, "2\n");
        _exit(0);
    }
    if (recording_open(&recording, path, DEADLINE_MS, health_check_name, error) < 0)
        fail_msg("%s", error);
    assert_int_equal(recording_next(recording, &input, error), 1);
    assert_float_equal(input.samples[0].value, 2, 0);
    assert_int_equal(recording_next(recording, &input, error), 0);
    recording_close(recording);
    assert_int_equal(waitpid(writer, &status, 0), writer);
}

/* The one who writes opens it before the one who reads, or after. */
static void a_pipe_is_read_as_it_is_written(void **state)
{
    char directory[] = "/tmp/moonwatch-recording-XXXXXX";
    char path[96], error[RECORDING_ERROR_BYTES] = "";
    struct recording *recording = NULL;

    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/fifo", directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    for (int i = 0; i < 50; i++)
        read_what_a_child_writes(path);
    assert_int_equal(recording_open(&recording, path, WAIT_MS, health_check_name, error),
                     -ETIMEDOUT);
    assert_string_equal(error, "line 1: nothing was written into it for 0.001 s");
    unlink(path);
    rmdir(directory);
}

static void a_missing_file_is_an_error(void **state)
{
    char error[RECORDING_ERROR_BYTES];
    struct recording *recording;

    assert_int_equal(recording_open(&recording, "/nonexistent", WAIT_MS, health_check_name, error),
                     -ENOENT);
    assert_string_equal(error, "No such file or directory");
}

/* What the command prints, from the arguments on. */
static int run_command(char **argv, char *output, size_t size)
{
    int out = memfd_create("out", MFD_CLOEXEC), kept = dup(STDOUT_FILENO), code, argc = 0;
    ssize_t n;

    while (argv[argc])
        argc++;
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    code = cli_alert(argc, argv);
    fflush(stdout);
    dup2(kept, STDOUT_FILENO);
    n = pread(out, output, size - 1, 0);
    output[n < 0 ? 0 : n] = '\0';
    close(out);
    close(kept);
    return code;
}

static int run_alert(const char *rules, const char *recording, char *output, size_t size)
{
    char rules_path[64], input_path[64];
    char *argv[] = {"test", "--rules", rules_path, "--input", input_path, NULL};
    int rules_fd = file_of(rules, rules_path), input_fd = file_of(recording, input_path);
    int code = run_command(argv, output, size);

    close(rules_fd);
    close(input_fd);
    return code;
}

static void the_command_prints_the_timeline(void **state)
{
    static const char rules[] =
        "{\"rules\":[{\"name\":\"Full\",\"metric\":\"m\",\"above\":0.9,\"for\":20,"
        "\"severity\":\"error\",\"summary\":\"{{ $labels.mount }} at {{ $value }}\"},"
        "{\"name\":\"CpuUnknown\",\"metric\":\"m\",\"above\":9},"
        "{\"name\":\"MemoryUnknown\",\"metric\":\"m\",\"above\":9}]}";
    static const char recording[] = "timestamp,\"m{mount=\"\"/\"\"}\"\n"
                                    "2026-01-01T00:00:00Z,0.5\n"
                                    "2026-01-01T00:00:10Z,0.95\n"
                                    "2026-01-01T00:02:00Z,0.5\n";
    char output[2048];

    assert_int_equal(run_alert(rules, recording, output, sizeof(output)), EXIT_DONE);
    assert_string_equal(output,
                        "2026-01-01T00:00:10Z  pending   ERROR      Full{mount=\"/\"}\n"
                        "2026-01-01T00:00:30Z  notify    firing     log: 1 alert in group "
                        "{mount=\"/\"}\n"
                        "2026-01-01T00:00:30Z  firing    ERROR      Full{mount=\"/\"}: / at 0.95\n"
                        "2026-01-01T00:02:00Z  notify    resolved   log: 1 alert in group "
                        "{mount=\"/\"}\n"
                        "2026-01-01T00:02:00Z  resolved  ERROR      Full{mount=\"/\"}\n"
                        "1 fired, 1 resolved, 2 notifications, 0 held back\n");
}

/* Routes, inhibition and mute windows are the configuration's, and so may be the rules. */
static void the_command_takes_a_whole_configuration(void **state)
{
    static const char config[] =
        "{\"alert_manager\":{\"channels\":[{\"name\":\"pager\",\"type\":\"log\"}],"
        "\"rules\":[{\"name\":\"A\",\"metric\":\"m\",\"above\":1,\"for\":0},"
        "{\"name\":\"B\",\"metric\":\"m\",\"above\":1,\"for\":0},"
        "{\"name\":\"C\",\"metric\":\"m\",\"above\":1,\"for\":0},"
        "{\"name\":\"D\",\"metric\":\"m\",\"above\":1,\"for\":0}],"
        "\"routes\":[{\"channels\":[\"pager\"],\"matchers\":[\"alertname!=D\"],"
        "\"group_by\":[],\"group_wait\":0}],"
        "\"inhibit\":[{\"source\":{\"alertname\":\"A\"},\"target\":{\"alertname\":\"B\"}}],"
        "\"mute_windows\":[{\"name\":\"n\",\"start\":\"00:00\",\"end\":\"00:01\",\"utc\":true,"
        "\"match\":{\"alertname\":\"C\"}}]}}";
    char output[2048], config_path[64], input_path[64];
    char *argv[] = {"test", "--config", config_path, "--input", input_path, NULL};
    int config_fd = file_of(config, config_path),
        input_fd =
            file_of("timestamp,m\n2026-01-01T00:00:00Z,2\n2026-01-01T00:00:05Z,2\n", input_path);

    assert_int_equal(run_command(argv, output, sizeof(output)), EXIT_DONE);
    assert_non_null(
        strstr(output, "2026-01-01T00:00:00Z  notify    firing     pager: 1 alert in "));
    assert_non_null(strstr(output, "2026-01-01T00:00:00Z  not told  inhibited  B\n"));
    assert_non_null(strstr(output, "2026-01-01T00:00:00Z  not told  mute_window C\n"));
    assert_non_null(strstr(output, "2026-01-01T00:00:00Z  not told  unrouted   D\n"));
    assert_non_null(strstr(output, "4 fired, 0 resolved, 1 notifications"));
    close(config_fd);
    close(input_fd);
}

static void the_command_refuses_what_is_wrong(void **state)
{
    static const char rule[] = "{\"rules\":[{\"name\":\"r\",\"metric\":\"m\",\"above\":1}]}";
    char output[256];
    char *none[] = {"test", NULL};

    assert_int_equal(run_alert("{\"rules\":3}", "timestamp,m\n", output, sizeof(output)),
                     EXIT_USAGE);
    assert_int_equal(run_alert("{\"rules\":[{\"name\":\"r\",\"metric\":\"m\",\"above\":1,"
                               "\"matchers\":[\"x\"]}]}",
                               "timestamp,m\n", output, sizeof(output)),
                     EXIT_USAGE);
    assert_int_equal(run_alert(rule, "timestamp,m\n1,x\n", output, sizeof(output)), EXIT_USAGE);
    assert_int_equal(run_alert(rule, "timestamp,m\n1,2\n", output, sizeof(output)), EXIT_DONE);
    assert_int_equal(cli_alert(1, none), EXIT_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_series_checks_and_events),
        cmocka_unit_test(bad_recordings_name_the_place),
        cmocka_unit_test(a_spreadsheet_may_have_written_it),
        cmocka_unit_test(slips_in_metrics_are_found),
        cmocka_unit_test(what_never_ends_is_an_error),
        cmocka_unit_test(a_pipe_is_read_as_it_is_written),
        cmocka_unit_test(a_missing_file_is_an_error),
        cmocka_unit_test(the_command_prints_the_timeline),
        cmocka_unit_test(the_command_takes_a_whole_configuration),
        cmocka_unit_test(the_command_refuses_what_is_wrong),
    };

    metrics_destroy(NULL); /* links what declares the metrics, as in the command */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
