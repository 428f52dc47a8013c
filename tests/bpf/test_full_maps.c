/* A map that is full before anything was counted in it: the row `other` is there all the same. */
#include "abi/process.h"
#include "tcp_fixture.h"
#include <sys/wait.h>

#define REFUSED_PORT 20001

static const struct {
    const char *map;
    enum probe_concern concern;
    size_t others;
} maps[] = {
    {"runq_cgroup", CONCERN_RUNQ, 1},     {"blocked_cgrp", CONCERN_RUNQ, 1},
    {"process_cgrp", CONCERN_PROCESS, 1}, {"process_short", CONCERN_PROCESS, 1},
    {"reclaim_cgrp", CONCERN_RECLAIM, 2}, {"blkio_device", CONCERN_BLKIO, 5},
    {"tcp_port", CONCERN_TCP, 2},
};

#define MAPS (sizeof(maps) / sizeof(maps[0]))

struct others {
    const struct kernel_map *map;
    size_t rows;
};

/* Of cgroup 0, device 0, port 0: the key's first word. */
static void count_other(void *ctx, const void *key, const void *values, unsigned cpus,
                        size_t stride)
{
    struct others *others = ctx;
    uint32_t first = 0;

    memcpy(&first, key,
           strcmp(others->map->name, "tcp_port") == 0 ? sizeof(uint16_t) : sizeof(first));
    others->rows += first == 0;
}

static void every_map_has_its_rows_from_the_start(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    unsigned concerns = 0;

    skip_unless_root();
    for (size_t i = 0; i < MAPS; i++)
        concerns |= 1u << maps[i].concern;
    fixture_open(&f->probe, concerns, PROBE_AUTO);
    for (size_t i = 0; i < MAPS; i++) {
        struct others others = {.map = map_find(f->probe.probe, maps[i].map)};

        assert_non_null(others.map);
        assert_true(probe_map_for_each(f->probe.probe, maps[i].map, count_other, &others) >= 0);
        if (others.rows != maps[i].others)
            fail_msg("%s has %zu rows `other`, not %zu", maps[i].map, others.rows, maps[i].others);
    }
}

/* Of keys that nothing on this host has; nobody counts meanwhile. A kernel whose allocator is not
 * refilled yet says ENOMEM, which is not full. */
static void fill(struct tcp_fixture *f, const char *name)
{
    struct probe *probe = f->probe.probe;
    const struct kernel_map *map = map_find(probe, name);
    char *zero = calloc(probe->possible_cpus, (map->value_size + 7u) & ~7u);
    uint64_t deadline = monotonic_ns() + DEADLINE_NS;
    struct program *culprit;
    bool full = false;
    char key[sizeof(struct short_key)] = {0};

    assert_non_null(zero);
    for (unsigned g = 0; g < probe->group_count; g++)
        group_detach(probe, g);
    empty_map(probe, map);
    for (uint32_t i = 1; i <= map->max_entries && !full;) {
        uint16_t port = (uint16_t)(40000 + i);

        if (map->key_size == sizeof(struct tcp_key)) {
            memcpy(key, &port, sizeof(port));
        } else {
            memcpy(key, &i, sizeof(i));
            key[7] = 0x7f;
        }
        if (bpf_map_update_elem(map->fd, key, zero, BPF_NOEXIST) == 0) {
            i++;
            continue;
        }
        full = errno == E2BIG;
        if (!full) {
            assert_int_equal(errno, ENOMEM);
            assert_true(monotonic_ns() < deadline);
            poll(NULL, 0, 1);
        }
    }
    assert_true(full);
    free(zero);
    for (unsigned g = 0; g < probe->group_count; g++)
        if (probe->groups[g].state == GROUP_ATTACHED)
            assert_int_equal(group_attach(probe, g, &culprit), 0);
}

static uint64_t drops(struct tcp_fixture *f, enum map_drop site)
{
    struct probe_view view;

    probe_view(f->probe.probe, &view);
    return view.map_drops[site];
}

static void add_forks(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    uint64_t id, forks;

    memcpy(&id, key, sizeof(id));
    for (unsigned cpu = 0; id == 0 && cpu < cpus; cpu++) {
        memcpy(&forks, (const char *)values + cpu * stride + offsetof(struct process_stats, forks),
               sizeof(forks));
        *(uint64_t *)ctx += forks;
    }
}

/* Where a hypervisor's own threads are hidden from BPF, what is counted in their interrupts is not
 * seen: the tests go on until enough was. */
static void what_finds_no_row_is_in_other(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    uint64_t dropped, deadline = monotonic_ns() + DEADLINE_NS;
    struct tcp_stats other;

    tcp_open(f);
    fill(f, "tcp_port");
    dropped = drops(f, MAP_DROP_TCP_PORT);
    other = row_of(f, TCP_CLIENT, 0);
    do {
        assert_true(monotonic_ns() < deadline);
        assert_int_equal(connect_to("127.0.0.1", REFUSED_PORT, NULL), ECONNREFUSED);
    } while (row_of(f, TCP_CLIENT, 0).connects_failed[CONNECT_REFUSED] <
             other.connects_failed[CONNECT_REFUSED] + 5);
    assert_true(drops(f, MAP_DROP_TCP_PORT) >= dropped + 5);
    assert_int_equal(row_of(f, TCP_CLIENT, REFUSED_PORT).connects_failed[CONNECT_REFUSED], 0);
}

static void add_short(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    static const struct short_key other;
    struct short_stats stats;

    for (unsigned cpu = 0; memcmp(key, &other, sizeof(other)) == 0 && cpu < cpus; cpu++) {
        memcpy(&stats, (const char *)values + cpu * stride, sizeof(stats));
        *(uint64_t *)ctx += stats.processes;
    }
}

static uint64_t short_in_other(struct tcp_fixture *f)
{
    uint64_t processes = 0;

    assert_true(probe_map_for_each(f->probe.probe, "process_short", add_short, &processes) > 0);
    return processes;
}

static void likewise_those_that_no_snapshot_saw(void **state)
{
    uint64_t before, dropped, deadline = monotonic_ns() + DEADLINE_NS;
    struct tcp_fixture *f = tcp_fixture_of(state);

    skip_unless_root();
    fixture_open(&f->probe, 1u << CONCERN_PROCESS, PROBE_AUTO);
    fill(f, "process_short");
    before = short_in_other(f);
    dropped = drops(f, MAP_DROP_PROCESS_SHORT);
    /* The kernel frees an ended task a moment later. */
    while (short_in_other(f) < before + 5) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_true(monotonic_ns() < deadline);
        poll(NULL, 0, 10);
    }
    assert_true(drops(f, MAP_DROP_PROCESS_SHORT) >= dropped + 5);
}

static void likewise_processes(void **state)
{
    struct tcp_fixture *f = tcp_fixture_of(state);
    uint64_t before = 0, after = 0, dropped;

    skip_unless_root();
    fixture_open(&f->probe, 1u << CONCERN_PROCESS, PROBE_AUTO);
    fill(f, "process_cgrp");
    assert_true(probe_map_for_each(f->probe.probe, "process_cgrp", add_forks, &before) > 0);
    dropped = drops(f, MAP_DROP_PROCESS_CGROUP);
    for (int i = 0; i < 5; i++) {
        pid_t pid = fork();

        if (pid == 0)
            _exit(0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
    assert_true(probe_map_for_each(f->probe.probe, "process_cgrp", add_forks, &after) > 0);
    assert_true(after >= before + 5);
    assert_true(drops(f, MAP_DROP_PROCESS_CGROUP) >= dropped + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_map_has_its_rows_from_the_start, tcp_setup,
                                        tcp_teardown),
        cmocka_unit_test_setup_teardown(what_finds_no_row_is_in_other, tcp_setup, tcp_teardown),
        cmocka_unit_test_setup_teardown(likewise_processes, tcp_setup, tcp_teardown),
        cmocka_unit_test_setup_teardown(likewise_those_that_no_snapshot_saw, tcp_setup,
                                        tcp_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
