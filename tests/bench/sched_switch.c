/* What a context switch pays for the scheduler program, beside packaged runqlat on the same load.
 *
 * The kernel's own run-time statistics (BPF_ENABLE_STATS) give the nanoseconds per run of each
 * program. The statistics cost too, so an empty program hangs on the same tracepoint all the time:
 * its figure of the same window is subtracted from each run, and what is left is "net". The load is
 * two processes handing a byte to and fro on one CPU. Beside the empty program one variant is
 * attached at a time, in turns.
 */
#include "runq.skel.h"
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 9
#define WINDOW_MS 400
#define PROGRAMS_MAX 8
#define RUNQLAT "/usr/sbin/runqlat"

enum variant { HOST, CGROUPS, PEER, VARIANT_COUNT };

static pid_t children[3]; /* the two of the load, and runqlat while it runs */

static void stop_child(int index)
{
    if (children[index] <= 0)
        return;
    kill(children[index], SIGKILL);
    waitpid(children[index], NULL, 0);
    children[index] = 0;
}

static void stop_all(void)
{
    for (int i = 0; i < 3; i++)
        stop_child(i);
}

static void fail(const char *what, int error)
{
    fprintf(stderr, "sched_switch: %s: %s\n", what, strerror(error < 0 ? -error : error));
    stop_all();
    exit(1);
}

static void sleep_ms(long ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    while (nanosleep(&ts, &ts) && errno == EINTR)
        ;
}

static pid_t start_player(int in, int out, bool serve)
{
    pid_t pid = fork();
    char ball = 0;
    cpu_set_t cpu;

    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    CPU_ZERO(&cpu);
    CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &cpu);
    sched_setaffinity(0, sizeof(cpu), &cpu);
    if (serve && write(out, &ball, 1) != 1)
        _exit(1);
    while (read(in, &ball, 1) == 1 && write(out, &ball, 1) == 1)
        ;
    _exit(0);
}

static void start_load(void)
{
    int to[2], fro[2];

    if (pipe(to) || pipe(fro))
        fail("pipe", errno);
    children[0] = start_player(to[0], fro[1], false);
    children[1] = start_player(fro[0], to[1], true);
}

struct usage {
    double run_ns, runs, switches;
};

/* Adds up what the programs ran since they were loaded. */
static struct usage read_usage(const int *fds, int count)
{
    struct usage usage = {0};

    for (int i = 0; i < count; i++) {
        struct bpf_prog_info info = {0};
        __u32 size = sizeof(info);

        if (bpf_obj_get_info_by_fd(fds[i], &info, &size))
            fail("program info", errno);
        usage.run_ns += info.run_time_ns;
        usage.runs += info.run_cnt;
        if (strstr(info.name, "switch"))
            usage.switches += info.run_cnt;
    }
    return usage;
}

static int empty_program;

/* Net nanoseconds per switch of some programs together. */
static double measure(const int *fds, int count)
{
    struct usage empty_before = read_usage(&empty_program, 1), before = read_usage(fds, count);
    struct usage empty_after, after;
    double empty_ns, switches;

    sleep_ms(WINDOW_MS);
    after = read_usage(fds, count);
    empty_after = read_usage(&empty_program, 1);
    switches = after.switches - before.switches;
    if (switches < 1000)
        fail("too few switches to measure", EAGAIN);
    empty_ns = (empty_after.run_ns - empty_before.run_ns) / (empty_after.runs - empty_before.runs);
    return (after.run_ns - before.run_ns - (after.runs - before.runs) * empty_ns) / switches;
}

static void attach_empty(void)
{
    static const struct bpf_insn nothing[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_RAW_TP);
    int btf_id = libbpf_find_vmlinux_btf_id("sched_switch", BPF_TRACE_RAW_TP);
    int link;

    if (btf_id < 0)
        fail("sched_switch in the kernel's BTF", btf_id);
    options.attach_btf_id = (__u32)btf_id;
    empty_program =
        bpf_prog_load(BPF_PROG_TYPE_TRACING, "empty_switch", "GPL", nothing, 2, &options);
    if (empty_program < 0)
        fail("the empty program", empty_program);
    link = bpf_raw_tracepoint_open(NULL, empty_program);
    if (link < 0)
        fail("the empty program", link);
}

static double measure_ours(bool cgroups)
{
    struct runq_bpf *runq = runq_bpf__open();
    struct bpf_program *program;
    struct bpf_map *map;
    double ns;
    int error, fd;

    if (!runq)
        fail("the scheduler object", errno);
    bpf_object__for_each_map (map, runq->obj)
        bpf_map__set_pin_path(map, NULL);
    bpf_object__for_each_program (program, runq->obj)
        bpf_program__set_autoload(program, program == runq->progs.runq_switch);
    runq->rodata->count_cgroups = cgroups;
    error = runq_bpf__load(runq);
    if (!error)
        error = runq_bpf__attach(runq);
    if (error)
        fail("the scheduler program", error);
    fd = bpf_program__fd(runq->progs.runq_switch);
    ns = measure(&fd, 1);
    runq_bpf__destroy(runq);
    return ns;
}

/* The programs a process holds, by its file descriptors. */
static int programs_of(pid_t pid, int fds[PROGRAMS_MAX])
{
    char path[64], line[128];
    struct dirent *entry;
    int count = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
    dir = opendir(path);
    while (dir && count < PROGRAMS_MAX && (entry = readdir(dir))) {
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

static double measure_runqlat(void)
{
    int fds[PROGRAMS_MAX], count = 0;
    double ns;

    children[2] = fork();
    if (children[2] == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (freopen("/dev/null", "w", stdout))
            execl(RUNQLAT, "runqlat", "3600", "1", NULL);
        _exit(127);
    }
    /* It attaches three: two wakeups and the switch. */
    for (int tries = 0; tries < 500 && count < 3; tries++) {
        for (int i = 0; i < count; i++)
            close(fds[i]);
        sleep_ms(20);
        count = programs_of(children[2], fds);
    }
    if (count < 3)
        fail(RUNQLAT " did not attach", ETIMEDOUT);
    ns = measure(fds, count);
    for (int i = 0; i < count; i++)
        close(fds[i]);
    stop_child(2);
    return ns;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts; returns the median and the distance of the extremes from each other in percent of it. */
static double median(double *values, double *ret_spread)
{
    qsort(values, ROUNDS, sizeof(*values), compare_doubles);
    *ret_spread = (values[ROUNDS - 1] - values[0]) / values[ROUNDS / 2] * 100;
    return values[ROUNDS / 2];
}

static void print_figure(const char *name, double *ours, double peer, double limit_ns,
                         double limit_ratio)
{
    double spread, ns = median(ours, &spread);
    char required[64];

    if (limit_ratio > 0)
        snprintf(required, sizeof(required), "<= %.0f ns, <= 1/%.0f", limit_ns, 1 / limit_ratio);
    else
        snprintf(required, sizeof(required), "<= %.0f ns", limit_ns);
    printf("{\"name\": \"%s\", \"unit\": \"net ns/switch\", \"ours\": %.1f, "
           "\"peer_name\": \"runqlat\", \"peer\": %.1f, \"ratio\": %.4f, \"required\": \"%s\", "
           "\"ok\": %s, \"repetitions\": %d, \"spread_percent\": %.1f}\n",
           name, ns, peer, ns / peer, required,
           ns <= limit_ns && (limit_ratio <= 0 || ns / peer <= limit_ratio) ? "true" : "false",
           ROUNDS, spread);
}

int main(void)
{
    double figures[VARIANT_COUNT][ROUNDS], spread, peer;
    int stats = bpf_enable_stats(BPF_STATS_RUN_TIME);

    if (stats < 0)
        fail("run-time statistics", stats);
    attach_empty();
    start_load();
    for (int round = 0; round < ROUNDS; round++) {
        figures[HOST][round] = measure_ours(false);
        figures[CGROUPS][round] = measure_ours(true);
        figures[PEER][round] = measure_runqlat();
    }
    stop_all();
    peer = median(figures[PEER], &spread);
    print_figure("scheduler program: host, class, on-CPU", figures[HOST], peer, 40, 1.0 / 15);
    print_figure("scheduler program with per-cgroup histogram", figures[CGROUPS], peer, 90, 0);
    return 0;
}
