#include "collect/last_known.h"
#include <errno.h>
#include <stdlib.h>

/* Readings that stand side by side in struct snapshot, from the first to the last of them. */
struct run {
    size_t first, last;
    size_t missing; /* offset + 1 of what says that all of them are unknown; 0: nothing does */
};

#define RUN(from, to, why)                                                                         \
    {                                                                                              \
        offsetof(struct snapshot, from), offsetof(struct snapshot, to),                            \
            offsetof(struct snapshot, why) + 1                                                     \
    }
#define ALONE(from, to)                                                                            \
    {                                                                                              \
        offsetof(struct snapshot, from), offsetof(struct snapshot, to), 0                          \
    }
#define PRESSURE(kind, share)                                                                      \
    RUN(pressure.resource[kind].share.avg10_percent, pressure.resource[kind].share.seconds_total,  \
        pressure.missing)

static const struct run runs[] = {
    RUN(cpu.total.percent[0], cpu.total.usage_percent, cpu.missing),
    RUN(cpu.load1, cpu.boot_time_seconds, cpu.missing),
    RUN(memory.total_bytes, memory.major_faults_total, memory.missing),
    PRESSURE(PRESSURE_CPU, some),
    PRESSURE(PRESSURE_CPU, full),
    PRESSURE(PRESSURE_MEMORY, some),
    PRESSURE(PRESSURE_MEMORY, full),
    PRESSURE(PRESSURE_IO, some),
    PRESSURE(PRESSURE_IO, full),
    ALONE(process.processes, process.files_usage_percent),
    ALONE(process.forks_per_second, process.forks_per_second),
    RUN(network.conntrack_entries, network.retransmit_percent, network.missing),
};

#define RUN_COUNT (sizeof(runs) / sizeof(runs[0]))

static size_t length(const struct run *run)
{
    return (run->last - run->first) / sizeof(struct reading) + 1;
}

struct remembered {
    struct last_value value;
    uint64_t known_ns; /* 0: never */
};

struct last_known {
    size_t count;
    struct remembered values[];
};

int last_known_create(struct last_known **ret)
{
    struct last_known *l;
    size_t count = 0;

    for (size_t i = 0; i < RUN_COUNT; i++)
        count += length(&runs[i]);
    l = calloc(1, sizeof(*l) + count * sizeof(l->values[0]));
    if (!l)
        return -ENOMEM;
    l->count = count;
    *ret = l;
    return 0;
}

void last_known_destroy(struct last_known *l)
{
    free(l);
}

static void update(struct remembered *r, struct reading *reading, bool known, uint64_t now_ns)
{
    reading->last = NULL;
    if (known) {
        r->value.value = reading->value;
        r->known_ns = now_ns;
    } else if (r->known_ns && now_ns - r->known_ns <= LAST_KNOWN_MAX_NS) {
        r->value.age_ns = now_ns - r->known_ns;
        reading->last = &r->value;
    }
}

void last_known_update(struct last_known *l, struct snapshot *snapshot, uint64_t now_ns)
{
    char *base = (char *)snapshot;
    struct remembered *r = l->values;

    for (size_t i = 0; i < RUN_COUNT; i++) {
        struct reading *reading = (struct reading *)(base + runs[i].first);
        const char *missing =
            runs[i].missing ? *(const char *const *)(base + runs[i].missing - 1) : NULL;

        for (size_t n = length(&runs[i]); n > 0; n--, r++, reading++)
            update(r, reading, !missing && reading_known(*reading), now_ns);
    }
}
