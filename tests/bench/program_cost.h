/* What BPF programs cost by the kernel's own run-time statistics, less what an empty program on the
 * same hook costs in the same window. */
#ifndef MOONWATCH_BENCH_PROGRAM_COST_H
#define MOONWATCH_BENCH_PROGRAM_COST_H

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 9
#define WINDOW_MS 300
#define WINDOWS_MAX 20
#define EVENTS_MIN 2000
#define COST_PROGRAMS_MAX 8

void fail(const char *what, int error); /* the bench's own: it ends what it has started */

struct cost {
    double run_ns, runs;
};

static inline struct cost cost_of(int program)
{
    struct bpf_prog_info info = {0};
    __u32 size = sizeof(info);

    if (bpf_obj_get_info_by_fd(program, &info, &size))
        fail("program info", errno);
    return (struct cost){(double)info.run_time_ns, (double)info.run_cnt};
}

static inline struct cost cost_since(int program, struct cost before)
{
    struct cost now = cost_of(program);

    return (struct cost){now.run_ns - before.run_ns, now.runs - before.runs};
}

static inline void window(void)
{
    struct timespec left = {.tv_nsec = WINDOW_MS * 1000000L};

    while (nanosleep(&left, &left) && errno == EINTR)
        ;
}

/* Net nanoseconds of all `programs` in a window that is long enough, per run of the first. Each has
 * an empty one, which may be that of another. */
static inline double measure_programs(const int *programs, const int *empties, int count)
{
    struct cost before[COST_PROGRAMS_MAX], empty_before[COST_PROGRAMS_MAX];
    double net_ns = 0, runs = 0;

    for (int i = 0; i < count; i++) {
        before[i] = cost_of(programs[i]);
        empty_before[i] = cost_of(empties[i]);
    }
    for (int i = 0; i < WINDOWS_MAX && cost_since(programs[0], before[0]).runs < EVENTS_MIN; i++)
        window();
    for (int i = 0; i < count; i++) {
        struct cost cost = cost_since(programs[i], before[i]);
        struct cost empty = cost_since(empties[i], empty_before[i]);

        if (empty.runs < EVENTS_MIN / 2.0 || (i == 0 && cost.runs < EVENTS_MIN / 2.0))
            fail("too few events to measure", EAGAIN);
        net_ns += cost.run_ns - cost.runs * empty.run_ns / empty.runs;
        runs += i == 0 ? cost.runs : 0;
    }
    return net_ns / runs;
}

static const struct bpf_insn returns_0[] = {
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
    {.code = BPF_JMP | BPF_EXIT},
};
static const struct bpf_insn returns_1[] = {
    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
    {.code = BPF_JMP | BPF_EXIT},
};

/* An empty program on a tracepoint, attached until the end. */
static inline int empty_on(const char *tracepoint)
{
    LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_RAW_TP);
    int btf_id = libbpf_find_vmlinux_btf_id(tracepoint, BPF_TRACE_RAW_TP), program;

    if (btf_id < 0)
        fail(tracepoint, btf_id);
    options.attach_btf_id = (__u32)btf_id;
    program = bpf_prog_load(BPF_PROG_TYPE_TRACING, "empty", "GPL", returns_0, 2, &options);
    if (program < 0 || bpf_raw_tracepoint_open(NULL, program) < 0)
        fail("the empty program", errno);
    return program;
}

/* The programs that a process has attached, by its file descriptors: their number. */
static inline int programs_of(pid_t pid, int fds[COST_PROGRAMS_MAX])
{
    char path[64], line[128];
    const struct dirent *entry;
    int count = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
    dir = opendir(path);
    while (dir && count < COST_PROGRAMS_MAX && (entry = readdir(dir))) {
        char file[400];
        unsigned id = 0;
        bool link = false;
        FILE *info;

        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        info = fopen(file, "r");
        while (info && fgets(line, sizeof(line), info)) {
            link = link || strncmp(line, "link_", 5) == 0;
            sscanf(line, "prog_id: %u", &id);
        }
        if (info)
            fclose(info);
        /* A link names the program too, and is there only once it is attached. */
        if (id && link)
            fds[count++] = bpf_prog_get_fd_by_id(id);
    }
    if (dir)
        closedir(dir);
    return count;
}

/* Waits until a process has attached `wanted` programs. It may try out others while it starts. */
static inline void wait_programs(pid_t pid, int fds[COST_PROGRAMS_MAX], int wanted)
{
    for (int tries = 0; tries < 40; tries++) {
        int count;

        window();
        count = programs_of(pid, fds);
        if (count >= wanted)
            return;
        for (int i = 0; i < count; i++)
            close(fds[i]);
    }
    fail("the peer did not attach", ETIMEDOUT);
}

static inline int compare_costs(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts; returns the median and the distance of the extremes in percent of it. */
static inline double median_of(double *values, double *ret_spread)
{
    qsort(values, ROUNDS, sizeof(*values), compare_costs);
    *ret_spread = (values[ROUNDS - 1] - values[0]) / values[ROUNDS / 2] * 100;
    return values[ROUNDS / 2];
}

static inline void print_cost(const char *name, const char *unit, double *values, double limit_ns)
{
    double spread, ns = median_of(values, &spread);

    printf("{\"name\": \"%s\", \"unit\": \"%s\", \"ours\": %.1f, \"peer_name\": null, "
           "\"peer\": null, \"ratio\": null, \"required\": \"<= %.0f ns\", \"ok\": %s, "
           "\"repetitions\": %d, \"spread_percent\": %.1f}\n",
           name, unit, ns, limit_ns, ns <= limit_ns ? "true" : "false", ROUNDS, spread);
}

/* Maps are the object's own, whatever is pinned; `wanted` ends with NULL. */
static inline void load_only(struct bpf_object *object, const char *const *wanted)
{
    struct bpf_program *program;
    struct bpf_map *map;

    bpf_object__for_each_map (map, object)
        bpf_map__set_pin_path(map, NULL);
    bpf_object__for_each_program (program, object) {
        bool load = false;

        for (int i = 0; wanted[i]; i++)
            load = load || strcmp(wanted[i], bpf_program__name(program)) == 0;
        bpf_program__set_autoload(program, load);
    }
    if (bpf_object__load(object))
        fail("loading the object", errno);
}

#endif
