#include "probe/probe.h"
#include "probe/breaker_rows.h"
#include "probe/probe_state.h"
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *program_state_name(enum program_state s)
{
    static const char *const names[PROGRAM_STATE_COUNT] = {
        [PROGRAM_ATTACHED] = "attached",
        [PROGRAM_UNSUPPORTED] = "unsupported",
        [PROGRAM_UNUSED] = "unused",
        [PROGRAM_SHED] = "shed",
    };

    return names[s];
}

static void load_all(struct probe *probe, const struct object_row *rows, size_t row_count)
{
    static const char missing[] = "no kernel BTF at /sys/kernel/btf/vmlinux "
                                  "(the kernel needs CONFIG_DEBUG_INFO_BTF)";
    struct btf *kernel = btf__load_vmlinux_btf();

    for (size_t i = 0; i < row_count; i++) {
        if (kernel)
            load_object(probe, &rows[i], kernel);
        else
            refuse_object(probe, &rows[i], missing);
    }
    btf__free(kernel);
}

static void share_breakers(struct probe *probe)
{
    char error[PROBE_ERROR_BYTES];
    const char *reason;

    /* The programs of the agent before cannot be replaced: they must not stay on their own. */
    if (probe->pins.kept && !probe_concern_active(probe, CONCERN_BREAKER, &reason))
        probe_hook_set(probe, PROBE_HOOK_CONNECT, NULL, 0, error);
    probe->breaker_rows =
        map_share(probe, "breaker_row", UPSTREAMS_MAX * sizeof(struct breaker_row));
    probe->breaker_agent = map_share(probe, "breaker_agent", sizeof(struct breaker_agent));
}

/* The kernel takes powers of two of at least a page, which is 64 KiB on some arm64 kernels. */
static int check_ring(struct probe_config *config, char error[PROBE_ERROR_BYTES])
{
    long page = sysconf(_SC_PAGESIZE);

    if (config->ring_bytes & (config->ring_bytes - 1)) {
        snprintf(error, PROBE_ERROR_BYTES, "ring_bytes %u is not a power of two",
                 config->ring_bytes);
        return -EINVAL;
    }
    if (config->ring_bytes < page)
        config->ring_bytes = (uint32_t)page;
    return 0;
}

/* Allocates what every later call relies on. */
static int prepare(struct probe *probe, const struct object_row *rows, size_t row_count,
                   char error[PROBE_ERROR_BYTES])
{
    int cpus = libbpf_num_possible_cpus();

    if (cpus < 0) {
        snprintf(error, PROBE_ERROR_BYTES, "cannot count the possible CPUs: %s", strerror(-cpus));
        return cpus;
    }
    probe->possible_cpus = (unsigned)cpus;
    for (size_t i = 0; i < row_count; i++) {
        int err = inventory_add_object(probe, &rows[i]);

        if (err < 0) {
            snprintf(error, PROBE_ERROR_BYTES, "BPF object %s cannot be opened: %s",
                     probe_concern_name(rows[i].concern), strerror(-err));
            return err;
        }
    }
    return 0;
}

int probe_create_from(struct probe **ret, const struct object_row *rows, size_t row_count,
                      const struct probe_config *config, const struct clock *clock,
                      const struct probe_ops *ops, char error[PROBE_ERROR_BYTES])
{
    struct probe *probe;
    int err;

    error[0] = '\0';
    probe = calloc(1, sizeof(*probe));
    if (!probe)
        return -ENOMEM;
    probe->config = *config;
    probe->clock = clock;
    probe->ops = *ops;
    probe->pins =
        (struct pin_directory){.fd = -1, .name_fd = -1, .has_map = inventory_has_map, .ctx = probe};
    probe->stats_fd = -1;
    probe->cpu_percent = NAN;
    reason_capture();
    err = check_ring(&probe->config, error);
    if (err == 0)
        err = prepare(probe, rows, row_count, error);
    if (err == 0)
        err = pin_take(&probe->pins, config->pin_directory, !config->dry_run,
                       config->mode[CONCERN_BREAKER] == PROBE_OFF ? NULL : adopt_keeps, error);
    if (err < 0) {
        if (!error[0])
            snprintf(error, PROBE_ERROR_BYTES, "%s", strerror(-err));
        probe_destroy(probe);
        return err;
    }
    adopt_breakers(probe);
    load_all(probe, rows, row_count);
    share_breakers(probe);
    ring_open(probe);
    maps_measure(probe);
    probe->stats_next_ns = clock_monotonic_ns(clock);
    /* Loading took the kernel's BTF and verifier logs through the heap: megabytes not needed again.
     */
    malloc_trim(0);
    *ret = probe;
    return 0;
}

int probe_create(struct probe **ret, const struct probe_config *config, const struct clock *clock,
                 const struct probe_ops *ops, char error[PROBE_ERROR_BYTES])
{
    return probe_create_from(ret, object_rows, object_row_count, config, clock, ops, error);
}

void probe_destroy(struct probe *probe)
{
    if (!probe)
        return;
    for (unsigned g = 0; g < probe->group_count; g++)
        group_detach(probe, g);
    hooks_close(probe);
    map_unshare(probe->breaker_rows, UPSTREAMS_MAX * sizeof(struct breaker_row));
    map_unshare(probe->breaker_agent, sizeof(struct breaker_agent));
    if (probe->stats_fd >= 0)
        close(probe->stats_fd);
    ring_close(probe);
    for (size_t i = 0; i < probe->program_count; i++) {
        if (probe->programs[i].prog_fd >= 0)
            close(probe->programs[i].prog_fd);
    }
    for (size_t i = 0; i < probe->map_count; i++)
        close(probe->maps[i].fd);
    pin_release(&probe->pins);
    free(probe->row_keys);
    free(probe->row_values);
    free(probe->task_rows);
    free(probe->call_limits);
    free(probe);
}

void probe_tick(struct probe *probe, uint64_t now_ns, uint64_t *ret_next_ns)
{
    const struct probe_config *config = &probe->config;

    pins_watch(probe, now_ns);
    budget_retry(probe, now_ns);
    if (probe->stats_fd >= 0 && now_ns >= probe->stats_since_ns + config->stats_for_ns) {
        stats_end(probe, now_ns);
        budget_judge(probe, now_ns);
        maps_measure(probe);
    }
    if (probe->stats_fd < 0 && config->stats_every_ns && config->stats_for_ns &&
        now_ns >= probe->stats_next_ns)
        stats_begin(probe, now_ns);
    *ret_next_ns = probe->stats_fd >= 0 ? probe->stats_since_ns + config->stats_for_ns : 0;
}
