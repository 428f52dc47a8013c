/* The kernel side under test: a probe with pins of its own, and the records it hands over. */
#ifndef MOONWATCH_TEST_PROBE_FIXTURE_H
#define MOONWATCH_TEST_PROBE_FIXTURE_H

#include "kept_probe.h"
#include "probe/map.h"
#include "probe/probe.h"
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Against hanging, on however busy a machine. */
#define DEADLINE_NS (60 * NS_PER_SECOND)
#define RECORDS_KEPT 4096

union any_record {
    struct record_head head;
    struct record_slow_wait slow_wait;
    struct record_exit exit;
    struct record_oom oom;
    struct record_stall stall;
    struct record_connect_failed connect_failed;
    struct record_breaker breaker;
    struct record_call_failed call_failed;
};

struct probe_fixture {
    struct probe *probe;
    char pins[64];
    size_t count; /* of records kept */
    union any_record *records;
};

static inline uint64_t monotonic_ns(void)
{
    return clock_monotonic_ns(clock_system());
}

static inline void fixture_on_record(void *ctx, const struct record_head *record, size_t size)
{
    struct probe_fixture *f = ctx;

    assert_true(size <= sizeof(union any_record));
    assert_true(f->count < RECORDS_KEPT);
    memcpy(&f->records[f->count++], record, size);
}

static inline void skip_unless_root(void)
{
    if (geteuid() != 0) {
        print_message("needs root to load programs into the kernel\n");
        skip();
    }
}

/* Only the concerns whose bit is set in `concerns`, each in `mode`; where to keep pins, how much to
 * keep and which modes are filled in here, the rest of `config` is the test's. */
static inline void fixture_open_with(struct probe_fixture *f, struct probe_config config,
                                     unsigned concerns, enum probe_mode mode)
{
    struct probe_ops ops = {.on_record = fixture_on_record, .ctx = f};
    char error[PROBE_ERROR_BYTES] = "";

    memset(f, 0, sizeof(*f));
    f->records = calloc(RECORDS_KEPT, sizeof(*f->records));
    assert_non_null(f->records);
    snprintf(f->pins, sizeof(f->pins), "/sys/fs/bpf/moonwatch-test-%d", getpid());
    config.pin_directory = f->pins;
    config.ring_bytes = 1 << 20;
    config.cgroups_max = 1024;
    for (unsigned c = 0; c < CONCERN_COUNT; c++)
        config.mode[c] = concerns & 1u << c ? mode : PROBE_OFF;
    f->probe = kept_probe_take(&config, &ops);
    if (!f->probe && probe_create(&f->probe, &config, clock_system(), &ops, error) < 0)
        fail_msg("%s", error);
    for (unsigned c = 0; c < CONCERN_COUNT; c++) {
        const char *reason = "";

        if (!(concerns & 1u << c) || probe_concern_active(f->probe, (enum probe_concern)c, &reason))
            continue;
        /* A twin is for some kernels only; without one of the ways no kernel is supported. */
        if (mode == PROBE_TWIN && strncmp(reason, "this kernel has no ", 19) == 0) {
            print_message("no twin of %s here: %s\n", probe_concern_name((enum probe_concern)c),
                          reason);
            skip();
        }
        fail_msg("%s does not run: %s", probe_concern_name((enum probe_concern)c), reason);
    }
}

static inline void fixture_open(struct probe_fixture *f, unsigned concerns, enum probe_mode mode)
{
    fixture_open_with(f, (struct probe_config){0}, concerns, mode);
}

/* Fine for one that is not open: call it in the teardown, so that the next test finds none that
 * runs. */
static inline void fixture_close(struct probe_fixture *f)
{
    if (f->probe)
        kept_probe_put(f->probe);
    free(f->records);
    memset(f, 0, sizeof(*f));
}

/* The same as the agent does it: nothing stays, not even the pins. */
static inline void fixture_destroy(struct probe_fixture *f)
{
    fixture_close(f);
    kept_probe_drop();
}

/* Takes what is in the ring buffer until `done` says so; fails at the deadline. */
static inline void fixture_wait(struct probe_fixture *f,
                                bool (*done)(struct probe_fixture *, void *), void *ctx,
                                const char *what)
{
    uint64_t deadline = monotonic_ns() + DEADLINE_NS;

    for (;;) {
        struct pollfd ring = {.fd = probe_ring_fd(f->probe), .events = POLLIN};

        assert_true(probe_drain(f->probe) >= 0);
        if (done(f, ctx))
            return;
        if (monotonic_ns() > deadline)
            fail_msg("waited in vain for %s", what);
        /* Lazy records wake nobody. */
        poll(&ring, 1, 5);
    }
}

/* For fixture_wait(): `pid` points to a uint32_t. */
static inline bool fixture_has_exit(struct probe_fixture *fixture, void *pid)
{
    for (size_t i = 0; i < fixture->count; i++)
        if (fixture->records[i].head.type == RECORD_EXIT &&
            fixture->records[i].exit.pid == *(uint32_t *)pid)
            return true;
    return false;
}

#endif
