/* What counts as a crash, and whose. */
#include "abi/exit.h"
#include "model/event.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct {
    struct record_exit record;
    enum exit_kind kind;
} ends[] = {
    {{.signal = SIGSEGV}, ENDED_CRASHED},
    {{.signal = SIGABRT, .facts = EXIT_ON_TERMINAL}, ENDED_CRASHED},
    {{.signal = SIGXCPU}, ENDED_CRASHED},
    {{.signal = SIGXFSZ}, ENDED_CRASHED},
    {{.signal = SIGSYS}, ENDED_CRASHED},
    {{.signal = SIGQUIT}, ENDED_CRASHED},
    /* Ctrl-\\ */
    {{.signal = SIGQUIT, .facts = EXIT_ON_TERMINAL}, ENDED_KILLED},
    {{.signal = SIGKILL}, ENDED_KILLED},
    {{.signal = SIGTERM, .facts = EXIT_HEADS_CGROUP, .cgroup_name = "a.service"}, ENDED_KILLED},
    {{.signal = 64}, ENDED_KILLED},
    {{.status = 1}, ENDED_STATUS},
    {{.status = 1, .cgroup_name = "a.service"}, ENDED_STATUS},
    {{.status = 1, .facts = EXIT_HEADS_CGROUP, .cgroup_name = "a.service"}, ENDED_FAILED},
    {{.status = 203, .facts = EXIT_HEADS_CGROUP, .cgroup_name = "a.service"}, ENDED_FAILED},
    {{.status = 139, .facts = EXIT_HEADS_CGROUP, .cgroup_name = "a.service"}, ENDED_FAILED},
    /* Of a stop. */
    {{.status = 143, .facts = EXIT_HEADS_CGROUP, .cgroup_name = "a.service"}, ENDED_STATUS},
    {{.status = 130, .facts = EXIT_HEADS_CGROUP, .cgroup_name = "a.service"}, ENDED_STATUS},
    /* A log-in, and what was put into a container: `docker exec`, a health check. */
    {{.status = 1, .facts = EXIT_HEADS_CGROUP, .cgroup_name = "session-4.scope"}, ENDED_STATUS},
    {{.status = 1, .cgroup_name = "docker-0123.scope"}, ENDED_STATUS},
    {{.status = 1,
      .facts = EXIT_HEADS_CGROUP | EXIT_HEADS_NAMESPACE,
      .cgroup_name = "docker-0123.scope"},
     ENDED_FAILED},
    {{.status = 1, .parent_comm = "supervisord"}, ENDED_FAILED},
    {{.status = 1, .parent_comm = "runsv"}, ENDED_FAILED},
    {{.status = 1, .facts = EXIT_OF_SERVICE}, ENDED_FAILED},
    {{.status = 1, .parent_comm = "PM2 v5.3.0: God"}, ENDED_FAILED},
    {{.status = 1, .parent_comm = "supervisor"}, ENDED_STATUS},
    {{.status = 1, .parent_comm = "runsvdir"}, ENDED_STATUS},
    {{.status = 1, .parent_comm = "sh"}, ENDED_STATUS},
};

static void each_end_is_of_one_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        enum exit_kind kind = exit_kind_of(&ends[i].record);

        if (kind != ends[i].kind)
            fail_msg("row %zu is %s", i, exit_kind_name(kind));
    }
}

static void a_session_and_what_a_services_children_start_is_no_loop(void **state)
{
    static const struct {
        struct record_exit record;
        bool may_loop;
    } rows[] = {
        {{.facts = EXIT_HEADS_CGROUP, .cgroup_name = "api.service"}, true},
        {{.facts = EXIT_CHILD_OF_HEAD, .cgroup_name = "nginx.service"}, true},
        {{.cgroup_name = "ci-runner.service"}, false},
        {{.cgroup_name = "ci-runner.service", .parent_comm = "supervisord"}, true},
        {{.facts = EXIT_OF_SERVICE, .cgroup_name = "ci-runner.service"}, true},
        {{.cgroup_name = "session-3.scope"}, false},
        {{.facts = EXIT_CHILD_OF_HEAD, .cgroup_name = "session-3.scope"}, false},
        {{.facts = EXIT_ON_TERMINAL, .cgroup_name = "tmux-spawn-1f.scope"}, false},
        {{.facts = EXIT_OF_SERVICE, .cgroup_name = "session-3.scope"}, true},
        {{.cgroup_name = "docker-0123.scope"}, true},
        /* Without cgroups nobody knows. */
        {{.cgroup_name = ""}, true},
        {{.cgroup_name = "pod7"}, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (exit_may_loop(&rows[i].record) != rows[i].may_loop)
            fail_msg("row %zu", i);
}

static void causes_are_said(void **state)
{
    static const struct {
        struct record_exit record;
        const char *cause;
    } rows[] = {
        {{.signal = SIGSEGV}, "by SIGSEGV"},
        {{.signal = 40}, "by signal 40"},
        {{.status = 3}, "with exit status 3"},
    };
    char buffer[EXIT_CAUSE_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(exit_cause(&rows[i].record, buffer), rows[i].cause);
}

static void the_innermost_unit_is_named(void **state)
{
    static const struct {
        const char *path, *unit;
    } rows[] = {
        {"/system.slice/web.service", "web.service"},
        {"web.service", "web.service"},
        {"/user.slice/user-1000.slice/user@1000.service/app.slice/a.service", "a.service"},
        {"/system.slice/web.service/worker/7", "web.service"},
        {"/system.slice/docker-01.scope", "docker-01.scope"},
        {"/system.slice", ""},
        {"/docker/0123", ""},
        {"/.service", ""},
        {"/", ""},
        {"", ""},
    };
    char unit[CGROUP_PATH_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t bytes;
        const char *begin = unit_of(rows[i].path, &bytes);

        snprintf(unit, sizeof(unit), "%.*s", (int)bytes, begin);
        assert_string_equal(unit, rows[i].unit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_is_of_one_kind),
        cmocka_unit_test(a_session_and_what_a_services_children_start_is_no_loop),
        cmocka_unit_test(causes_are_said),
        cmocka_unit_test(the_innermost_unit_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
