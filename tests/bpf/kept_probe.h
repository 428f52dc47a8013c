/* A loaded probe kept from one test to the next. Loading is most of what a test costs, seconds
 * where the kernel is emulated. While it is kept no program of it runs, and what the tests before
 * have left in its maps is gone before the next sees it.
 *
 * Not kept is what cannot be emptied: what the kernel remembers of tasks, and of sockets while
 * there are any in this network namespace.
 */
#ifndef MOONWATCH_TEST_KEPT_PROBE_H
#define MOONWATCH_TEST_KEPT_PROBE_H

#include "probe/probe_state.h"
#include <bpf/bpf.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Sockets that were just closed say goodbye to each other. */
#define SOCKETS_GONE_TRIES 40

static struct {
    struct probe *probe;
    pid_t owner; /* children inherit the variable, not what it stands for */
} kept_probe;

static inline unsigned tcp_sockets_here(void)
{
    static const char *const files[] = {"/proc/self/net/sockstat", "/proc/self/net/sockstat6"};
    unsigned sum = 0, inuse;
    char line[256];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        FILE *file = fopen(files[i], "re");

        while (file && fgets(line, sizeof(line), file))
            if (sscanf(line, "TCP: inuse %u", &inuse) == 1 ||
                sscanf(line, "TCP6: inuse %u", &inuse) == 1)
                sum += inuse;
        if (file)
            fclose(file);
    }
    return sum;
}

static inline bool can_be_emptied(const struct probe *probe)
{
    bool of_sockets = false;

    for (size_t i = 0; i < probe->map_count; i++) {
        if (probe->maps[i].type == BPF_MAP_TYPE_TASK_STORAGE)
            return false;
        of_sockets |= probe->maps[i].type == BPF_MAP_TYPE_SK_STORAGE;
    }
    for (int i = 0; of_sockets && tcp_sockets_here() > 0; i++) {
        if (i == SOCKETS_GONE_TRIES)
            return false;
        poll(NULL, 0, 5);
    }
    return true;
}

static inline void kept_probe_drop(void)
{
    if (kept_probe.owner == getpid())
        probe_destroy(kept_probe.probe);
    kept_probe.probe = NULL;
}

/* A child would hold the name, and with it the directory, for as long as it lives. */
static inline void kept_probe_unname(void)
{
    struct pin_directory *pins = kept_probe.probe ? &kept_probe.probe->pins : NULL;

    if (!pins || kept_probe.owner != getpid() || pins->name_fd < 0)
        return;
    close(pins->name_fd);
    pins->name_fd = -1;
}

/* Instead of probe_destroy(). */
static inline void kept_probe_put(struct probe *probe)
{
    static bool registered;

    kept_probe_drop();
    if (!can_be_emptied(probe)) {
        probe_destroy(probe);
        return;
    }
    hooks_close(probe);
    for (unsigned g = 0; g < probe->group_count; g++)
        group_detach(probe, g);
    probe->config.pin_directory = probe->pins.path;
    kept_probe.probe = probe;
    kept_probe.owner = getpid();
    if (!registered) {
        atexit(kept_probe_drop);
        pthread_atfork(kept_probe_unname, NULL, NULL);
    }
    registered = true;
}

struct zeroed_map {
    const struct kernel_map *map;
    char *zeros;
};

static inline void zero_row(void *ctx, const void *key, const void *values, unsigned cpus,
                            size_t stride)
{
    const struct zeroed_map *zeroed = ctx;

    if (memcmp(values, zeroed->zeros, cpus * stride) != 0)
        assert_int_equal(bpf_map_update_elem(zeroed->map->fd, key, zeroed->zeros, BPF_ANY), 0);
}

static inline void empty_map(struct probe *probe, const struct kernel_map *map)
{
    struct zeroed_map zeroed = {.map = map};
    char key[64];

    switch (map->type) {
    case BPF_MAP_TYPE_RINGBUF: /* drained */
    case BPF_MAP_TYPE_SK_STORAGE:
        return;
    case BPF_MAP_TYPE_ARRAY:
    case BPF_MAP_TYPE_PERCPU_ARRAY:
        zeroed.zeros = calloc(probe->possible_cpus, map->value_size + 8);
        assert_non_null(zeroed.zeros);
        assert_true(probe_map_for_each(probe, map->name, zero_row, &zeroed) >= 0);
        free(zeroed.zeros);
        return;
    default:
        assert_true(map->key_size <= sizeof(key));
        while (bpf_map_get_next_key(map->fd, NULL, key) == 0)
            assert_int_equal(bpf_map_delete_elem(map->fd, key), 0);
        assert_int_equal(other_rows_make(probe, map), 0);
    }
}

static inline bool same_config(const struct probe_config *a, const struct probe_config *b)
{
    return strcmp(a->pin_directory, b->pin_directory) == 0 && a->ring_bytes == b->ring_bytes &&
           a->cgroups_max == b->cgroups_max && a->slow_wait_ns == b->slow_wait_ns &&
           a->stall_ns == b->stall_ns && memcmp(a->mode, b->mode, sizeof(a->mode)) == 0;
}

/* The probe that is kept, running again as if it had just been created so; NULL when there is none
 * like that. */
static inline struct probe *kept_probe_take(const struct probe_config *config,
                                            const struct probe_ops *ops)
{
    struct probe *probe = kept_probe.owner == getpid() ? kept_probe.probe : NULL;
    struct program *culprit;

    if (!probe || !same_config(&probe->config, config)) {
        kept_probe_drop();
        return NULL;
    }
    kept_probe.probe = NULL;
    probe->config = *config;
    probe->ops = (struct probe_ops){0};
    while (probe_drain(probe) > 0)
        ;
    probe->ops = *ops;
    memset(probe->consumed, 0, sizeof(probe->consumed));
    memset(&probe->call_table, 0, sizeof(probe->call_table));
    free(probe->call_limits);
    probe->call_limits = NULL;
    for (size_t i = 0; i < probe->map_count; i++) {
        probe->maps[i].no_batch = false;
        /* Globals are constants here: only theirs have a dot in the name. */
        if (!strchr(probe->maps[i].name, '.'))
            empty_map(probe, &probe->maps[i]);
    }
    for (unsigned g = 0; g < probe->group_count; g++) {
        if (probe->groups[g].state == GROUP_ATTACHED)
            assert_int_equal(group_attach(probe, g, &culprit), 0);
    }
    return probe;
}

#endif
