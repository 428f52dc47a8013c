/* The probe's insides, shared by the files of this directory only. */
#ifndef MOONWATCH_PROBE_PROBE_STATE_H
#define MOONWATCH_PROBE_PROBE_STATE_H

#include "probe/breaker_rows.h"
#include "probe/hook_point.h"
#include "probe/map.h"
#include "probe/objects.h"
#include "probe/pin.h"
#include "probe/reason.h"
#include <time.h>

#define PROGRAMS_MAX 64
#define MAPS_MAX 48
#define LINKS_MAX (4 * UPSTREAMS_MAX)
#define KNOWN_MAPS_MAX 64
#define PROGRAM_NAME_BYTES 32
#define TARGET_BYTES 64

struct btf;
struct ring_buffer;

struct program_stats {
    uint64_t base_runs; /* at the start of the sample in progress */
    uint64_t base_run_ns;
    bool based;
    bool sampled;
    uint64_t runs_total;
    uint64_t run_ns_total;
    double ns_per_run;
    double runs_per_second;
    double cpu_percent;
};

struct program {
    char name[PROGRAM_NAME_BYTES];
    char target[TARGET_BYTES]; /* the section's name */
    unsigned group;            /* index into probe.groups */
    unsigned way;              /* of that group */
    int prog_fd;               /* -1 unless loaded */
    uint32_t id;               /* in the kernel, while it is loaded */
    int link_fd;               /* -1 unless attached */
    enum program_state state;
    bool refused;         /* could not be loaded or attached, or its partner could not */
    bool partner_refused; /* the latter */
    char reason[PROBE_REASON_BYTES];
    struct program_stats stats;
};

enum group_state { GROUP_UNDECIDED, GROUP_ATTACHED, GROUP_REFUSED, GROUP_OFF, GROUP_SHED };

/* Programs that live and are shed together, in one of several ways. */
struct probe_group {
    const struct object_row *row;
    const struct group_row *spec; /* NULL: one program that no row names */
    enum group_state state;
    unsigned way_count;
    unsigned way; /* the one in use, or under trial */
    uint64_t shed_total;
    uint64_t retry_at_ns;
    uint64_t attached_again_ns; /* monotonic, after it was shed; 0: never */
};

/* A program on a cgroup. */
struct hook_link {
    unsigned hook; /* row of hook_rows in hooks.c */
    uint64_t cgroup_id;
    int fd;
    bool wanted;
};

#define HOOK_FAILURES_MAX (PROBE_HOOK_COUNT * UPSTREAMS_MAX)

/* Why a hook is not at a cgroup that it was asked for. */
struct hook_failure {
    enum probe_hook hook;
    uint64_t cgroup_id; /* 0: there is no such cgroup */
    char text[PROBE_ERROR_BYTES];
};

struct kernel_map {
    char name[PROGRAM_NAME_BYTES];
    int fd;
    uint32_t type;
    uint32_t key_size;
    uint32_t value_size;
    uint32_t max_entries;
    uint64_t bytes;
    bool no_batch; /* this kernel cannot read it in batches */
};

struct probe {
    struct probe_config config;
    const struct clock *clock;
    struct probe_ops ops;
    struct pin_directory pins;
    char known_maps[KNOWN_MAPS_MAX][PROGRAM_NAME_BYTES]; /* of the objects, to be pinned */
    size_t known_map_count;
    uint64_t pins_next_ns;        /* when they are looked at again */
    struct timespec pins_changed; /* their directory, when all were found in it; {0}: unknown */
    uint64_t pins_lost_ns;        /* when one was missed last; 0: never */
    char pins_lost[PROBE_REASON_BYTES + PROBE_ERROR_BYTES];

    struct program programs[PROGRAMS_MAX];
    size_t program_count;
    struct probe_group groups[PROGRAMS_MAX];
    size_t group_count;
    struct kernel_map maps[MAPS_MAX];
    size_t map_count;
    unsigned possible_cpus;
    struct hook_link links[LINKS_MAX];
    size_t link_count;
    struct hook_failure hook_failures[HOOK_FAILURES_MAX];
    size_t hook_failure_count;

    /* Shared with the kernel; NULL when there is no such map. */
    struct breaker_row *breaker_rows;
    struct breaker_agent *breaker_agent;
    bool breaker_adopted;
    bool pins_missing;              /* that was told, and they are not there again */
    struct call_table call_table;   /* as it was last written */
    struct call_limit *call_limits; /* CALL_ROWS_MAX; NULL before the first */

    struct ring_buffer *ring;
    unsigned drain_left; /* records this drain may still take */
    uint64_t consumed[RECORD_TYPE_COUNT];

    int stats_fd; /* -1 while statistics are off */
    uint64_t stats_since_ns;
    uint64_t stats_next_ns;
    double stats_seconds_total;
    char stats_missing[PROBE_REASON_BYTES]; /* why they cannot be switched on, else "" */
    double cpu_percent;                     /* NaN before the first sample */
    bool over_budget;                       /* the last sample was */

    /* Kept between calls so that reading costs no allocation. */
    char *row_keys, *row_values;
    size_t row_keys_size, row_values_size;
    char *task_rows;
};

/* inventory.c: one struct program per program of the object, grouped as the row says. */
int inventory_add_object(struct probe *probe, const struct object_row *row);
/* inventory.c: for struct pin_directory. */
bool inventory_has_map(const void *probe, const char *name);

/* load_object.c: loads and attaches what can be of one object. `kernel` is the kernel's BTF. */
void load_object(struct probe *probe, const struct object_row *row, const struct btf *kernel);
/* load_object.c: for all of the object's programs there is one reason why they cannot run. */
void refuse_object(struct probe *probe, const struct object_row *row, const char *reason);

/* other_rows.c: how many rows `other` the map has, none for most; and making them. */
size_t other_rows_count(const char *map);
int other_rows_make(const struct probe *probe, const struct kernel_map *map);

/* attach.c: all programs of the group's way, or none of them. On failure `ret_culprit` is the
 * program that could not be attached. */
int group_attach(struct probe *probe, unsigned group, struct program **ret_culprit);
void group_detach(struct probe *probe, unsigned group);
/* False for a section that no row of the table in attach.c knows. */
bool attach_possible(const char *target);

/* True for sections whose programs are attached to cgroups, by probe_hook_set(). */
bool attach_deferred(const char *target);

/* hooks.c */
/* pin_watch.c: pins again what somebody has removed. */
void pins_watch(struct probe *probe, uint64_t now_ns);
/* The path a link's pin has; false: it has none. */
bool hook_pin_path(const struct probe *probe, const struct hook_link *link, char out[512]);
/* Whether it is called as the pin of a link. */
bool hook_names_pin(const char *name);
bool hook_attached(const struct probe *probe, const struct program *program);
void hooks_close(struct probe *probe);

/* adopt.c: `adopt_keeps` tells which pins of a killed agent are worth keeping. */
bool adopt_keeps(const char *pin);
void adopt_breakers(struct probe *probe);
void adopt_drop(struct probe *probe);

/* breaker_rows.c: an array that the kernel shares; NULL when there is none. */
void *map_share(struct probe *probe, const char *name, size_t bytes);
void map_unshare(void *at, size_t bytes);

/* map_replace.c: `entries` are keys followed by their values, `entry_size` bytes each; sorted
 * meanwhile. */
int map_replace(struct probe *probe, const char *name, char *entries, size_t count,
                size_t entry_size, bool *ret_changed);

/* tasks.c: the attached program of this section, or NULL. */
const struct program *program_running(const struct probe *probe, const char *target);
/* Runs it and hands over each of its rows, which begin at multiples of their size in `*buffer`
 * (NULL at first; the caller frees it). The number of rows or a negative errno. */
int iterator_read(const struct program *iterator, char **buffer, size_t row_bytes,
                  void (*fn)(void *ctx, const void *row), void *ctx);

/* map.c */
struct kernel_map *map_find(struct probe *probe, const char *name);
/* `count` rows of an array from `first` on, in as few system calls as the kernel allows. 0 or a
 * negative errno. */
int map_read_rows(struct probe *probe, struct kernel_map *map, uint32_t first, uint32_t count,
                  probe_map_row_fn *fn, void *ctx);
void maps_measure(struct probe *probe);

/* ring.c */
int ring_open(struct probe *probe);
void ring_close(struct probe *probe);

/* stats.c: run-time statistics on, and off again with a sample of what ran meanwhile. */
void stats_begin(struct probe *probe, uint64_t now_ns);
void stats_end(struct probe *probe, uint64_t now_ns);

/* overhead.c */
void budget_judge(struct probe *probe, uint64_t now_ns); /* after a sample */
void budget_retry(struct probe *probe, uint64_t now_ns);

#endif
