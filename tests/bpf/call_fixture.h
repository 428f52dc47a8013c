/* Calls under test: a network namespace, a cgroup and a probe of the test's own. The test is its
 * own client, so it stamps the agent's row by hand with no process that passes.
 */
#ifndef MOONWATCH_TEST_CALL_FIXTURE_H
#define MOONWATCH_TEST_CALL_FIXTURE_H

#include "breaker/row.h"
#include "probe/breaker_rows.h"
#include "probe/calls.h"
#include "tcp_fixture.h"
#include <bpf/bpf.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define UPSTREAM 3 /* its index */
#define UPSTREAM_PORT own_ports.first
#define NEVER_NS (UINT64_MAX >> 1)

struct call_fixture {
    struct probe_fixture probe;
    struct packet_drop cgroup; /* the clients'; drops nothing */
    struct breaker_row *rows, *row;
    enum probe_mode mode;
};

static inline struct call_fixture *call_fixture_of(void **state)
{
    return *state;
}

static inline int call_setup(void **state)
{
    *state = NULL;
    if (geteuid() != 0)
        return 0;
    *state = calloc(1, sizeof(struct call_fixture));
    own_ports_hold();
    netns_enter();
    return 0;
}

static inline int call_teardown(void **state)
{
    struct call_fixture *f = *state;

    if (!f)
        return 0;
    fixture_close(&f->probe);
    packet_drop_close(&f->cgroup);
    free(f);
    return 0;
}

static inline void agent_stamp(struct call_fixture *f, uint64_t expires_ns, uint64_t tgid)
{
    struct breaker_agent agent = {.expires_ns = expires_ns, .tgid = tgid, .layout = BREAKER_LAYOUT};
    uint32_t zero = 0;
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/breaker_agent", f->probe.pins);
    fd = bpf_obj_get(path);
    assert_true(fd >= 0);
    assert_int_equal(bpf_map_update_elem(fd, &zero, &agent, BPF_ANY), 0);
    close(fd);
}

static inline struct upstream_address upstream_at(const char *address, unsigned bits, uint16_t port,
                                                  uint32_t upstream)
{
    struct upstream_address a = {.port = port, .upstream = upstream};

    if (inet_pton(AF_INET, address, a.addr + 12) == 1) {
        memset(a.addr + 10, 0xff, 2);
        a.prefix_bits = 96 + bits;
    } else {
        assert_int_equal(inet_pton(AF_INET6, address, a.addr), 1);
        a.prefix_bits = bits;
    }
    return a;
}

/* UPSTREAM is 127.0.0.1 and ::1 at UPSTREAM_PORT; its breaker opens at `threshold` failures. */
static inline void call_open(struct call_fixture *f, uint64_t enforce, uint64_t threshold)
{
    struct upstream_address addresses[] = {
        upstream_at("127.0.0.1", 32, UPSTREAM_PORT, UPSTREAM),
        upstream_at("::1", 128, UPSTREAM_PORT, UPSTREAM),
    };
    const char *reason = "", *cgroup;
    char error[PROBE_ERROR_BYTES] = "";

    skip_unless_root();
    fixture_open(&f->probe, 1u << CONCERN_REQUEST | 1u << CONCERN_BREAKER, f->mode);
    f->rows = probe_breaker_rows(f->probe.probe, &reason);
    if (!f->rows)
        fail_msg("%s", reason);
    f->row = &f->rows[UPSTREAM];
    f->row->clients_cgroup_id = CLIENTS_EVERYBODY;
    f->row->enforce = enforce;
    f->row->failure_threshold = threshold;
    f->row->half_open_max = 3;
    f->row->success_threshold = 3;
    agent_stamp(f, NEVER_NS, 0);
    assert_int_equal(probe_upstreams_set(f->probe.probe, addresses, 2), 0);
    if (!packet_drop_open(&f->cgroup)) {
        print_message("no cgroup v2 here\n");
        skip();
    }
    packet_drop_enter(&f->cgroup);
    cgroup = f->cgroup.cgroup;
    if (enforce && probe_hook_set(f->probe.probe, PROBE_HOOK_CONNECT, &cgroup, 1, error) < 0)
        fail_msg("%s", error);
}

static inline struct call_stats stats_of(struct call_fixture *f, uint32_t row)
{
    struct call_stats stats;

    assert_int_equal(probe_call_stats(f->probe.probe, row, &stats), 0);
    return stats;
}

static inline uint64_t failures_in(const struct call_stats *stats)
{
    uint64_t sum = 0;

    for (int i = 0; i < CALL_FAILURE_COUNT; i++)
        sum += stats->failures[i];
    return sum;
}

static inline int in_flight(struct call_fixture *f)
{
    uint64_t next_ns;

    return probe_calls_scan(f->probe.probe, NULL, NULL, &next_ns);
}

static inline void set_state(struct breaker_row *row, enum breaker_state state)
{
    assert_true(row_move(row, row->word, state));
}

static inline void put(int fd, const char *text)
{
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static inline void take(int fd)
{
    char text[4096];

    assert_true(recv(fd, text, sizeof(text), 0) > 0);
}

/* A request and its answer. */
static inline void call_once(struct pair *p)
{
    put(p->client, "request");
    take(p->server);
    put(p->server, "answer");
    take(p->client);
}

/* Waits until the figure is there, which a softirq may bring. */
#define WAIT_STATS(f, row, field, value)                                                           \
    do {                                                                                           \
        uint64_t deadline_ = monotonic_ns() + DEADLINE_NS;                                         \
                                                                                                   \
        while (stats_of((f), (row)).field < (uint64_t)(value)) {                                   \
            if (monotonic_ns() > deadline_)                                                        \
                fail_msg(#field " is %llu, not %llu",                                              \
                         (unsigned long long)stats_of((f), (row)).field,                           \
                         (unsigned long long)(value));                                             \
            poll(NULL, 0, 2);                                                                      \
        }                                                                                          \
        assert_int_equal(stats_of((f), (row)).field, (value));                                     \
    } while (0)

struct record_query {
    uint32_t type;
    uint32_t reason;
    size_t found;
    union any_record last;
};

static inline void find_records(struct call_fixture *f, struct record_query *q)
{
    assert_true(probe_drain(f->probe.probe) >= 0);
    q->found = 0;
    for (size_t i = 0; i < f->probe.count; i++) {
        const union any_record *r = &f->probe.records[i];

        if (r->head.type != q->type ||
            (r->head.type == RECORD_BREAKER ? r->breaker.reason : r->call_failed.reason) !=
                q->reason)
            continue;
        q->last = *r;
        q->found++;
    }
}

#endif
