/* What a context switch pays for the scheduler program, beside packaged runqlat on the same load.
 *
 * The kernel's own run-time statistics (BPF_ENABLE_STATS) give the nanoseconds per run of each
 * program. The statistics cost too, so an empty program hangs on the same tracepoint all the time:
 * its figure of the same window is subtracted from each run, and what is left is "net". The load is
 * two processes handing a byte to and fro on one CPU. Beside the empty program one variant is
 * attached at a time, in turns.
 */
#include "program_cost.h"
#include "runq.skel.h"
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define RUNQLAT "/usr/sbin/runqlat"
#define RUNQLAT_PROGRAMS 3 /* two wakeups and the switch */

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

void fail(const char *what, int error)
{
    fprintf(stderr, "sched_switch: %s: %s\n", what, strerror(error < 0 ? -error : error));
    stop_all();
    exit(1);
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

static double measure_ours(int empty, bool cgroups)
{
    static const char *const wanted[] = {"runq_switch", NULL};
    struct runq_bpf *runq = runq_bpf__open();
    double ns;
    int fd;

    if (!runq)
        fail("the scheduler object", errno);
    runq->rodata->count_cgroups = cgroups;
    load_only(runq->obj, wanted);
    if (runq_bpf__attach(runq))
        fail("the scheduler program", errno);
    fd = bpf_program__fd(runq->progs.runq_switch);
    ns = measure_programs(&fd, &empty, 1);
    runq_bpf__destroy(runq);
    return ns;
}

/* The one that runs at a switch comes first. */
static void put_switch_first(int fds[RUNQLAT_PROGRAMS])
{
    for (int i = 0; i < RUNQLAT_PROGRAMS; i++) {
        struct bpf_prog_info info = {0};
        __u32 size = sizeof(info);
        int fd = fds[i];

        if (bpf_obj_get_info_by_fd(fd, &info, &size))
            fail("program info", errno);
        if (!strstr(info.name, "switch"))
            continue;
        fds[i] = fds[0];
        fds[0] = fd;
        return;
    }
    fail(RUNQLAT " has no program for the switch", ENOENT);
}

static double measure_runqlat(int empty)
{
    const int empties[RUNQLAT_PROGRAMS] = {empty, empty, empty};
    int fds[COST_PROGRAMS_MAX];
    double ns;

    children[2] = fork();
    if (children[2] == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (freopen("/dev/null", "w", stdout))
            execl(RUNQLAT, "runqlat", "3600", "1", NULL);
        _exit(127);
    }
    wait_programs(children[2], fds, RUNQLAT_PROGRAMS);
    put_switch_first(fds);
    ns = measure_programs(fds, empties, RUNQLAT_PROGRAMS);
    for (int i = 0; i < RUNQLAT_PROGRAMS; i++)
        close(fds[i]);
    stop_child(2);
    return ns;
}

static void print_figure(const char *name, double *ours, double peer, double limit_ns,
                         double limit_ratio)
{
    double spread, ns = median_of(ours, &spread);
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
    int stats = bpf_enable_stats(BPF_STATS_RUN_TIME), empty;

    if (stats < 0)
        fail("run-time statistics", stats);
    empty = empty_on("sched_switch");
    start_load();
    for (int round = 0; round < ROUNDS; round++) {
        figures[HOST][round] = measure_ours(empty, false);
        figures[CGROUPS][round] = measure_ours(empty, true);
        figures[PEER][round] = measure_runqlat(empty);
    }
    stop_all();
    peer = median_of(figures[PEER], &spread);
    print_figure("scheduler program: host, class, on-CPU", figures[HOST], peer, 40, 1.0 / 15);
    print_figure("scheduler program with per-cgroup histogram", figures[CGROUPS], peer, 90, 0);
    return 0;
}
