/* The task snapshot of a host with 1,000 processes more than it had: iterator, sums per process and
 * the top lists, beside reading /proc/PID/stat of them all. */
#include "abi/task.h"
#include "model/task_table.h"
#include "probe/map.h"
#include "probe/probe.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES 1000
#define REPETITIONS 15
#define REQUIRED_MS 2.0

static pid_t children[PROCESSES];

static double now_ms(void)
{
    return (double)clock_monotonic_ns(clock_system()) / (double)NS_PER_MS;
}

static int start_children(void)
{
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] < 0)
            return -errno;
        if (children[i] == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            for (;;)
                pause();
        }
    }
    return 0;
}

static void end_children(void)
{
    for (int i = 0; i < PROCESSES && children[i] > 0; i++) {
        kill(children[i], SIGKILL);
        waitpid(children[i], NULL, 0);
    }
}

static void add_row(void *ctx, const struct task_row *row)
{
    task_table_add(ctx, row);
}

static int snapshot(struct probe *probe, struct task_table *table)
{
    struct process_row top[TOP_COUNT];
    int rows;

    task_table_begin(table, clock_monotonic_ns(clock_system()), true,
                     (unsigned)sysconf(_SC_NPROCESSORS_ONLN));
    rows = probe_tasks_for_each(probe, add_row, table);
    if (task_table_end(table) < 0 || rows < 0)
        return -1;
    for (int order = 0; order < TOP_ORDER_COUNT; order++) {
        const struct task_query query = {.order = (enum top_order)order};

        task_table_top(table, &query, top, TOP_COUNT);
    }
    return rows;
}

/* What a walk of /proc cannot do without: open, read and close the stat file of each process. */
static int walk_proc(void)
{
    static char text[1024];
    DIR *dir = opendir("/proc");
    struct dirent *entry;
    int count = 0;

    while (dir && (entry = readdir(dir))) {
        char path[300];
        int fd;

        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        count += read(fd, text, sizeof(text)) > 0;
        close(fd);
    }
    if (dir)
        closedir(dir);
    return count;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts. */
static double median(double *values)
{
    qsort(values, REPETITIONS, sizeof(*values), compare);
    return values[REPETITIONS / 2];
}

static void measure(struct probe *probe, struct task_table *table)
{
    double ours[REPETITIONS], peer[REPETITIONS], ours_ms, peer_ms, spread;

    snapshot(probe, table); /* grows the table */
    for (int i = 0; i < REPETITIONS; i++) {
        double began = now_ms(), between;

        if (snapshot(probe, table) < PROCESSES)
            exit(1);
        between = now_ms();
        ours[i] = between - began;
        if (walk_proc() < PROCESSES)
            exit(1);
        peer[i] = now_ms() - between;
    }
    ours_ms = median(ours);
    peer_ms = median(peer);
    spread = 100 * (ours[REPETITIONS - 1] - ours[0]) / ours_ms;
    printf("{\"name\": \"task snapshot of %d processes\", \"unit\": \"ms\", \"ours\": %.3f, "
           "\"peer_name\": \"reading /proc/*/stat\", \"peer\": %.3f, \"ratio\": %.3f, "
           "\"required\": \"<= %.0f ms\", \"ok\": %s, \"repetitions\": %d, "
           "\"spread_percent\": %.1f}\n",
           PROCESSES, ours_ms, peer_ms, ours_ms / peer_ms, REQUIRED_MS,
           ours_ms <= REQUIRED_MS ? "true" : "false", REPETITIONS, spread);
}

int main(void)
{
    struct probe_config config = {.ring_bytes = 1 << 20, .cgroups_max = 1024};
    struct probe_ops ops = {0};
    char error[PROBE_ERROR_BYTES];
    struct task_table *table = NULL;
    struct probe *probe = NULL;
    const char *reason;
    int status = 1;

    for (int c = 0; c < CONCERN_COUNT; c++)
        config.mode[c] = c == CONCERN_TASKS ? PROBE_AUTO : PROBE_OFF;
    if (probe_create(&probe, &config, clock_system(), &ops, error) < 0)
        fprintf(stderr, "tasks: %s\n", error);
    else if (!probe_concern_active(probe, CONCERN_TASKS, &reason))
        fprintf(stderr, "tasks: the iterator does not run: %s\n", reason);
    else if (task_table_create(&table) < 0 || start_children() < 0)
        fprintf(stderr, "tasks: %s\n", strerror(errno));
    else
        status = 0;
    if (status == 0)
        measure(probe, table);
    end_children();
    task_table_destroy(table);
    probe_destroy(probe);
    return status;
}
