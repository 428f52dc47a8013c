/* CPU time per mode and core, load and task counts, from /proc/stat and /proc/loadavg. */
#include "base/array.h"
#include "base/file.h"
#include "base/scan.h"
#include "collect/collector.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* iowait and idle of a CPU may step back a little (proc(5); the kernel estimates them while the
 * CPU sleeps). The highest value seen stands until they pass it again. A larger step back is a
 * counter that began anew. node_exporter draws the line at 3 s too. */
#define STEP_BACK_SECONDS 3

/* CONFIG_NR_CPUS can be at most this on x86-64 and arm64. */
#define CORES_MAX 8192

struct ticks_before {
    bool seen;
    uint64_t ticks[CPU_MODE_COUNT];
};

struct core_state {
    unsigned id;
    struct ticks_before baseline;
};

struct cpu_state {
    struct proc_file stat, loadavg;
    char *buffer;
    size_t capacity;
    double ticks_per_second;
    struct ticks_before total;
    struct core_state *before, *now; /* sorted by id, as the kernel prints them */
    size_t before_count, core_capacity;
    struct cpu_core *cores;
    char stat_reason[96], loadavg_reason[96];
};

static void times_missing(struct cpu_times *t, const char *why)
{
    for (int mode = 0; mode < CPU_MODE_COUNT; mode++) {
        t->seconds_total[mode] = NAN;
        t->percent[mode] = reading_missing(why);
    }
    t->usage_percent = reading_missing(why);
}

/* Moves the baseline to `ticks` and writes the shares of the time in between. */
static void times_update(const struct cpu_state *s, struct ticks_before *b,
                         const uint64_t ticks[CPU_MODE_COUNT], struct cpu_times *t)
{
    const char *why = b->seen ? NULL : "needs two samples";
    uint64_t delta[CPU_MODE_COUNT], elapsed = 0;
    double busy;

    for (int mode = 0; mode < CPU_MODE_COUNT; mode++) {
        uint64_t back = b->ticks[mode] > ticks[mode] ? b->ticks[mode] - ticks[mode] : 0;

        delta[mode] = b->seen && !back ? ticks[mode] - b->ticks[mode] : 0;
        elapsed += delta[mode];
        if (b->seen && (double)back > STEP_BACK_SECONDS * s->ticks_per_second)
            why = "the kernel's counters began anew";
        else if (b->seen && back)
            continue;
        b->ticks[mode] = ticks[mode];
    }
    b->seen = true;
    if (!why && elapsed == 0)
        why = "no time was accounted since the sample before";
    times_missing(t, why);
    for (int mode = 0; mode < CPU_MODE_COUNT; mode++) {
        t->seconds_total[mode] = (double)b->ticks[mode] / s->ticks_per_second;
        if (!why)
            t->percent[mode] = reading_of(100.0 * (double)delta[mode] / (double)elapsed);
    }
    if (why)
        return;
    busy = (double)(elapsed - delta[CPU_IDLE] - delta[CPU_IOWAIT]);
    t->usage_percent = reading_of(100.0 * busy / (double)elapsed);
}

/* "user nice system idle iowait irq softirq steal", in the order of enum cpu_mode. */
static bool parse_ticks(struct scan *line, uint64_t ticks[CPU_MODE_COUNT])
{
    for (int mode = 0; mode < CPU_MODE_COUNT; mode++)
        if (!scan_u64(line, &ticks[mode]))
            return false;
    return true;
}

static bool grow_cores(struct cpu_state *s, size_t count)
{
    size_t before = s->core_capacity, now = before, cores = before;

    if (!ARRAY_GROW(s->before, before, count) || !ARRAY_GROW(s->now, now, count) ||
        !ARRAY_GROW(s->cores, cores, count))
        return false;
    s->core_capacity = cores;
    return true;
}

/* A core is compared with itself only: ids are sparse, and cores come and go. */
static struct ticks_before core_baseline(const struct cpu_state *s, uint64_t id, size_t *cursor)
{
    while (*cursor < s->before_count && s->before[*cursor].id < id)
        ++*cursor;
    if (*cursor < s->before_count && s->before[*cursor].id == id)
        return s->before[*cursor].baseline;
    return (struct ticks_before){.seen = false};
}

static void add_core(struct cpu_state *s, uint64_t id, const uint64_t ticks[CPU_MODE_COUNT],
                     size_t *cursor, struct cpu_snapshot *cpu)
{
    struct core_state *core;

    if (cpu->core_count >= CORES_MAX || id >= CORES_MAX)
        return;
    if (cpu->core_count == s->core_capacity && !grow_cores(s, cpu->core_count + 1))
        return;
    core = &s->now[cpu->core_count];
    core->id = (unsigned)id;
    core->baseline = core_baseline(s, id, cursor);
    s->cores[cpu->core_count].id = (unsigned)id;
    times_update(s, &core->baseline, ticks, &s->cores[cpu->core_count].times);
    cpu->core_count++;
}

static void all_missing(struct cpu_snapshot *cpu, const char *why)
{
    times_missing(&cpu->total, why);
    cpu->core_count = 0;
    cpu->cores = NULL;
    cpu->runnable = reading_missing(why);
    cpu->blocked = reading_missing(why);
    cpu->context_switches_total = reading_missing(why);
    cpu->boot_time_seconds = reading_missing(why);
}

static void parse_stat(struct cpu_state *s, struct scan file, struct cpu_snapshot *cpu)
{
    struct {
        const char *key;
        struct reading *reading;
    } const counts[] = {
        {"ctxt", &cpu->context_switches_total},
        {"btime", &cpu->boot_time_seconds},
        {"procs_running", &cpu->runnable},
        {"procs_blocked", &cpu->blocked},
    };
    uint64_t ticks[CPU_MODE_COUNT], id = 0;
    struct scan line, word;
    struct core_state *swap;
    size_t cursor = 0;

    all_missing(cpu, "not in /proc/stat");
    while (scan_line(&file, &line)) {
        if (!scan_word(&line, &word))
            continue;
        if (scan_skip(&word, "cpu")) {
            bool total = word.at == word.end;

            if (!(total || scan_is_u64(&word, &id)) || !parse_ticks(&line, ticks))
                continue;
            if (total)
                times_update(s, &s->total, ticks, &cpu->total);
            else
                add_core(s, id, ticks, &cursor, cpu);
            continue;
        }
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
            if (scan_is(&word, counts[i].key) && scan_u64(&line, &id))
                *counts[i].reading = reading_of((double)id);
    }
    swap = s->before;
    s->before = s->now;
    s->now = swap;
    s->before_count = cpu->core_count;
    cpu->cores = s->cores;
}

static void sample_load(struct cpu_state *s, struct cpu_snapshot *cpu)
{
    struct reading *loads[] = {&cpu->load1, &cpu->load5, &cpu->load15};
    ssize_t len = proc_file_read_line(&s->loadavg, &s->buffer, &s->capacity);
    const char *why = "/proc/loadavg is cut short or garbled";
    struct scan file, line = {NULL, NULL};
    double values[3];
    bool complete;

    if (len < 0) {
        snprintf(s->loadavg_reason, sizeof(s->loadavg_reason), "/proc/loadavg: %s",
                 strerror((int)-len));
        why = s->loadavg_reason;
    }
    file = scan_of(s->buffer, len < 0 ? 0 : (size_t)len);
    complete = len >= 0 && scan_line(&file, &line);
    for (int i = 0; i < 3; i++)
        complete = complete && scan_decimal(&line, &values[i]);
    for (int i = 0; i < 3; i++)
        *loads[i] = complete ? reading_of(values[i]) : reading_missing(why);
}

static void cpu_sample(void *state, uint64_t now_ns, struct snapshot *snapshot)
{
    struct cpu_state *s = state;
    struct cpu_snapshot *cpu = &snapshot->cpu;
    ssize_t len = proc_file_read(&s->stat, &s->buffer, &s->capacity);

    (void)now_ns;
    cpu->missing = NULL;
    if (len < 0) {
        snprintf(s->stat_reason, sizeof(s->stat_reason), "/proc/stat: %s", strerror((int)-len));
        cpu->missing = s->stat_reason;
        all_missing(cpu, s->stat_reason);
    } else {
        parse_stat(s, scan_of(s->buffer, (size_t)len), cpu);
    }
    sample_load(s, cpu);
}

static int cpu_open(void *state, const struct collector_env *env)
{
    struct cpu_state *s = state;

    s->ticks_per_second = (double)sysconf(_SC_CLK_TCK);
    proc_file_open(&s->stat, env->host->proc, "stat");
    proc_file_open(&s->loadavg, env->host->proc, "loadavg");
    return 0;
}

static void cpu_close(void *state)
{
    struct cpu_state *s = state;

    proc_file_close(&s->stat);
    proc_file_close(&s->loadavg);
    free(s->buffer);
    free(s->before);
    free(s->now);
    free(s->cores);
}

const struct collector cpu_collector = {
    .name = "cpu",
    .state_size = sizeof(struct cpu_state),
    .open = cpu_open,
    .sample = cpu_sample,
    .close = cpu_close,
};
