/* A reload while a breaker opens: what is done about it is the new configuration's. */
#include "../unit/config_text.h"
#include "own_cgroup.h"
#include "probe/breaker_rows.h"
#include "probe_fixture.h"
#include "service/live.h"

struct scene {
    struct probe_fixture probe;
    struct loop *loop;
    struct live *live;
    struct config *before, *after;
    char cgroup[128], name[48];
    int opened;
};

static void on_breaker(void *ctx, const char *upstream, const struct breaker_transition *t)
{
    struct scene *s = ctx;

    s->opened += t->to == BREAKER_OPEN;
    assert_string_equal(upstream, "pay");
}

static struct config *with_upstreams(const struct scene *s, const char *const *names)
{
    char text[4096];
    int len = snprintf(text, sizeof(text), "{\"upstreams\":[");

    for (size_t i = 0; names[i]; i++)
        len += snprintf(text + len, sizeof(text) - (size_t)len,
                        "%s{\"name\":\"%s\",\"address\":\"127.9.9.9:%zu\",\"clients\":{\"cgroup\":"
                        "\"/%s\"},\"breaker\":{\"mode\":\"enforce\",\"on_open\":\"close\"}}",
                        i ? "," : "", names[i], 1000 + i, s->name);
    snprintf(text + len, sizeof(text) - (size_t)len, "]}");
    return load_valid(text, NULL);
}

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof(*s));
    char mount[64];

    *state = s;
    skip_unless_root();
    if (!cgroup_mount(NULL, mount, sizeof(mount)))
        skip();
    snprintf(s->name, sizeof(s->name), "moonwatch-test-%d", getpid());
    snprintf(s->cgroup, sizeof(s->cgroup), "%s/%s", mount, s->name);
    assert_true(cgroup_make(s->cgroup));
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    live_destroy(s->live);
    loop_destroy(s->loop);
    config_destroy(s->before);
    config_destroy(s->after);
    fixture_destroy(&s->probe);
    cgroup_remove(s->cgroup);
    free(s);
    return 0;
}

static void open_scene(struct scene *s, const char *const *before, const char *const *after)
{
    const struct live_ops ops = {.breaker_moved = on_breaker, .ctx = s};
    struct live_sources sources = {.clock = clock_system(), .host = &host_default};

    fixture_open(&s->probe, 1u << CONCERN_REQUEST | 1u << CONCERN_BREAKER, PROBE_AUTO);
    s->before = with_upstreams(s, before);
    s->after = with_upstreams(s, after);
    assert_int_equal(loop_create(&s->loop, clock_system()), 0);
    sources.loop = s->loop;
    sources.probe = s->probe.probe;
    assert_int_equal(live_create(&s->live, &sources, &ops, s->before), 0);
}

/* As the kernel does it, when the agent does not look. */
static void open_row(struct scene *s, const char *upstream)
{
    struct services *services = live_services(s->live);
    size_t row = services_row(services, services_find_upstream(services, upstream));
    const char *reason;
    struct breaker_row *rows = probe_breaker_rows(s->probe.probe, &reason);

    assert_non_null(rows);
    rows[row].word = BREAKER_WORD(BREAKER_EPOCH_OF(rows[row].word) + 1, BREAKER_OPEN);
}

static void open_between(struct scene *s)
{
    assert_int_equal(live_stage(s->live, s->after), 0);
    open_row(s, "pay");
    live_commit(s->live);
    /* Whoever still looks there has its use after free. */
    config_destroy(s->before);
    s->before = NULL;
    live_tell(s->live);
    assert_int_equal(s->opened, 1);
    live_tick(s->live, NULL, monotonic_ns());
}

static void one_that_stands_further_back_now(void **state)
{
    struct scene *s = *state;

    open_scene(s, (const char *const[]){"pay", NULL},
               (const char *const[]){"a", "b", "c", "pay", NULL});
    open_between(s);
}

static void one_whose_neighbours_are_gone(void **state)
{
    struct scene *s = *state;

    open_scene(s, (const char *const[]){"a", "b", "c", "pay", NULL},
               (const char *const[]){"pay", NULL});
    open_between(s);
}

static void one_that_opened_before_the_reload(void **state)
{
    struct scene *s = *state;

    open_scene(s, (const char *const[]){"pay", "a", NULL},
               (const char *const[]){"a", "b", "c", "pay", NULL});
    open_row(s, "pay");
    assert_int_equal(live_stage(s->live, s->after), 0);
    assert_int_equal(s->opened, 1);
    live_unstage(s->live);
    live_tick(s->live, NULL, monotonic_ns());
    assert_int_equal(services_upstream_count(live_services(s->live)), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_that_stands_further_back_now, setup, teardown),
        cmocka_unit_test_setup_teardown(one_whose_neighbours_are_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_opened_before_the_reload, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
