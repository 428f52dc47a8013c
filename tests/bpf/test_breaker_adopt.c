/* An agent that is killed while a breaker is open: what stays in force, and what the next takes
 * over.
 *
 * The agent is a child; the test makes no probe of its own until it is dead.
 */
#include "call_fixture.h"

static pid_t agent;

/* A child that is an agent with the breaker open, until it is killed. */
static void start_agent(struct call_fixture *f)
{
    char pins[64];
    int ready[2];
    char said = 0;

    assert_int_equal(pipe(ready), 0);
    snprintf(pins, sizeof(pins), "/sys/fs/bpf/moonwatch-test-%d", getpid());
    agent = fork();
    assert_true(agent >= 0);
    if (agent == 0) {
        struct probe_ops ops = {0};
        struct probe_config config = {
            .ring_bytes = 1 << 16, .cgroups_max = 16, .pin_directory = pins};
        struct upstream_address address = upstream_at("127.0.0.1", 32, UPSTREAM_PORT, UPSTREAM);
        const char *reason = "", *cgroup = f->cgroup.cgroup;
        char error[PROBE_ERROR_BYTES];
        struct breaker_row *rows;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (int c = 0; c < CONCERN_COUNT; c++)
            config.mode[c] = c == CONCERN_REQUEST || c == CONCERN_BREAKER ? PROBE_AUTO : PROBE_OFF;
        if (probe_create(&f->probe.probe, &config, clock_system(), &ops, error) < 0)
            _exit(1);
        rows = probe_breaker_rows(f->probe.probe, &reason);
        if (!rows || probe_breaker_adopted(f->probe.probe))
            _exit(2);
        rows[UPSTREAM].clients_cgroup_id = CLIENTS_EVERYBODY;
        rows[UPSTREAM].enforce = 1;
        rows[UPSTREAM].half_open_max = 1;
        if (!row_move(&rows[UPSTREAM], 0, BREAKER_OPEN) ||
            probe_upstreams_set(f->probe.probe, &address, 1) < 0 ||
            probe_breaker_heartbeat(f->probe.probe, NEVER_NS) < 0 ||
            probe_hook_set(f->probe.probe, PROBE_HOOK_CONNECT, &cgroup, 1, error) < 0)
            _exit(3);
        if (write(ready[1], "1", 1) != 1)
            _exit(4);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &said, 1), 1);
    close(ready[0]);
}

static void kill_agent(void)
{
    kill(agent, SIGKILL);
    assert_int_equal(waitpid(agent, NULL, 0), agent);
    agent = 0;
}

static int try(void)
{
    return connect_to("127.0.0.1", UPSTREAM_PORT, NULL);
}

static void begin(struct call_fixture *f)
{
    skip_unless_root();
    if (!packet_drop_open(&f->cgroup)) {
        print_message("no cgroup v2 here\n");
        skip();
    }
    packet_drop_enter(&f->cgroup);
    start_agent(f);
}

static int teardown(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    char pins[128];

    if (agent > 0)
        kill_agent();
    if (f && !f->probe.probe && geteuid() == 0) {
        /* What the child has pinned goes with the next one that is closed in order. */
        fixture_open(&f->probe, 0, PROBE_AUTO);
    }
    if (f)
        fixture_destroy(&f->probe);
    call_teardown(state);
    snprintf(pins, sizeof(pins), "/sys/fs/bpf/moonwatch-test-%d", getpid());
    assert_int_equal(access(pins, F_OK), -1);
    return 0;
}

static void open_next(struct call_fixture *f)
{
    const char *reason = "";

    fixture_open(&f->probe, 1u << CONCERN_REQUEST | 1u << CONCERN_BREAKER, PROBE_AUTO);
    f->rows = probe_breaker_rows(f->probe.probe, &reason);
    assert_non_null(f->rows);
    f->row = &f->rows[UPSTREAM];
}

static void the_next_agent_goes_on_where_the_killed_one_was(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    char error[PROBE_ERROR_BYTES] = "", other[300];
    const char *cgroup = f ? f->cgroup.cgroup : NULL;
    struct probe_view view;
    int listener;

    begin(f);
    listener = listen_at("127.0.0.1", UPSTREAM_PORT, 8);
    assert_int_equal(try(), ECONNREFUSED);
    kill_agent();
    assert_int_equal(try(), ECONNREFUSED);
    open_next(f);
    assert_true(probe_breaker_adopted(f->probe.probe));
    probe_view(f->probe.probe, &view);
    assert_true(view.pins_taken_over >= 5);
    assert_int_equal(f->row->word, BREAKER_WORD(1, BREAKER_OPEN));
    assert_int_equal(f->row->refused_total, 2);
    assert_int_equal(try(), ECONNREFUSED); /* by the program of the dead */
    assert_int_equal(probe_hook_set(f->probe.probe, PROBE_HOOK_CONNECT, &cgroup, 1, error), 0);
    assert_int_equal(try(), ECONNREFUSED);
    assert_int_equal(f->row->refused_total, 4);
    /* The new program and the new socket storage go together: a probe's outcome counts. */
    agent_stamp(f, NEVER_NS, 0);
    set_state(f->row, BREAKER_HALF_OPEN);
    assert_int_equal(try(), 0);
    assert_int_equal(f->row->half_open_successes, 1);
    assert_int_equal(try(), ECONNREFUSED);
    /* Another cgroup instead. */
    set_state(f->row, BREAKER_OPEN);
    snprintf(other, sizeof(other), "%s/below", f->cgroup.cgroup);
    assert_true(cgroup_make(other) != 0);
    cgroup = other;
    assert_int_equal(probe_hook_set(f->probe.probe, PROBE_HOOK_CONNECT, &cgroup, 1, error), 0);
    assert_int_equal(try(), 0);
    fixture_destroy(&f->probe);
    cgroup_remove(other);
    close(listener);
}

static void connects_pass_when_the_heartbeat_has_expired(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    int listener;

    begin(f);
    listener = listen_at("127.0.0.1", UPSTREAM_PORT, 8);
    kill_agent();
    assert_int_equal(try(), ECONNREFUSED);
    snprintf(f->probe.pins, sizeof(f->probe.pins), "/sys/fs/bpf/moonwatch-test-%d", getpid());
    agent_stamp(f, monotonic_ns(), 0);
    assert_int_equal(try(), 0);
    close(listener);
}

static void a_clean_stop_ends_enforcement(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    int listener;

    begin(f);
    listener = listen_at("127.0.0.1", UPSTREAM_PORT, 8);
    kill_agent();
    open_next(f);
    assert_int_equal(try(), ECONNREFUSED);
    fixture_destroy(&f->probe);
    assert_int_equal(try(), 0);
    close(listener);
}

static void another_layout_is_not_taken_over(void **state)
{
    struct breaker_agent stamp = {.expires_ns = NEVER_NS, .layout = BREAKER_LAYOUT + 1};
    struct call_fixture *f = call_fixture_of(state);
    uint32_t zero = 0;
    char path[128];
    int listener, fd;

    begin(f);
    listener = listen_at("127.0.0.1", UPSTREAM_PORT, 8);
    kill_agent();
    snprintf(path, sizeof(path), "/sys/fs/bpf/moonwatch-test-%d/breaker_agent", getpid());
    fd = bpf_obj_get(path);
    assert_true(fd >= 0);
    assert_int_equal(bpf_map_update_elem(fd, &zero, &stamp, BPF_ANY), 0);
    close(fd);
    open_next(f);
    assert_false(probe_breaker_adopted(f->probe.probe));
    assert_int_equal(f->row->word, 0);
    assert_int_equal(try(), 0);
    close(listener);
}

static void without_breakers_the_next_agent_ends_them(void **state)
{
    struct call_fixture *f = call_fixture_of(state);
    int listener;

    begin(f);
    listener = listen_at("127.0.0.1", UPSTREAM_PORT, 8);
    kill_agent();
    fixture_open(&f->probe, 1u << CONCERN_REQUEST, PROBE_AUTO);
    assert_int_equal(try(), 0);
    close(listener);
}

#define SEPARATE(test) cmocka_unit_test_setup_teardown(test, call_setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SEPARATE(the_next_agent_goes_on_where_the_killed_one_was),
        SEPARATE(connects_pass_when_the_heartbeat_has_expired),
        SEPARATE(a_clean_stop_ends_enforcement),
        SEPARATE(another_layout_is_not_taken_over),
        SEPARATE(without_breakers_the_next_agent_ends_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
