/* Memory, swap and huge pages from /proc/meminfo; OOM kills, swapping and major faults from
 * /proc/vmstat; what ZFS gives up under pressure from its arcstats. */
#include "base/file.h"
#include "base/scan.h"
#include "collect/collector.h"
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct memory_state {
    struct proc_file meminfo, vmstat, arcstats;
    char *buffer;
    size_t capacity;
    char meminfo_reason[96], vmstat_reason[96], arcstats_reason[96];
};

struct meminfo_row {
    const char *key; /* as the file has it */
    size_t offset;   /* of a struct reading in struct memory_snapshot */
    const char *absent;
};

#define FIELD(key_, member, absent_)                                                               \
    {                                                                                              \
        .key = (key_), .offset = offsetof(struct memory_snapshot, member), .absent = (absent_)     \
    }

static const char no_hugepages[] = "this kernel has no huge page pool";
static const char not_in_meminfo[] = "not in /proc/meminfo";
static const char not_in_vmstat[] = "not in /proc/vmstat";

static const struct meminfo_row meminfo_fields[] = {
    FIELD("MemTotal:", total_bytes, not_in_meminfo),
    FIELD("MemFree:", free_bytes, not_in_meminfo),
    FIELD("MemAvailable:", available_bytes, "this kernel does not estimate MemAvailable"),
    FIELD("Buffers:", buffers_bytes, not_in_meminfo),
    FIELD("Cached:", cached_bytes, not_in_meminfo),
    FIELD("SwapTotal:", swap_total_bytes, not_in_meminfo),
    FIELD("SwapFree:", swap_free_bytes, not_in_meminfo),
    FIELD("Dirty:", dirty_bytes, not_in_meminfo),
    FIELD("Writeback:", writeback_bytes, not_in_meminfo),
    FIELD("Slab:", slab_bytes, not_in_meminfo),
    FIELD("SReclaimable:", slab_reclaimable_bytes, not_in_meminfo),
    FIELD("HugePages_Total:", hugepages_total, no_hugepages),
    FIELD("HugePages_Free:", hugepages_free, no_hugepages),
    FIELD("Hugepagesize:", hugepage_size_bytes, no_hugepages),
};

static const struct meminfo_row vmstat_fields[] = {
    FIELD("pswpin", swap_in_pages_total, "this kernel has no swap"),
    FIELD("pswpout", swap_out_pages_total, "this kernel has no swap"),
    FIELD("pgmajfault", major_faults_total, not_in_vmstat),
    FIELD("oom_kill", oom_kills_total, not_in_vmstat),
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct reading *field_reading(struct memory_snapshot *m, const struct meminfo_row *f)
{
    return (struct reading *)((char *)m + f->offset);
}

/* "KEY VALUE" or "KEY VALUE kB" per line. Both files keep the order of the tables above, so the
 * search starts where it last matched: most of the lines cost one comparison. */
static void parse(struct scan file, const struct meminfo_row *fields, size_t count,
                  struct memory_snapshot *m)
{
    struct scan line, key, unit;
    uint64_t value;
    size_t next = 0;

    for (size_t i = 0; i < count; i++)
        *field_reading(m, &fields[i]) = reading_missing(fields[i].absent);
    while (scan_line(&file, &line)) {
        size_t i = 0;

        if (!scan_word(&line, &key))
            continue;
        while (i < count && !scan_is(&key, fields[(next + i) % count].key))
            i++;
        if (i == count || !scan_u64(&line, &value))
            continue;
        next = (next + i) % count;
        *field_reading(m, &fields[next]) = reading_of((double)value);
        if (scan_word(&line, &unit) && scan_is(&unit, "kB"))
            field_reading(m, &fields[next])->value *= 1024;
    }
}

static struct reading share_used(struct reading total, struct reading unused, const char *no_total)
{
    double percent;

    if (!reading_known(total))
        return total;
    if (!reading_known(unused))
        return unused;
    if (total.value <= 0)
        return reading_missing(no_total);
    percent = 100.0 * (total.value - unused.value) / total.value;
    /* In containers whose /proc/meminfo is emulated the parts may exceed the total. */
    return reading_of(percent < 0 ? 0 : percent);
}

static void sample_file(struct memory_state *s, struct proc_file *file, const char *name,
                        char *reason, size_t reason_size, const struct meminfo_row *fields,
                        size_t count, struct memory_snapshot *m)
{
    ssize_t len = proc_file_read(file, &s->buffer, &s->capacity);

    if (len >= 0) {
        parse(scan_of(s->buffer, (size_t)len), fields, count, m);
        return;
    }
    snprintf(reason, reason_size, "%s: %s", name, strerror((int)-len));
    for (size_t i = 0; i < count; i++)
        *field_reading(m, &fields[i]) = reading_missing(reason);
}

/* NAME TYPE VALUE per line, after two lines of header. What is above c_min is given back when
 * memory runs low, but MemAvailable knows nothing of it: the cache is in no list of the kernel's.
 */
static bool parse_arcstats(struct scan file, uint64_t *ret_reclaimable_bytes)
{
    uint64_t type, value, size = 0, least = 0;
    bool has_size = false, has_least = false;
    struct scan line, name;

    while (scan_line(&file, &line)) {
        if (!scan_word(&line, &name) || !scan_u64(&line, &type) || !scan_u64(&line, &value))
            continue;
        if (scan_is(&name, "size")) {
            size = value;
            has_size = true;
        } else if (scan_is(&name, "c_min")) {
            least = value;
            has_least = true;
        }
    }
    *ret_reclaimable_bytes = size > least ? size - least : 0;
    return has_size && has_least;
}

static struct reading read_arc(struct memory_state *s)
{
    static const char name[] = "/proc/spl/kstat/zfs/arcstats";
    ssize_t len = proc_file_read(&s->arcstats, &s->buffer, &s->capacity);
    uint64_t bytes;

    if (len == -ENOENT)
        return reading_missing("ZFS is not loaded");
    if (len < 0) {
        snprintf(s->arcstats_reason, sizeof(s->arcstats_reason), "%s: %s", name,
                 strerror((int)-len));
        return reading_missing(s->arcstats_reason);
    }
    if (!parse_arcstats(scan_of(s->buffer, (size_t)len), &bytes))
        return reading_missing("no size and c_min in /proc/spl/kstat/zfs/arcstats");
    return reading_of((double)bytes);
}

static void add_arc(struct memory_snapshot *m)
{
    if (!reading_known(m->arc_reclaimable_bytes) || !reading_known(m->available_bytes))
        return;
    m->available_bytes.value += m->arc_reclaimable_bytes.value;
    if (reading_known(m->total_bytes) && m->available_bytes.value > m->total_bytes.value)
        m->available_bytes = m->total_bytes;
}

static void memory_sample(void *state, uint64_t now_ns, struct snapshot *snapshot)
{
    struct memory_state *s = state;
    struct memory_snapshot *m = &snapshot->memory;

    (void)now_ns;
    sample_file(s, &s->meminfo, "/proc/meminfo", s->meminfo_reason, sizeof(s->meminfo_reason),
                meminfo_fields, COUNT(meminfo_fields), m);
    sample_file(s, &s->vmstat, "/proc/vmstat", s->vmstat_reason, sizeof(s->vmstat_reason),
                vmstat_fields, COUNT(vmstat_fields), m);
    m->missing = m->total_bytes.missing;
    m->arc_reclaimable_bytes = read_arc(s);
    add_arc(m);
    m->usage_percent =
        share_used(m->total_bytes, m->available_bytes, "/proc/meminfo says MemTotal is 0");
    m->swap_usage_percent = share_used(m->swap_total_bytes, m->swap_free_bytes, "no swap");
}

static int memory_open(void *state, const struct collector_env *env)
{
    struct memory_state *s = state;

    proc_file_open(&s->meminfo, env->host->proc, "meminfo");
    proc_file_open(&s->vmstat, env->host->proc, "vmstat");
    proc_file_open(&s->arcstats, env->host->proc, "spl/kstat/zfs/arcstats");
    return 0;
}

static void memory_close(void *state)
{
    struct memory_state *s = state;

    proc_file_close(&s->meminfo);
    proc_file_close(&s->vmstat);
    proc_file_close(&s->arcstats);
    free(s->buffer);
}

const struct collector memory_collector = {
    .name = "memory",
    .state_size = sizeof(struct memory_state),
    .open = memory_open,
    .sample = memory_sample,
    .close = memory_close,
};
