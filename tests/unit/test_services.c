/* Services and upstreams together: who is who over reloads, and what of it reaches whom. */
#include "base/clock.h"
#include "breaker/row.h"
#include "config_text.h"
#include "service/service.h"
#include "service/unit_path.h"
#include <errno.h>
#include <stdlib.h>

#define S NS_PER_SECOND

static const char two[] =
    "{\"services\":[{\"name\":\"web\",\"kind\":\"http\",\"match\":{\"comm\":\"nginx\"}}],"
    "\"upstreams\":[{\"name\":\"pay\",\"address\":[\"10.0.0.1:443\",\"10.0.0.2:443\"],"
    "\"breaker\":{\"mode\":\"enforce\"},\"fallback\":{\"strategy\":\"alternative\","
    "\"endpoints\":[\"10.0.1.1:443\",\"10.0.1.2:443\"]}},"
    "{\"name\":\"db\",\"address\":\"10.0.0.3:5432\"}]}";
static const char one_and_another[] =
    "{\"upstreams\":[{\"name\":\"cache\",\"address\":\"10.0.0.9:6379\"},"
    "{\"name\":\"db\",\"address\":\"10.0.0.3:5432\",\"breaker\":{\"failure_threshold\":2}}]}";

static struct breaker_row rows[UPSTREAMS_MAX];
static int moves, switches, enforcement_told;
static char last_moved[64], last_enforcement[128];
static bool moved_without_effect;

static double no_jitter(void *ctx)
{
    return 0;
}

static void on_moved(void *ctx, const char *upstream, const struct breaker_transition *t)
{
    moves++;
    moved_without_effect = t->not_enforced;
    snprintf(last_moved, sizeof(last_moved), "%s %s", upstream, breaker_state_name(t->to));
}

static void on_switched(void *ctx, const char *upstream, const struct fallback_switch *s)
{
    switches++;
}

static void on_enforcement(void *ctx, const char *upstream, enum enforcement enforcement,
                           const char *why)
{
    enforcement_told++;
    snprintf(last_enforcement, sizeof(last_enforcement), "%s %d %s", upstream, enforcement,
             why ? why : "-");
}

static struct services *create(const struct config *config, const char *rows_missing)
{
    const struct services_ops ops = {.random = no_jitter,
                                     .enforcement_changed = on_enforcement,
                                     .breaker_moved = on_moved,
                                     .fallback_switched = on_switched};
    const struct services_rows memory = {rows_missing ? NULL : rows, rows_missing};
    struct services *s = NULL;

    moves = switches = enforcement_told = 0;
    assert_int_equal(services_create(&s, config, &memory, &ops, S), 0);
    for (size_t i = 0; i < services_upstream_count(s); i++)
        services_set_enforcement(s, i, ENFORCEMENT_ACTIVE, true, NULL);
    return s;
}

static void reload(struct services *s, const struct config *config, uint64_t now_ns)
{
    assert_int_equal(services_stage(s, config, now_ns), 0);
    services_commit(s, now_ns);
    services_tell(s, now_ns);
}

static struct upstream_view view_of(const struct services *s, const char *name)
{
    struct upstream_view view;

    services_upstream(s, services_find_upstream(s, name), 100 * S, &view);
    return view;
}

static void nothing_is_known_at_first(void **state)
{
    struct config *config = load_valid(two, NULL);
    struct services *s = create(config, "the kernel refused the program");
    struct service_view service;

    assert_int_equal(services_count(s), 1);
    assert_int_equal(services_upstream_count(s), 2);
    services_service(s, 0, &service);
    assert_string_equal(service.config->name, "web");
    assert_string_equal(service.missing, "the kernel refused the program");
    assert_string_equal(view_of(s, "pay").missing, "the kernel refused the program");
    assert_string_equal(view_of(s, "pay").not_enforced, "the kernel refused the program");
    assert_non_null(strstr(view_of(s, "db").not_enforced, "observe"));
    assert_int_equal(services_find_upstream(s, "nobody"), SIZE_MAX);
    services_destroy(s);
    config_destroy(config);
}

static void the_kernels_trip_switches_to_the_fallback(void **state)
{
    struct config *config = load_valid(two, NULL);
    struct services *s;
    struct upstream_view view;

    memset(rows, 0, sizeof(rows));
    s = create(config, NULL);
    services_set_endpoint(s, 0, 0, ENDPOINT_DOWN);
    services_set_endpoint(s, 0, 1, ENDPOINT_UP);
    services_set_endpoint(s, 0, 7, ENDPOINT_UP);
    assert_true(row_move(&rows[0], 0, BREAKER_OPEN));
    services_kernel_opened(s, services_upstream_of_row(s, 0), 2 * S, 1, "10.0.0.2:443");
    view = view_of(s, "pay");
    assert_int_equal(view.breaker.state, BREAKER_OPEN);
    assert_string_equal(view.breaker.last.address, "10.0.0.2:443");
    assert_string_equal(view.fallback_endpoint, "10.0.1.2:443");
    assert_null(view.not_enforced);
    assert_string_equal(last_moved, "pay open");
    assert_int_equal(switches, 1);
    assert_int_equal(services_tick(s, 3 * S), 62 * S);
    services_tick(s, 62 * S);
    assert_int_equal(view_of(s, "pay").breaker.state, BREAKER_HALF_OPEN);
    for (int i = 0; i < 3; i++)
        services_call(s, 0, 63 * S, services_epoch(s, 0), false, false, NULL);
    services_tick(s, 63 * S);
    assert_int_equal(view_of(s, "pay").fallback.choice.offer, FALLBACK_OFFERS_PRIMARY);
    services_destroy(s);
    config_destroy(config);
}

static void it_is_enforced_only_while_the_kernel_does(void **state)
{
    struct config *config = load_valid(two, NULL);
    struct services *s;

    memset(rows, 0, sizeof(rows));
    s = create(config, NULL);
    services_set_endpoint(s, 0, 0, ENDPOINT_UP);
    services_tick(s, 2 * S);
    assert_int_equal(enforcement_told, 0); /* all is as configured */
    assert_true(row_move(&rows[0], 0, BREAKER_OPEN));
    services_kernel_opened(s, 0, 2 * S, 1, NULL);
    assert_false(moved_without_effect);
    assert_int_equal(view_of(s, "pay").fallback.choice.offer, FALLBACK_OFFERS_ENDPOINT);

    services_set_enforcement(s, 0, ENFORCEMENT_FAILED, false, "it is not attached");
    for (int i = 0; i < 3; i++)
        services_tick(s, 3 * S);
    assert_int_equal(enforcement_told, 1);
    assert_string_equal(last_enforcement, "pay 4 it is not attached");
    assert_int_equal(view_of(s, "pay").enforcement, ENFORCEMENT_FAILED);
    assert_string_equal(view_of(s, "pay").not_enforced, "it is not attached");
    assert_int_equal(view_of(s, "db").enforcement, ENFORCEMENT_NOT_ASKED);
    /* Nobody is led anywhere. */
    assert_int_equal(view_of(s, "pay").fallback.choice.offer, FALLBACK_OFFERS_PRIMARY);
    assert_int_equal(services_open(s, "pay", 4 * S), 0);
    assert_true(moved_without_effect);

    services_set_enforcement(s, 0, ENFORCEMENT_IDLE, false, "no cgroup a");
    services_tick(s, 5 * S);
    assert_string_equal(last_enforcement, "pay 3 no cgroup a");
    services_set_enforcement(s, 0, ENFORCEMENT_ACTIVE, true, NULL);
    services_tick(s, 6 * S);
    assert_string_equal(last_enforcement, "pay 1 -");
    assert_int_equal(enforcement_told, 3);
    assert_null(view_of(s, "pay").not_enforced);

    /* In part: those that it does know are refused, and led elsewhere. */
    services_set_enforcement(s, 0, ENFORCEMENT_IDLE, true, "1 of 2 addresses is not enforced");
    services_tick(s, 7 * S);
    assert_int_equal(enforcement_told, 4);
    assert_non_null(view_of(s, "pay").not_enforced);
    assert_true(view_of(s, "pay").acts);
    assert_int_equal(view_of(s, "pay").fallback.choice.offer, FALLBACK_OFFERS_ENDPOINT);
    assert_int_equal(services_close(s, "pay", 8 * S), 0);
    assert_false(moved_without_effect);
    services_set_lease(s, 0);
    assert_false(view_of(s, "pay").acts);
    services_destroy(s);
    config_destroy(config);
}

static void nothing_is_enforced_once_the_lease_is_over(void **state)
{
    struct config *config = load_valid(two, NULL);
    struct services *s;

    memset(rows, 0, sizeof(rows));
    s = create(config, NULL);
    services_set_lease(s, 101 * S);
    assert_null(view_of(s, "pay").not_enforced); /* at 100 s */
    services_set_lease(s, 100 * S);
    assert_int_equal(view_of(s, "pay").enforcement, ENFORCEMENT_FAILED);
    assert_non_null(strstr(view_of(s, "pay").not_enforced, "held up"));
    services_destroy(s);
    config_destroy(config);
}

static void counters_reach_the_window_and_the_tracker(void **state)
{
    struct config *config = load_valid(two, NULL);
    struct traffic total = {.calls = 1000, .failed = 1000};
    struct services *s;

    memset(rows, 0, sizeof(rows));
    s = create(config, NULL);
    /* Counted before there was an agent. */
    services_feed_upstream(s, 1, 2 * S, &total, 0);
    assert_int_equal(view_of(s, "db").breaker.state, BREAKER_CLOSED);
    total.calls += 40;
    total.failed += 20;
    services_feed_upstream(s, 1, 3 * S, &total, 0);
    assert_int_equal(view_of(s, "db").breaker.state, BREAKER_OPEN);
    assert_int_equal(view_of(s, "db").performance.calls, 40);
    assert_int_equal(view_of(s, "db").performance.failed, 20);
    assert_null(view_of(s, "db").missing);
    services_destroy(s);
    config_destroy(config);
}

/* A call is slow while it is still in flight, and ends in a later tick. */
static void a_slow_call_counts_once_and_at_once(void **state)
{
    static const struct {
        uint64_t calls, slow, window_calls, window_slow;
    } ticks[] = {{0, 0, 0, 0}, {0, 1, 1, 1}, {1, 1, 1, 1}, {1, 3, 3, 3},
                 {4, 3, 4, 3}, {6, 4, 6, 4}, {6, 4, 6, 4}};
    struct config *config = load_valid(two, NULL);
    struct traffic total = {0};
    struct services *s;

    memset(rows, 0, sizeof(rows));
    s = create(config, NULL);
    for (size_t i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
        struct calls window;

        total.calls = ticks[i].calls;
        services_feed_upstream(s, 1, (2 + i) * S, &total, ticks[i].slow);
        window = view_of(s, "db").breaker.figures.window;
        assert_int_equal(window.count, ticks[i].window_calls);
        assert_int_equal(window.slow, ticks[i].window_slow);
    }
    services_destroy(s);
    config_destroy(config);
}

static void a_reload_keeps_who_keeps_the_name(void **state)
{
    struct config *before = load_valid(two, NULL), *after = load_valid(one_and_another, NULL);
    struct services *s;

    memset(rows, 0, sizeof(rows));
    s = create(before, NULL);
    assert_int_equal(services_open(s, "pay", 2 * S), 0);
    assert_int_equal(services_open(s, "db", 2 * S), 0);
    reload(s, after, 3 * S);
    config_destroy(before);
    assert_int_equal(services_count(s), 0);
    assert_int_equal(services_find_upstream(s, "pay"), SIZE_MAX);
    assert_int_equal(services_row(s, services_find_upstream(s, "db")), 1);
    assert_int_equal(view_of(s, "db").breaker.state, BREAKER_FORCED_OPEN);
    assert_int_equal(rows[1].failure_threshold, 2);
    assert_int_equal(view_of(s, "cache").breaker.state, BREAKER_CLOSED);
    services_tick(s, 4 * S);
    assert_int_equal(view_of(s, "cache").breaker.transitions_total, 0);
    /* The row of the one that is gone holds nobody back any more, whoever has it now. */
    for (size_t i = 0; i < UPSTREAMS_MAX; i++)
        if (i != 1)
            assert_int_equal(BREAKER_STATE_OF(rows[i].word), BREAKER_CLOSED);
    services_destroy(s);
    config_destroy(after);
}

static const struct services *reloaded;
static const struct config *in_force;

/* What whoever hears of it finds: nobody is where the old configuration had him. */
static void look_around(void *ctx, const char *upstream, const struct breaker_transition *t)
{
    on_moved(ctx, upstream, t);
    assert_int_equal(services_upstream_count(reloaded), in_force->upstreams.count);
    for (size_t i = 0; i < in_force->upstreams.count; i++) {
        struct upstream_view view;

        services_upstream(reloaded, i, 5 * S, &view);
        assert_ptr_equal(view.config, &in_force->upstreams.items[i]);
    }
    assert_int_not_equal(services_find_upstream(reloaded, upstream), SIZE_MAX);
}

static void breakers_that_open_meanwhile_find_the_new_configuration_whole(void **state)
{
    static const char forced[] = "{\"upstreams\":[{\"name\":\"new\",\"address\":\"10.0.0.8:80\","
                                 "\"breaker\":{\"mode\":\"forced_open\"}},"
                                 "{\"name\":\"db\",\"address\":\"10.0.0.3:5432\","
                                 "\"breaker\":{\"mode\":\"forced_open\"}},"
                                 "{\"name\":\"pay\",\"address\":\"10.0.0.1:443\"}]}";
    struct config *before = load_valid(two, NULL), *after = load_valid(forced, NULL);
    const struct services_ops ops = {.random = no_jitter, .breaker_moved = look_around};
    const struct services_rows memory = {rows, NULL};
    struct services *s;

    memset(rows, 0, sizeof(rows));
    moves = 0;
    assert_int_equal(services_create(&s, before, &memory, &ops, S), 0);
    reloaded = s;
    in_force = after;
    assert_int_equal(services_stage(s, after, 3 * S), 0);
    services_commit(s, 3 * S);
    assert_int_equal(moves, 0);
    /* The kernel opens one while nobody was told. */
    rows[services_row(s, services_find_upstream(s, "pay"))].word =
        BREAKER_WORD(view_of(s, "pay").breaker.epoch + 1, BREAKER_OPEN);
    services_tell(s, 3 * S);
    config_destroy(before);
    assert_int_equal(moves, 3);
    assert_int_equal(view_of(s, "new").breaker.state, BREAKER_FORCED_OPEN);
    assert_int_equal(view_of(s, "db").breaker.state, BREAKER_FORCED_OPEN);
    assert_int_equal(view_of(s, "pay").breaker.state, BREAKER_OPEN);
    services_destroy(s);
    config_destroy(after);
}

static void what_is_staged_and_dropped_changes_nothing(void **state)
{
    struct config *before = load_valid(two, NULL), *after = load_valid(one_and_another, NULL);
    struct breaker_row kept[UPSTREAMS_MAX];
    struct services *s;

    memset(rows, 0, sizeof(rows));
    s = create(before, NULL);
    services_open(s, "pay", 2 * S);
    memcpy(kept, rows, sizeof(rows));
    moves = 0;
    assert_int_equal(services_stage(s, after, 3 * S), 0);
    services_unstage(s);
    config_destroy(after);
    assert_memory_equal(rows, kept, sizeof(rows));
    assert_int_equal(moves, 0);
    assert_int_equal(services_count(s), 1);
    assert_int_equal(services_find_upstream(s, "cache"), SIZE_MAX);
    assert_ptr_equal(view_of(s, "pay").config, &before->upstreams.items[0]);
    assert_int_equal(view_of(s, "pay").breaker.state, BREAKER_FORCED_OPEN);
    services_tick(s, 4 * S);
    services_destroy(s);
    config_destroy(before);
}

static void an_agent_that_ends_leaves_the_rows(void **state)
{
    struct config *config = load_valid(two, NULL);
    struct services *s;

    memset(rows, 0, sizeof(rows));
    s = create(config, NULL);
    services_open(s, "pay", 2 * S);
    services_destroy(s);
    assert_int_equal(BREAKER_STATE_OF(rows[0].word), BREAKER_FORCED_OPEN);
    s = create(config, NULL);
    assert_int_equal(view_of(s, "pay").breaker.state, BREAKER_FORCED_OPEN);
    assert_string_equal(last_moved, "pay forced_open");
    services_destroy(s);
    config_destroy(config);
}

static void by_hand(void **state)
{
    char *environment[] = {"CIRCUIT_BREAKER_ENABLED=false", NULL};
    struct config *config = load_valid(two, NULL), *off = load_valid(two, environment);
    struct services *s;

    memset(rows, 0, sizeof(rows));
    s = create(config, NULL);
    assert_int_equal(services_open(s, "nobody", 2 * S), -ENOENT);
    assert_int_equal(services_reset(s, "nobody", 2 * S), -ENOENT);
    services_open(s, "pay", 2 * S);
    services_open(s, "db", 2 * S);
    assert_int_equal(services_close(s, "pay", 2 * S), 0);
    assert_int_equal(view_of(s, "pay").breaker.state, BREAKER_CLOSED);
    assert_int_equal(services_reset(s, NULL, 3 * S), 0);
    assert_int_equal(view_of(s, "db").breaker.state, BREAKER_CLOSED);
    reload(s, off, 4 * S);
    config_destroy(config);
    assert_int_equal(view_of(s, "pay").breaker.state, BREAKER_OFF);
    assert_string_equal(view_of(s, "pay").not_enforced, "circuit_breaker is disabled");
    assert_int_equal(services_open(s, "pay", 5 * S), -EPERM);
    services_destroy(s);
    config_destroy(off);
}

static void a_unit_is_looked_for_where_systemd_puts_it(void **state)
{
    static const struct {
        const char *unit, *paths[2];
    } cases[] = {
        {"nginx.service", {"/system.slice/nginx.service", NULL}},
        {"getty@tty1.service",
         {"/system.slice/getty@tty1.service",
          "/system.slice/system-getty.slice/getty@tty1.service"}},
        {"serial-getty@ttyS0.service",
         {"/system.slice/serial-getty@ttyS0.service",
          "/system.slice/system-serial\\x2dgetty.slice/serial-getty@ttyS0.service"}},
    };
    char path[PATH_MAX];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        for (size_t p = 0; p < 2 && cases[i].paths[p]; p++) {
            assert_true(unit_path(cases[i].unit, p, path));
            assert_string_equal(path, cases[i].paths[p]);
        }
        assert_false(unit_path(cases[i].unit, cases[i].paths[1] ? 2 : 1, path));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_known_at_first),
        cmocka_unit_test(the_kernels_trip_switches_to_the_fallback),
        cmocka_unit_test(it_is_enforced_only_while_the_kernel_does),
        cmocka_unit_test(nothing_is_enforced_once_the_lease_is_over),
        cmocka_unit_test(counters_reach_the_window_and_the_tracker),
        cmocka_unit_test(a_slow_call_counts_once_and_at_once),
        cmocka_unit_test(a_reload_keeps_who_keeps_the_name),
        cmocka_unit_test(breakers_that_open_meanwhile_find_the_new_configuration_whole),
        cmocka_unit_test(what_is_staged_and_dropped_changes_nothing),
        cmocka_unit_test(a_unit_is_looked_for_where_systemd_puts_it),
        cmocka_unit_test(an_agent_that_ends_leaves_the_rows),
        cmocka_unit_test(by_hand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
