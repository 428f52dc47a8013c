/* Which processes services[] names as the main ones. */
#include "abi/exit.h"
#include "config_text.h"
#include "service/main_process.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const struct {
    struct record_exit record;
    bool main;
} rows[] = {
    /* `while true; do app; done` */
    {{.comm = "app", .parent_comm = "sh"}, true},
    {{.comm = "grep", .parent_comm = "sh"}, false},
    /* A worker of it. */
    {{.comm = "app", .parent_comm = "app"}, false},
    {{.comm = "x", .cgroup_name = "site", .facts = EXIT_HEADS_CGROUP}, true},
    {{.comm = "x", .cgroup_name = "site"}, false},
    {{.comm = "x", .cgroup_name = "web", .facts = EXIT_HEADS_CGROUP}, false},
    /* Of processes no name is longer. */
    {{.comm = "a-very-long-nam", .parent_comm = "sh"}, true},
};

static void services_name_their_main_process(void **state)
{
    struct config *config = load_valid(
        "{\"services\":[{\"name\":\"a\",\"kind\":\"worker\",\"match\":{\"comm\":\"app\"}},"
        "{\"name\":\"b\",\"kind\":\"worker\",\"match\":{\"cgroup\":\"web/site\"}},"
        "{\"name\":\"c\",\"kind\":\"worker\",\"match\":{\"comm\":\"a-very-long-nam\"}}]}",
        NULL);

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (is_main_process(config, &rows[i].record) != rows[i].main)
            fail_msg("row %zu", i);
    config_destroy(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(services_name_their_main_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
