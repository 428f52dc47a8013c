/* The loader under test with objects of the tests' own, and a clock the test moves. */
#ifndef MOONWATCH_TEST_LOADER_FIXTURE_H
#define MOONWATCH_TEST_LOADER_FIXTURE_H

#include "flood.h"
#include "flood.skel.h"
#include "probe/map.h"
#include "probe/objects.h"
#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

/* The call that sets the flood off: harmless and made by nobody here otherwise. */
#define FLOOD_SYSCALL SYS_getsid

struct loader {
    struct probe *probe;
    struct probe_config config;
    struct clock clock;
    uint64_t now_ns; /* what the injected clock says */
    char pins[64];
    char error[PROBE_ERROR_BYTES];
    uint64_t records;
    uint64_t next_sequence;
    uint64_t out_of_order;
    unsigned pins_lost, pins_made; /* times it was told */
    char pins_said[256];
};

static inline uint64_t loader_now(void *ctx)
{
    return ((const struct loader *)ctx)->now_ns;
}

static inline void loader_on_record(void *ctx, const struct record_head *record, size_t size)
{
    const struct record_flood *flood = (const struct record_flood *)record;
    struct loader *loader = ctx;

    assert_int_equal(size, sizeof(*flood));
    loader->records++;
    /* Dropped records leave gaps, never a step back. */
    loader->out_of_order += flood->sequence < loader->next_sequence;
    loader->next_sequence = flood->sequence + 1;
}

static inline void loader_on_pins(void *ctx, bool lost, const char *what)
{
    struct loader *loader = ctx;

    loader->pins_lost += lost;
    loader->pins_made += !lost;
    snprintf(loader->pins_said, sizeof(loader->pins_said), "%s", what);
}

static inline void skip_unless_root(void)
{
    if (geteuid() != 0) {
        print_message("needs root to load programs into the kernel\n");
        skip();
    }
}

/* Defaults that a test may change before loader_open(). */
static inline void loader_init(struct loader *loader)
{
    *loader = (struct loader){.now_ns = NS_PER_SECOND};
    snprintf(loader->pins, sizeof(loader->pins), "/sys/fs/bpf/moonwatch-test-%d", getpid());
    loader->config = (struct probe_config){
        .pin_directory = loader->pins, .ring_bytes = 1 << 16, .cgroups_max = 64};
    loader->clock = (struct clock){loader_now, loader_now, loader};
}

static inline int loader_open(struct loader *loader, const struct object_row *rows, size_t count)
{
    struct probe_ops ops = {
        .on_record = loader_on_record, .on_pins = loader_on_pins, .ctx = loader};

    return probe_create_from(&loader->probe, rows, count, &loader->config, &loader->clock, &ops,
                             loader->error);
}

/* Also for one that is not open, and after a failed assertion. */
static inline void loader_close(struct loader *loader)
{
    probe_destroy(loader->probe);
    loader->probe = NULL;
}

static const struct object_row flood_object = {
    .concern = CONCERN_RUNQ,
    .elf_bytes = flood_bpf__elf_bytes,
    .groups = {{{{.programs = {"flood", "flood_partner"}}}}},
};

static inline void loader_open_flood(struct loader *loader)
{
    const char *reason = "";

    if (loader_open(loader, &flood_object, 1) < 0)
        fail_msg("%s", loader->error);
    if (!probe_concern_active(loader->probe, CONCERN_RUNQ, &reason))
        fail_msg("flood does not run: %s", reason);
}

/* A map of the probe, by its pin; the caller closes it. */
static inline int loader_map_fd(const struct loader *loader, const char *name)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", loader->pins, name);
    fd = bpf_obj_get(path);
    if (fd < 0)
        fail_msg("%s: %s", path, strerror(errno));
    return fd;
}

/* Every FLOOD_SYSCALL of this process now emits that many records. */
static inline void loader_arm_flood(const struct loader *loader, uint64_t records)
{
    struct flood_control control = {.tgid = (uint64_t)getpid(),
                                    .syscall = FLOOD_SYSCALL,
                                    .records = records,
                                    .sequence = loader->next_sequence};
    int fd = loader_map_fd(loader, "flood_control");
    uint32_t zero = 0;

    assert_int_equal(bpf_map_update_elem(fd, &zero, &control, BPF_ANY), 0);
    close(fd);
}

static inline void flood_once(void)
{
    syscall(FLOOD_SYSCALL, 0);
}

/* The view of the program named so. */
static inline struct program_view loader_program(const struct loader *loader, const char *name)
{
    struct program_view view;

    for (size_t i = 0; i < probe_program_count(loader->probe); i++) {
        probe_program_view(loader->probe, i, &view);
        if (strcmp(view.name, name) == 0)
            return view;
    }
    fail_msg("no program %s", name);
    return view;
}

#endif
