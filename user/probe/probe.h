/* The kernel side: loading, attaching, draining, measuring and shedding BPF programs.
 * The only layer that includes libbpf. Every program is probed and attached by itself; one that
 * cannot run keeps its reason and the others go on.
 */
#ifndef MOONWATCH_PROBE_PROBE_H
#define MOONWATCH_PROBE_PROBE_H

#include "base/clock.h"
#include "probe/concerns.h"
#include "probe/records.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum probe_mode {
    PROBE_AUTO, /* the cheapest twin this kernel can run */
    PROBE_TWIN, /* the fallback twin, for comparison */
    PROBE_OFF,
};

struct probe_config {
    bool dry_run;              /* no bpffs is mounted */
    const char *pin_directory; /* NULL: nothing is pinned and nothing locked (doctor) */
    uint32_t ring_bytes;       /* power of two; at least a page is taken */
    uint32_t
        cgroups_max; /* rows of each per-cgroup map; 0: run-queue delay is not counted per cgroup */
    uint64_t slow_wait_ns;    /* run-queue delays from here up make a record; 0: none */
    uint64_t stall_ns;        /* reclaim stalls from here up make a record; 0: none */
    double budget_percent;    /* of one core for all programs together; 0: no budget */
    uint64_t budget_retry_ns; /* a shed program is tried again after this */
    uint64_t stats_every_ns;  /* run-time statistics are switched on this often ... */
    uint64_t stats_for_ns;    /* ... for this long; 0: never */
    enum probe_mode mode[CONCERN_COUNT];
};

struct config;

/* What the configuration says. `ret` borrows its strings. */
void probe_config_init(struct probe_config *ret, const struct config *config);

struct probe_ops {
    /* One record from the ring buffer; valid during the call. */
    void (*on_record)(void *ctx, const struct record_head *record, size_t size);
    /* Pins were found to be lost, or those that were are made again: one line. May be NULL. */
    void (*on_pins)(void *ctx, bool lost, const char *what);
    void *ctx;
};

struct probe;

#define PROBE_ERROR_BYTES 256

/* Takes the pin directory (mounting bpffs if needed), loads and attaches what can be. Returns 0
 * even if no program could run: ask the views. Errors: -EBUSY, another agent holds the pin
 * directory; -ENOTEMPTY, it holds what is not an agent's; others when nothing can be done at all.
 * `error` then holds one line for the operator.
 */
int probe_create(struct probe **ret, const struct probe_config *config, const struct clock *clock,
                 const struct probe_ops *ops, char error[PROBE_ERROR_BYTES]);
/* Detaches, unpins, releases the pin directory. */
void probe_destroy(struct probe *probe);

/* The ring buffer's epoll fd, readable when the kernel side wants draining; -1 without a buffer. */
int probe_ring_fd(const struct probe *probe);
/* Hands every record waiting to on_record; returns their number or a negative errno. */
int probe_drain(struct probe *probe);

/* Statistics sampling, budget, shedding, retry. A probe is shed when two samples in a row were over
 * the budget: the second follows at once, so that a burst sheds nothing. Call every tick; may arm
 * `*ret_next_ns`, the monotonic time at which it wants to be called again before the next tick (0:
 * no wish). */
void probe_tick(struct probe *probe, uint64_t now_ns, uint64_t *ret_next_ns);

enum program_state {
    PROGRAM_ATTACHED,
    PROGRAM_UNSUPPORTED, /* this kernel or these privileges do not allow it */
    PROGRAM_UNUSED,      /* its twin runs instead, or it is off by configuration */
    PROGRAM_SHED,        /* over the overhead budget */
    PROGRAM_STATE_COUNT,
};

const char *program_state_name(enum program_state s); /* "attached" ... */

struct program_view {
    const char *name;   /* of the BPF program, <= 15 characters */
    const char *target; /* "tp_btf/sched_switch" */
    enum probe_concern concern;
    enum program_state state;
    const char *reason;            /* "" when attached */
    bool partner_refused;          /* it could run: the cause is its partner's reason */
    bool sampled;                  /* the figures below are there */
    uint64_t runs_sampled_total;   /* while statistics were on */
    uint64_t run_ns_sampled_total; /* likewise */
    double ns_per_run;             /* of the last sample; NaN before or when it did not run */
    double runs_per_second;        /* likewise */
    double cpu_percent;            /* of one core, ns_per_run x runs_per_second */
    uint64_t shed_total;           /* times it was shed */
    uint64_t retry_at_ns;          /* monotonic, when shed */
};

size_t probe_program_count(const struct probe *probe);
void probe_program_view(const struct probe *probe, size_t index, struct program_view *ret);

struct map_view {
    const char *name;
    uint64_t bytes; /* kernel memory, from fdinfo's memlock */
};

size_t probe_map_count(const struct probe *probe);
void probe_map_view(const struct probe *probe, size_t index, struct map_view *ret);

struct probe_view {
    const char *pin_directory;   /* NULL when nothing is pinned */
    const char *unpinned_reason; /* why not, else NULL */
    unsigned pins_taken_over;    /* left by an agent that was killed, removed or kept */
    const char *pins_lost;       /* of pins that somebody removed lately; NULL: none */
    const char *stats_missing;   /* why run-time statistics cannot be had, else NULL */
    double budget_percent;
    double cpu_percent;         /* all programs, last sample; NaN before */
    double stats_seconds_total; /* time with statistics on */
    uint32_t ring_bytes;
    struct {
        uint64_t produced, consumed, dropped;
    } records[RECORD_TYPE_COUNT];
    uint64_t map_drops[MAP_DROP_COUNT];
};

void probe_view(const struct probe *probe, struct probe_view *ret);

/* True when the concern's main program runs (with its partners); else `*ret_reason` says why not.
 */
bool probe_concern_active(const struct probe *probe, enum probe_concern c, const char **ret_reason);
/* Which twin runs: "rq-clock" / "task-storage" for runq; "" where there is one way only. */
const char *probe_concern_method(const struct probe *probe, enum probe_concern c);

#endif
