/* What is said to be enforced is what the kernel does at this moment. */
#include "../unit/config_text.h"
#include "own_cgroup.h"
#include "probe/breaker.h"
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
    int listener;
    uint16_t port;
};

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
    cgroup_remove(s->cgroup);
    if (s->listener >= 0)
        close(s->listener);
    free(s);
    return 0;
}

static void open_scene(struct scene *s, unsigned concerns)
{
    struct live_sources sources = {.clock = clock_system(), .host = &host_default};
    char text[512];

    fixture_open(&s->probe, concerns, PROBE_AUTO);
    snprintf(text, sizeof(text),
             "{\"upstreams\":[{\"name\":\"pay\",\"address\":\"127.0.0.1:%u\",\"clients\":{"
             "\"cgroup\":\"/%s\"},\"breaker\":{\"mode\":\"forced_open\"}}]}",
             s->port, s->name);
    s->config = load_valid(text, NULL);
    assert_int_equal(loop_create(&s->loop, clock_system()), 0);
    sources.loop = s->loop;
    sources.probe = s->probe.probe;
    assert_int_equal(live_create(&s->live, &sources, &(struct live_ops){0}, s->config), 0);
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

    open_scene(s, 1u << CONCERN_REQUEST | 1u << CONCERN_BREAKER);
    assert_int_equal(view_of(s).enforcement, ENFORCEMENT_IDLE);
    assert_non_null(strstr(view_of(s).not_enforced, s->name));
    /* And not: everybody. */
    assert_true(probe_breaker_rows(s->probe.probe, &reason)[0].clients_cgroup_id == UINT64_MAX);
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
    open_scene(s, 1u << CONCERN_REQUEST | 1u << CONCERN_BREAKER);
    is_enforced(s);
    assert_true(probe_hook_attached(s->probe.probe, PROBE_HOOK_CONNECT, id, why));
    detach(s, "connect4", id);
    assert_false(probe_hook_attached(s->probe.probe, PROBE_HOOK_CONNECT, id, why));
    assert_string_equal(why, "the program cgroup/connect4 is not attached");
    assert_int_equal(connect_of_client(s), 0);
    is_enforced(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_program_that_is_off_enforces_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cgroup_that_comes_and_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_link_that_somebody_detaches, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
