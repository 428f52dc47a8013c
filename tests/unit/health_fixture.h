/* A snapshot of a host that is well, and a health that judges it; tests make it ill. */
#ifndef MOONWATCH_HEALTH_FIXTURE_H
#define MOONWATCH_HEALTH_FIXTURE_H

#include "health/judge.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND NS_PER_SECOND
#define GIB 0x1p30

struct fixture {
    struct config config;
    struct snapshot snapshot;
    struct cpu_core cores[2];
    struct filesystem filesystems[3];
    struct cpu_throttle throttles[2];
    struct oom_capsule ooms[EVENTS_KEPT];
    struct crash crashes[EVENTS_KEPT];
    struct crash_loop loops[2];
    struct probe_facts facts;
    struct health *health;
};

static inline void fixture_filesystem(struct filesystem *fs, const char *mount, double percent)
{
    snprintf(fs->mount, sizeof(fs->mount), "%s", mount);
    fs->usage_percent = reading_of(percent);
    fs->inodes_usage_percent = reading_of(1);
    fs->full_in_seconds = reading_missing("not growing");
}

/* A thousand waits of at most 1 ms. */
static inline void fixture_waits(struct latency *waits, uint64_t ns, uint64_t count)
{
    memset(waits, 0, sizeof(*waits));
    waits->count = count;
    waits->sum_ns = ns * count;
    waits->slots[slot_of_ns(ns)] = count;
}

static inline void fixture_well(struct fixture *f)
{
    struct snapshot *s = &f->snapshot;

    s->sequence = 1;
    s->monotonic_ns = 1000 * SECOND;
    s->cpu.total.usage_percent = reading_of(12);
    for (int mode = 0; mode < CPU_MODE_COUNT; mode++)
        s->cpu.total.percent[mode] = reading_of(0);
    s->cpu.core_count = 2;
    s->cpu.cores = f->cores;
    s->memory.usage_percent = reading_of(40);
    s->memory.swap_usage_percent = reading_missing("no swap");
    fixture_filesystem(&f->filesystems[0], "/", 30);
    fixture_filesystem(&f->filesystems[1], "/var", 40);
    s->disk.filesystems = f->filesystems;
    s->disk.filesystem_count = 2;
    s->process.pid_usage_percent = reading_of(2);
    s->process.threads = reading_of(600);
    s->process.pid_limit = reading_of(32768);
    s->process.files_usage_percent = reading_of(1);
    s->process.files_open = reading_of(1000);
    s->process.files_limit = reading_of(100000);
    s->network.conntrack_usage_percent = reading_missing("no conntrack on this kernel");
    for (int r = 0; r < PRESSURE_RESOURCE_COUNT; r++) {
        s->pressure.resource[r].some.avg10_percent = reading_of(0);
        s->pressure.resource[r].full.avg10_percent = reading_of(0);
    }
    s->throttle.rows = f->throttles;
    s->events.ooms = f->ooms;
    s->events.crashes = f->crashes;
    s->events.crash_loops = f->loops;
    s->scheduler.background_cpu_percent = reading_of(0);
    fixture_waits(&s->scheduler.recent_foreground, NS_PER_MS, 1000);
    fixture_waits(&s->scheduler.recent_classes[PRIORITY_NORMAL], NS_PER_MS, 1000);
}

static inline int fixture_set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    f->config.health_monitor.enabled = true;
    f->config.health_monitor.cpu_critical_after_seconds = 300;
    f->config.health_monitor.thresholds.cpu_warning = 70;
    f->config.health_monitor.thresholds.cpu_critical = 85;
    f->config.health_monitor.thresholds.memory_warning = 75;
    f->config.health_monitor.thresholds.memory_critical = 90;
    f->config.health_monitor.thresholds.disk_warning = 80;
    f->config.health_monitor.thresholds.disk_critical = 95;
    f->facts.present = true;
    fixture_well(f);
    *state = f;
    return health_create(&f->health, &f->config);
}

static inline int fixture_tear_down(void **state)
{
    struct fixture *f = *state;

    health_destroy(f->health);
    free(f);
    return 0;
}

/* One tick a second, `count` of them. */
static inline void fixture_ticks(struct fixture *f, int count)
{
    for (int i = 0; i < count; i++) {
        f->snapshot.sequence++;
        f->snapshot.monotonic_ns += SECOND;
        health_judge(f->health, &f->snapshot, &f->facts);
    }
}

static inline void fixture_expect(struct fixture *f, enum component c, enum status status)
{
    struct component_view view;

    health_component(f->health, c, &view);
    if (view.status != status) {
        for (size_t i = 0; i < view.reasons->count; i++)
            print_error("%s\n", view.reasons->text[i]);
    }
    assert_string_equal(status_name(view.status), status_name(status));
}

/* The component gives this very reason. */
static inline void fixture_expect_reason(struct fixture *f, enum component c, const char *text)
{
    struct component_view view;

    health_component(f->health, c, &view);
    for (size_t i = 0; i < view.reasons->count; i++) {
        if (strcmp(view.reasons->text[i], text) == 0)
            return;
    }
    print_error("wanted: %s\n", text);
    for (size_t i = 0; i < view.reasons->count; i++)
        print_error("given:  %s\n", view.reasons->text[i]);
    fail_msg("no such reason");
}

static inline size_t fixture_reason_count(struct fixture *f, enum component c)
{
    struct component_view view;

    health_component(f->health, c, &view);
    return view.reasons->count;
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_set_up, fixture_tear_down)

#endif
