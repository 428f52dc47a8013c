/* What is said to be enforced is what the kernel does at this moment. */
#include "../unit/config_text.h"
#include "foreign_program.h"
#include "own_cgroup.h"
#include "probe/breaker_rows.h"
#include "probe_fixture.h"
#include "service/live.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <inttypes.h>
#include <sys/wait.h>

struct scene {
    struct probe_fixture probe;
    struct loop *loop;
    struct live *live;
    struct config *config;
    char cgroup[128], name[48];
    enum enforcement awaited;
    bool without_ticks;
    uint64_t deadline_ns;
    int listener;
    uint16_t port;
};

#define CHILD "/in"

static bool ends_in_child(const char *path)
{
    size_t len = strlen(path);

    return len > strlen(CHILD) && strcmp(path + len - strlen(CHILD), CHILD) == 0;
}

static int setup(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    struct scene *s = calloc(1, sizeof(*s));
    socklen_t len = sizeof(address);
    char mount[64];

    *state = s;
    s->listener = -1;
    skip_unless_root();
    if (!cgroup_mount(NULL, mount, sizeof(mount)))
        skip();
    snprintf(s->name, sizeof(s->name), "moonwatch-enforcement-%d", getpid());
    snprintf(s->cgroup, sizeof(s->cgroup), "%s/%s", mount, s->name);
    s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(s->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(s->listener, 16), 0);
    assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &len), 0);
    s->port = ntohs(address.sin_port);
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;

    live_destroy(s->live);
    loop_destroy(s->loop);
    config_destroy(s->config);
    fixture_destroy(&s->probe);
    for (bool more = true; more;) {
        cgroup_remove(s->cgroup);
        more = ends_in_child(s->cgroup);
        if (more)
            s->cgroup[strlen(s->cgroup) - strlen(CHILD)] = '\0';
    }
    if (s->listener >= 0)
        close(s->listener);
    free(s);
    return 0;
}

#define BOTH (1u << CONCERN_REQUEST | 1u << CONCERN_BREAKER)

/* The first upstream has what `more` says, from after its clients on. */
static void open_upstream(struct scene *s, unsigned concerns, const char *more, ...)
{
    struct live_sources sources = {.clock = clock_system(), .host = &host_default};
    char text[1024];
    va_list args;
    int len;

    fixture_open(&s->probe, concerns, PROBE_AUTO);
    len = snprintf(text, sizeof(text),
                   "{\"upstreams\":[{\"name\":\"pay\",\"clients\":{\"cgroup\":\"/%s\"},", s->name);
    va_start(args, more);
    vsnprintf(text + len, sizeof(text) - (size_t)len, more, args);
    va_end(args);
    s->config = load_valid(text, NULL);
    assert_int_equal(loop_create(&s->loop, clock_system()), 0);
    sources.loop = s->loop;
    sources.probe = s->probe.probe;
    assert_int_equal(live_create(&s->live, &sources, &(struct live_ops){0}, s->config), 0);
}

static void open_scene(struct scene *s, unsigned concerns)
{
    open_upstream(s, concerns,
                  "\"address\":\"127.0.0.1:%u\",\"breaker\":{\"mode\":\"forced_open\"}}]}",
                  s->port);
}

static struct upstream_view view_of(struct scene *s)
{
    struct upstream_view view;

    services_upstream(live_services(s->live), 0, monotonic_ns(), &view);
    return view;
}

/* What a client's connect() comes to; the agent's own would pass. */
static int connect_of_client(const struct scene *s)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(s->port), .sin_addr.s_addr = htonl(0x7f000001)};
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        /* A socket stays in the cgroup it was made in. */
        int fd = cgroup_write(s->cgroup, "cgroup.procs", "0")
                     ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)
                     : -1;

        if (fd < 0)
            _exit(255);
        _exit(connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void is_enforced(struct scene *s)
{
    struct upstream_view view;

    live_tick(s->live, NULL, monotonic_ns());
    view = view_of(s);
    if (view.not_enforced)
        fail_msg("%s", view.not_enforced);
    assert_int_equal(view.enforcement, ENFORCEMENT_ACTIVE);
    assert_int_equal(connect_of_client(s), ECONNREFUSED);
}

static void a_program_that_is_off_enforces_nothing(void **state)
{
    struct scene *s = *state;

    assert_true(cgroup_make(s->cgroup));
    open_scene(s, 1u << CONCERN_REQUEST);
    assert_int_equal(view_of(s).enforcement, ENFORCEMENT_FAILED);
    assert_non_null(strstr(view_of(s).not_enforced, "is not loaded: off by configuration"));
    assert_int_equal(connect_of_client(s), 0);
}

static void a_cgroup_that_comes_and_goes(void **state)
{
    struct scene *s = *state;
    const char *reason;

    open_scene(s, BOTH);
    assert_int_equal(view_of(s).enforcement, ENFORCEMENT_IDLE);
    assert_non_null(strstr(view_of(s).not_enforced, s->name));
    /* And not: everybody. */
    assert_true(probe_breaker_rows(s->probe.probe, &reason)[0].clients_cgroup_id == 0);
    for (int i = 0; i < 2; i++) {
        assert_true(cgroup_make(s->cgroup));
        is_enforced(s);
        cgroup_remove(s->cgroup);
        live_tick(s->live, NULL, monotonic_ns());
        assert_int_equal(view_of(s).enforcement, ENFORCEMENT_IDLE);
    }
    /* Made again between two looks: it has the name and is another. */
    assert_true(cgroup_make(s->cgroup));
    is_enforced(s);
    cgroup_remove(s->cgroup);
    assert_true(cgroup_make(s->cgroup));
    is_enforced(s);
}

static struct upstream_view view_of_next(struct scene *s, size_t index)
{
    struct upstream_view view;

    services_upstream(live_services(s->live), index, monotonic_ns(), &view);
    return view;
}

static void each_upstream_has_clients_of_its_own(void **state)
{
    struct scene *s = *state;

    assert_true(cgroup_make(s->cgroup));
    open_upstream(s, BOTH,
                  "\"address\":\"127.0.0.1:%u\",\"breaker\":{\"mode\":\"forced_open\"}},"
                  "{\"name\":\"missing\",\"clients\":{\"cgroup\":\"/%s-not\"},"
                  "\"address\":\"127.0.0.2:%u\",\"breaker\":{\"mode\":\"forced_open\"}},"
                  "{\"name\":\"same\",\"clients\":{\"cgroup\":\"/%s\"},"
                  "\"address\":\"127.0.0.3:%u\",\"breaker\":{\"mode\":\"forced_open\"}}]}",
                  s->port, s->name, s->port, s->name, s->port);
    is_enforced(s);
    assert_int_equal(view_of_next(s, 1).enforcement, ENFORCEMENT_IDLE);
    assert_non_null(strstr(view_of_next(s, 1).not_enforced, "-not"));
    assert_int_equal(view_of_next(s, 2).enforcement, ENFORCEMENT_ACTIVE);
}

static void a_row_that_somebody_changes(void **state)
{
    struct scene *s = *state;
    struct breaker_row *row;
    const char *reason;

    assert_true(cgroup_make(s->cgroup));
    open_scene(s, BOTH);
    row = probe_breaker_rows(s->probe.probe, &reason);
    is_enforced(s);
    row->clients_level = 7;
    assert_int_equal(connect_of_client(s), 0);
    is_enforced(s);
    row->clients_cgroup_id = 7;
    assert_int_equal(connect_of_client(s), 0);
    is_enforced(s);
}

static void detach(const struct scene *s, const char *program, uint64_t id)
{
    char path[256];
    int fd;

    snprintf(path, sizeof(path), "%s/%s_%" PRIu64, s->probe.pins, program, id);
    fd = bpf_obj_get(path);
    assert_true(fd >= 0);
    assert_int_equal(bpf_link_detach(fd), 0);
    close(fd);
}

static void a_link_that_somebody_detaches(void **state)
{
    struct scene *s = *state;
    char why[PROBE_ERROR_BYTES] = "";
    uint64_t id;

    id = cgroup_make(s->cgroup);
    open_scene(s, BOTH);
    is_enforced(s);
    assert_true(probe_hook_attached(s->probe.probe, PROBE_HOOK_CONNECT, id, why));
    detach(s, "connect4", id);
    assert_false(probe_hook_attached(s->probe.probe, PROBE_HOOK_CONNECT, id, why));
    assert_string_equal(why, "the program cgroup/connect4 is not attached");
    assert_int_equal(connect_of_client(s), 0);
    is_enforced(s);
}

#define KERNEL_LIMIT 64 /* programs of one type at one cgroup */

static void not_even_half_is_enforced(struct scene *s, const char *reason)
{
    for (int i = 0; i < 3; i++) {
        live_tick(s->live, NULL, monotonic_ns());
        assert_int_equal(view_of(s).enforcement, ENFORCEMENT_FAILED);
        assert_non_null(strstr(view_of(s).not_enforced, "cgroup/connect6"));
        assert_non_null(strstr(view_of(s).not_enforced, s->name));
        assert_non_null(strstr(view_of(s).not_enforced, reason));
        assert_int_equal(programs_at(s->cgroup, BPF_CGROUP_INET4_CONNECT), 0);
        assert_int_equal(connect_of_client(s), 0);
    }
}

static void a_cgroup_without_room_for_one_of_the_programs(void **state)
{
    struct scene *s = *state;
    int foreign[KERNEL_LIMIT];

    assert_true(cgroup_make(s->cgroup));
    assert_int_equal(foreign_programs_attach(s->cgroup, BPF_CGROUP_INET6_CONNECT, BPF_F_ALLOW_MULTI,
                                             KERNEL_LIMIT, foreign),
                     KERNEL_LIMIT);
    open_scene(s, BOTH);
    not_even_half_is_enforced(s, "64 programs are attached there, the most that the kernel takes");
    foreign_programs_detach(s->cgroup, BPF_CGROUP_INET6_CONNECT, KERNEL_LIMIT, foreign);
    is_enforced(s);
}

static void a_program_that_shares_its_place_with_none(void **state)
{
    struct scene *s = *state;
    int foreign;

    assert_true(cgroup_make(s->cgroup));
    open_scene(s, BOTH);
    is_enforced(s);
    cgroup_remove(s->cgroup);
    assert_true(cgroup_make(s->cgroup));
    assert_int_equal(foreign_programs_attach(s->cgroup, BPF_CGROUP_INET6_CONNECT, 0, 1, &foreign),
                     1);
    not_even_half_is_enforced(s, "is attached without BPF_F_ALLOW_MULTI");
    foreign_programs_detach(s->cgroup, BPF_CGROUP_INET6_CONNECT, 1, &foreign);
    is_enforced(s);
}

/* From now on the scene is there; teardown() removes them all. */
static void make_child(struct scene *s)
{
    snprintf(s->cgroup + strlen(s->cgroup), sizeof(s->cgroup) - strlen(s->cgroup), CHILD);
    assert_true(cgroup_make(s->cgroup));
}

/* Below ours a program cannot switch ours off, and ours switches off none that is above. */
static void programs_that_may_be_overridden(void **state)
{
    struct scene *s = *state;
    char outer[sizeof(s->cgroup)];
    int foreign;

    snprintf(outer, sizeof(outer), "%s", s->cgroup);
    assert_true(cgroup_make(outer));
    assert_int_equal(
        foreign_programs_attach(outer, BPF_CGROUP_INET6_CONNECT, BPF_F_ALLOW_OVERRIDE, 1, &foreign),
        1);
    snprintf(s->name + strlen(s->name), sizeof(s->name) - strlen(s->name), CHILD);
    make_child(s);
    open_scene(s, BOTH);
    not_even_half_is_enforced(s, "is attached without BPF_F_ALLOW_MULTI");
    foreign_programs_detach(outer, BPF_CGROUP_INET6_CONNECT, 1, &foreign);
    is_enforced(s);

    make_child(s);
    assert_int_equal(foreign_programs_attach(s->cgroup, BPF_CGROUP_INET4_CONNECT,
                                             BPF_F_ALLOW_OVERRIDE, 1, &foreign),
                     1);
    is_enforced(s);
    foreign_programs_detach(s->cgroup, BPF_CGROUP_INET4_CONNECT, 1, &foreign);
}

static void a_program_that_somebody_replaces(void **state)
{
    struct scene *s = *state;
    char why[PROBE_ERROR_BYTES] = "", path[256];
    int foreign, link;
    uint64_t id;

    id = cgroup_make(s->cgroup);
    open_scene(s, BOTH);
    is_enforced(s);
    snprintf(path, sizeof(path), "%s/connect4_%" PRIu64, s->probe.pins, id);
    link = bpf_obj_get(path);
    foreign = foreign_program_load(BPF_CGROUP_INET4_CONNECT);
    assert_true(link >= 0 && foreign >= 0);
    assert_int_equal(bpf_link_update(link, foreign, NULL), 0);
    close(link);
    close(foreign);
    assert_int_equal(connect_of_client(s), 0);
    assert_false(probe_hook_attached(s->probe.probe, PROBE_HOOK_CONNECT, id, why));
    assert_non_null(strstr(why, "cgroup/connect4 was replaced at its link by another"));
    is_enforced(s);
}

static void on_step(void *ctx, uint64_t now_ns)
{
    struct scene *s = ctx;

    if (!s->without_ticks)
        live_tick(s->live, NULL, now_ns);
    if (view_of(s).enforcement == s->awaited || now_ns > s->deadline_ns)
        loop_stop(s->loop);
}

/* Names are resolved meanwhile. */
static void becomes(struct scene *s, enum enforcement enforcement, const char *why)
{
    struct loop_source *steps;

    s->awaited = enforcement;
    s->deadline_ns = monotonic_ns() + DEADLINE_NS;
    assert_int_equal(loop_add_timer(s->loop, &steps, 2 * NS_PER_MS, on_step, s), 0);
    assert_int_equal(loop_run(s->loop), 0);
    loop_remove(steps);
    assert_int_equal(view_of(s).enforcement, enforcement);
    if (why && !strstr(view_of(s).not_enforced, why))
        fail_msg("%s", view_of(s).not_enforced);
}

static void a_cgroup_is_followed_between_ticks(void **state)
{
    struct scene *s = *state;

    open_scene(s, BOTH);
    s->without_ticks = true;
    for (int i = 0; i < 2; i++) {
        becomes(s, ENFORCEMENT_IDLE, ": nobody is a client");
        assert_true(cgroup_make(s->cgroup));
        becomes(s, ENFORCEMENT_ACTIVE, NULL);
        assert_int_equal(connect_of_client(s), ECONNREFUSED);
        cgroup_remove(s->cgroup);
    }
}

static void an_address_of_two_that_is_not_known(void **state)
{
    static const char why[] = "1 of 2 addresses is not enforced: name.invalid: ";
    struct scene *s = *state;

    setenv("RES_OPTIONS", "timeout:1 attempts:1", 1);
    assert_true(cgroup_make(s->cgroup));
    open_upstream(s, BOTH,
                  "\"address\":[\"127.0.0.1:%u\",\"name.invalid:%u\"],\"breaker\":{\"mode\":"
                  "\"forced_open\"}}]}",
                  s->port, s->port);
    live_tick(s->live, NULL, monotonic_ns());
    assert_int_equal(view_of(s).enforcement, ENFORCEMENT_PENDING);
    becomes(s, ENFORCEMENT_IDLE, why);
    assert_true(view_of(s).acts);
    assert_int_equal(connect_of_client(s), ECONNREFUSED);
}

static void an_address_that_another_upstream_has(void **state)
{
    struct scene *s = *state;

    assert_true(cgroup_make(s->cgroup));
    open_upstream(s, BOTH,
                  "\"address\":\"127.0.0.1:%u\",\"breaker\":{\"mode\":\"forced_open\"}},"
                  "{\"name\":\"other\",\"address\":\"localhost:%u\"}]}",
                  s->port, s->port);
    becomes(s, ENFORCEMENT_IDLE,
            "127.0.0.1: upstream \"other\" has that address too, and its breaker decides");
    assert_false(view_of(s).acts);
    assert_int_equal(connect_of_client(s), 0);
}

static void an_address_that_somebody_removes(void **state)
{
    struct scene *s = *state;
    struct upstream_key key;
    char path[256];
    int map;

    assert_true(cgroup_make(s->cgroup));
    open_scene(s, BOTH);
    is_enforced(s);
    snprintf(path, sizeof(path), "%s/upstream_host", s->probe.pins);
    map = bpf_obj_get(path);
    assert_true(map >= 0);
    assert_int_equal(bpf_map_get_next_key(map, NULL, &key), 0);
    assert_int_equal(bpf_map_delete_elem(map, &key), 0);
    close(map);
    assert_int_equal(connect_of_client(s), 0);
    is_enforced(s);
}

/* What is open is refused, and statuses open nothing. */
static void statuses_that_cannot_be_read(void **state)
{
    struct scene *s = *state;
    int foreign[KERNEL_LIMIT];

    assert_true(cgroup_make(s->cgroup));
    assert_int_equal(foreign_programs_attach(s->cgroup, BPF_CGROUP_INET_INGRESS, BPF_F_ALLOW_MULTI,
                                             KERNEL_LIMIT, foreign),
                     KERNEL_LIMIT);
    open_upstream(s, BOTH,
                  "\"kind\":\"http\",\"read_status\":true,\"address\":\"127.0.0.1:%u\","
                  "\"breaker\":{\"mode\":\"enforce\"}}]}",
                  s->port);
    becomes(s, ENFORCEMENT_FAILED, "HTTP statuses are not read, and open nothing: cgroup_skb/in");
    assert_true(view_of(s).acts);
    foreign_programs_detach(s->cgroup, BPF_CGROUP_INET_INGRESS, KERNEL_LIMIT, foreign);
    live_tick(s->live, NULL, monotonic_ns());
    assert_null(view_of(s).not_enforced);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_program_that_is_off_enforces_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cgroup_that_comes_and_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cgroup_is_followed_between_ticks, setup, teardown),
        cmocka_unit_test_setup_teardown(each_upstream_has_clients_of_its_own, setup, teardown),
        cmocka_unit_test_setup_teardown(a_row_that_somebody_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_link_that_somebody_detaches, setup, teardown),
        cmocka_unit_test_setup_teardown(a_program_that_somebody_replaces, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cgroup_without_room_for_one_of_the_programs, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_program_that_shares_its_place_with_none, setup, teardown),
        cmocka_unit_test_setup_teardown(programs_that_may_be_overridden, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_of_two_that_is_not_known, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_that_another_upstream_has, setup, teardown),
        cmocka_unit_test_setup_teardown(an_address_that_somebody_removes, setup, teardown),
        cmocka_unit_test_setup_teardown(statuses_that_cannot_be_read, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
