/* What becomes of a record from the ring buffer: who takes it, and whether it is judged at once. */
#include "agent/agent_takers.h"
#include "config_text.h"
#include "log_fixture.h"
#include "tree.h"
#include <signal.h>

static char *const no_environment[] = {NULL};

struct scene {
    struct tree *tree;
    struct fixture *said;
    struct config *config;
    struct collectors *collectors;
    struct agent_takers to;
};

static int set_up(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    void *said = NULL;

    assert_non_null(s);
    assert_int_equal(log_fixture_open(&said, clock_system()), 0);
    s->said = said;
    s->tree = tree_create();
    assert_int_equal(collectors_create(&s->collectors, &s->tree->env), 0);
    s->config = load_valid("{\"services\":[{\"name\":\"job\",\"kind\":\"worker\","
                           "\"match\":{\"comm\":\"job\"}}]}",
                           no_environment);
    s->to = (struct agent_takers){
        .log = s->said->log, .config = s->config, .collectors = s->collectors};
    *state = s;
    return 0;
}

static int clear(void **state)
{
    struct scene *s = *state;
    void *said = s->said;

    tear_down(&said);
    collectors_destroy(s->collectors);
    config_destroy(s->config);
    tree_destroy(s->tree);
    free(s);
    return 0;
}

static const struct event_snapshot *events_of(struct scene *s)
{
    collectors_sample(s->collectors, s->tree->now_ns);
    return &collectors_snapshot(s->collectors)->events;
}

/* So long a line waits for its release at most. */
#define HOLD_NS (2 * NS_PER_SECOND)

static void a_crash_is_judged_at_once_and_its_line_waits(void **state)
{
    struct scene *s = *state;
    const struct record_exit crash = {
        .head = {.type = RECORD_EXIT}, .signal = SIGSEGV, .comm = "crasher"};
    uint64_t begun_ns = clock_monotonic_ns(clock_system());

    assert_true(agent_take_record(&s->to, &crash.head, sizeof(crash)));
    assert_true(!log_flush(s->said->log, NS_PER_MS) ||
                clock_monotonic_ns(clock_system()) - begun_ns >= HOLD_NS);
    log_release(s->said->log, log_mark(s->said->log));
    assert_true(log_flush(s->said->log, PROGRAM_DEADLINE_NS));
    assert_non_null(strstr(log_fixture_read(s->said), "Process crashed"));
    assert_non_null(strstr(s->said->text, "\"comm\":\"crasher\""));
    assert_true(events_of(s)->crashes_total == 1);
}

static void a_status_is_a_failure_of_what_the_configuration_names_only(void **state)
{
    struct scene *s = *state;
    struct record_exit ended = {.head = {.type = RECORD_EXIT}, .status = 3, .comm = "script"};

    assert_false(agent_take_record(&s->to, &ended.head, sizeof(ended)));
    assert_true(log_flush(s->said->log, PROGRAM_DEADLINE_NS));
    assert_string_equal(log_fixture_read(s->said), "");
    strcpy(ended.comm, "job");
    assert_true(agent_take_record(&s->to, &ended.head, sizeof(ended)));
    log_release(s->said->log, log_mark(s->said->log));
    assert_true(log_flush(s->said->log, PROGRAM_DEADLINE_NS));
    assert_non_null(strstr(log_fixture_read(s->said), "Service failed"));
    assert_true(events_of(s)->failures_total == 1);
    assert_true(collectors_snapshot(s->collectors)->events.abnormal_exits_total == 2);
}

static void a_stall_is_kept_and_judged_with_the_next_tick(void **state)
{
    struct scene *s = *state;
    const struct record_stall stall = {.head = {.type = RECORD_STALL}};

    assert_false(agent_take_record(&s->to, &stall.head, sizeof(stall)));
    assert_true(events_of(s)->stalls_total == 1);
}

/* `live` is none: whoever handed such a record on would fall over it. */
static void a_record_that_is_too_short_or_of_no_type_is_nobodys(void **state)
{
    struct scene *s = *state;
    union {
        struct record_head head;
        char room[1024];
    } record = {.head = {.type = RECORD_TYPE_COUNT}};

    assert_false(agent_take_record(&s->to, &record.head, sizeof(record)));
    for (uint32_t type = 0; type < RECORD_TYPE_COUNT; type++) {
        record.head.type = type;
        assert_false(
            agent_take_record(&s->to, &record.head, record_type_bytes((enum record_type)type) - 1));
    }
    assert_true(events_of(s)->ooms_total == 0);
    assert_true(collectors_snapshot(s->collectors)->events.abnormal_exits_total == 0);
}

#define TAKERS_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clear)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TAKERS_TEST(a_crash_is_judged_at_once_and_its_line_waits),
        TAKERS_TEST(a_status_is_a_failure_of_what_the_configuration_names_only),
        TAKERS_TEST(a_stall_is_kept_and_judged_with_the_next_tick),
        TAKERS_TEST(a_record_that_is_too_short_or_of_no_type_is_nobodys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
