/* Every file of every fixture tree, cut short at every byte: nothing crashes, and every figure is
 * either what the whole file says or missing with a reason. Never a silent zero, never a smaller
 * number. */
#include "paths.h"
#include "tree.h"
#include <dirent.h>

static const struct collector *const collectors[] = {
    &cpu_collector, &memory_collector, &pressure_collector, &throttle_collector, &disk_collector,
};

#define COLLECTORS (sizeof(collectors) / sizeof(collectors[0]))

struct run {
    void *states[COLLECTORS];
    struct snapshot snapshot;
};

static void run_open(struct run *r, struct tree *t)
{
    memset(r, 0, sizeof(*r));
    for (size_t i = 0; i < COLLECTORS; i++) {
        r->states[i] = calloc(1, collectors[i]->state_size);
        assert_int_equal(collectors[i]->open(r->states[i], &t->env), 0);
    }
}

static void run_sample(struct run *r, uint64_t now_ns)
{
    for (size_t i = 0; i < COLLECTORS; i++)
        collectors[i]->sample(r->states[i], now_ns, &r->snapshot);
}

static void run_close(struct run *r)
{
    for (size_t i = 0; i < COLLECTORS; i++) {
        collectors[i]->close(r->states[i]);
        free(r->states[i]);
    }
}

/* Where the tree is cut, for the message. */
static char place[600];

static void check(const char *what, struct reading cut, struct reading whole)
{
    if (cut.missing) {
        if (cut.missing[0] == '\0' || !isnan(cut.value))
            fail_msg("%s: %s: missing without a reason, or with a value", place, what);
    } else if (whole.missing || cut.value != whole.value) {
        fail_msg("%s: %s is %g", place, what, cut.value);
    }
}

/* Figures that have no reading of their own are NaN when unknown. */
static void check_number(const char *what, double cut, double whole)
{
    if (!isnan(cut) && cut != whole)
        fail_msg("%s: %s is %g, not %g", place, what, cut, whole);
}

static void check_times(const char *what, const struct cpu_times *cut,
                        const struct cpu_times *whole)
{
    check(what, cut->usage_percent, whole->usage_percent);
    for (int mode = 0; mode < CPU_MODE_COUNT; mode++) {
        check(what, cut->percent[mode], whole->percent[mode]);
        check_number(what, cut->seconds_total[mode], whole->seconds_total[mode]);
    }
}

static void check_cpu(const struct cpu_snapshot *cut, const struct cpu_snapshot *whole)
{
    check_times("cpu", &cut->total, &whole->total);
    check("load1", cut->load1, whole->load1);
    check("load5", cut->load5, whole->load5);
    check("load15", cut->load15, whole->load15);
    check("runnable", cut->runnable, whole->runnable);
    check("blocked", cut->blocked, whole->blocked);
    check("context switches", cut->context_switches_total, whole->context_switches_total);
    check("boot time", cut->boot_time_seconds, whole->boot_time_seconds);
    assert_true(cut->core_count <= whole->core_count);
    for (size_t i = 0; i < cut->core_count; i++) {
        assert_int_equal(cut->cores[i].id, whole->cores[i].id);
        check_times("core", &cut->cores[i].times, &whole->cores[i].times);
    }
}

/* The section is a reason followed by nothing but readings. */
static void check_memory(const struct memory_snapshot *cut, const struct memory_snapshot *whole)
{
    size_t first = offsetof(struct memory_snapshot, total_bytes);

    for (size_t at = first; at < sizeof(*cut); at += sizeof(struct reading)) {
        struct reading a, b;

        memcpy(&a, (const char *)cut + at, sizeof(a));
        memcpy(&b, (const char *)whole + at, sizeof(b));
        check("memory", a, b);
    }
}

static void check_pressure(const struct pressure_snapshot *cut,
                           const struct pressure_snapshot *whole)
{
    for (int r = 0; r < PRESSURE_RESOURCE_COUNT; r++) {
        const struct pressure_line *a[] = {&cut->resource[r].some, &cut->resource[r].full};
        const struct pressure_line *b[] = {&whole->resource[r].some, &whole->resource[r].full};

        for (int i = 0; i < 2; i++) {
            check("avg10", a[i]->avg10_percent, b[i]->avg10_percent);
            check("avg60", a[i]->avg60_percent, b[i]->avg60_percent);
            check("avg300", a[i]->avg300_percent, b[i]->avg300_percent);
            check("stalled", a[i]->seconds_total, b[i]->seconds_total);
        }
    }
}

static void check_throttle(const struct throttle_snapshot *cut,
                           const struct throttle_snapshot *whole)
{
    assert_true(cut->count <= whole->count);
    for (size_t i = 0; i < cut->count; i++) {
        assert_string_equal(cut->rows[i].path, whole->rows[i].path);
        check_number("periods", cut->rows[i].periods_total, whole->rows[i].periods_total);
        check_number("throttled", cut->rows[i].throttled_periods_total,
                     whole->rows[i].throttled_periods_total);
        check_number("throttled time", cut->rows[i].throttled_seconds_total,
                     whole->rows[i].throttled_seconds_total);
    }
}

static const struct block_device *find_device(const struct disk_snapshot *disk, const char *name)
{
    for (size_t i = 0; i < disk->device_count; i++)
        if (strcmp(disk->devices[i].name, name) == 0)
            return &disk->devices[i];
    return NULL;
}

static void check_disk(const struct disk_snapshot *cut, const struct disk_snapshot *whole)
{
    assert_true(cut->filesystem_count > 0 || cut->missing);
    assert_true(cut->device_count > 0 || cut->devices_missing);
    for (size_t i = 0; i < cut->device_count; i++) {
        const struct block_device *a = &cut->devices[i], *b = find_device(whole, a->name);

        /* Whose capacity cannot be read is not left out. */
        if (!b && strstr(place, "/size cut"))
            continue;
        assert_non_null(b);
        check_number("reads", a->reads_total, b->reads_total);
        check_number("writes", a->writes_total, b->writes_total);
        check_number("read", a->read_bytes_total, b->read_bytes_total);
        check_number("written", a->written_bytes_total, b->written_bytes_total);
        check_number("busy", a->io_seconds_total, b->io_seconds_total);
        check("in flight", a->in_flight, b->in_flight);
    }
}

static void check_all(const struct snapshot *cut, const struct snapshot *whole)
{
    check_cpu(&cut->cpu, &whole->cpu);
    check_memory(&cut->memory, &whole->memory);
    check_pressure(&cut->pressure, &whole->pressure);
    check_throttle(&cut->throttle, &whole->throttle);
    check_disk(&cut->disk, &whole->disk);
}

#define FILES_MAX 64

struct listed {
    char path[300]; /* relative to the tree */
    char *text;
    size_t len;
};

static struct listed files[FILES_MAX];
static size_t file_count;

static void list_files(const char *root, const char *relative)
{
    char full[700], child[300];
    struct dirent *entry;
    DIR *dir;

    snprintf(full, sizeof(full), "%s/%s", root, relative);
    dir = opendir(full);
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(child, sizeof(child), "%s%s%s", relative, *relative ? "/" : "", entry->d_name);
        if (entry->d_type == DT_DIR) {
            list_files(root, child);
            continue;
        }
        assert_true(file_count < FILES_MAX);
        strcpy(files[file_count].path, child);
        assert_int_equal(
            file_read_all(root, child, 1 << 20, &files[file_count].text, &files[file_count].len),
            0);
        file_count++;
    }
    closedir(dir);
}

/* Once as the first thing the agent ever reads and once as a file that shrank under it. */
static void cut_at(struct tree *t, const struct listed *file, size_t len, const struct run *whole,
                   struct run *steady)
{
    struct run fresh;

    snprintf(place, sizeof(place), "%s cut at %zu of %zu", file->path, len, file->len);
    tree_write_n(t, file->path, file->text, len);
    run_open(&fresh, t);
    run_sample(&fresh, t->now_ns);
    check_all(&fresh.snapshot, &whole->snapshot);
    run_close(&fresh);
    run_sample(steady, t->now_ns += NS_PER_SECOND);
    check_cpu(&steady->snapshot.cpu, &whole->snapshot.cpu);
    check_memory(&steady->snapshot.memory, &whole->snapshot.memory);
    check_pressure(&steady->snapshot.pressure, &whole->snapshot.pressure);
}

static void cut_everywhere(const char *name)
{
    struct tree *t = tree_create();
    struct run whole, steady;
    char root[400];

    snprintf(root, sizeof(root), "%s/%s", TEST_FIXTURES, name);
    file_count = 0;
    list_files(root, "");
    for (size_t i = 0; i < file_count; i++)
        tree_write_n(t, files[i].path, files[i].text, files[i].len);
    run_open(&whole, t);
    run_sample(&whole, t->now_ns);
    run_open(&steady, t);
    for (size_t i = 0; i < file_count; i++) {
        for (size_t len = 0; len < files[i].len; len++)
            cut_at(t, &files[i], len, &whole, &steady);
        tree_write_n(t, files[i].path, files[i].text, files[i].len);
    }
    for (size_t i = 0; i < file_count; i++)
        free(files[i].text);
    run_close(&steady);
    run_close(&whole);
    tree_destroy(t);
}

/* What the whole trees say, so that the comparison does not compare nothing with nothing. */
static void test_whole_trees(void **state)
{
    static const struct {
        const char *name;
        size_t cores, throttled, devices;
        bool memory_known, swap, pressure;
    } wanted[] = {
        {"small-server", 2, 1, 1, true, true, true},
        {"many-core-hybrid", 62, 1, 5, true, false, true},
        {"container", 1, 0, 0, false, false, false},
    };

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        char proc[400], sys[400];
        struct host host = {.root = "/", .proc = proc, .sys = sys, .own_proc = proc};
        struct tree t = {.now_ns = NS_PER_SECOND, .env = {.host = &host}};
        struct run r;

        snprintf(proc, sizeof(proc), "%s/%s/proc", TEST_FIXTURES, wanted[i].name);
        snprintf(sys, sizeof(sys), "%s/%s/sys", TEST_FIXTURES, wanted[i].name);
        t.env.clock = clock_system();
        run_open(&r, &t);
        run_sample(&r, t.now_ns);
        assert_int_equal(r.snapshot.cpu.core_count, wanted[i].cores);
        assert_int_equal(r.snapshot.throttle.count, wanted[i].throttled);
        assert_int_equal(r.snapshot.disk.device_count, wanted[i].devices);
        assert_int_equal(reading_known(r.snapshot.memory.usage_percent), wanted[i].memory_known);
        assert_int_equal(reading_known(r.snapshot.memory.swap_usage_percent), wanted[i].swap);
        assert_int_equal(!r.snapshot.pressure.missing, wanted[i].pressure);
        run_close(&r);
    }
}

static void test_small_server(void **state)
{
    cut_everywhere("small-server");
}

static void test_many_core_hybrid(void **state)
{
    cut_everywhere("many-core-hybrid");
}

static void test_container(void **state)
{
    cut_everywhere("container");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_trees),
        cmocka_unit_test(test_small_server),
        cmocka_unit_test(test_many_core_hybrid),
        cmocka_unit_test(test_container),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
