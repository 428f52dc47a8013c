/* Maps read in batches and one by one, against bpftool's reading of the same pins. */
#include "loader_fixture.h"
#include "probe/probe_state.h"
#include <bpf/libbpf.h>
#include <cjson/cJSON.h>

#define ROWS 700

static struct loader loader;

/* By key: the sum over the CPUs of `a` and `b`. */
struct sums {
    uint64_t a[ROWS], b[ROWS];
    unsigned seen[ROWS];
    unsigned cpus;
};

static int setup(void **state)
{
    loader_init(&loader);
    return 0;
}

static int teardown(void **state)
{
    loader_close(&loader);
    return 0;
}

static void fill_rows(unsigned count)
{
    int fd = loader_map_fd(&loader, "flood_rows");
    int cpus = libbpf_num_possible_cpus();
    size_t stride = (sizeof(struct flood_row) + 7) & ~7ul;
    char *values = calloc((size_t)cpus, stride);

    assert_non_null(values);
    for (uint64_t key = 0; key < count; key++) {
        for (int cpu = 0; cpu < cpus; cpu++) {
            struct flood_row *row = (void *)(values + (size_t)cpu * stride);

            *row = (struct flood_row){.a = key * 1000 + (unsigned)cpu, .b = 1u << cpu % 32};
        }
        assert_int_equal(bpf_map_update_elem(fd, &key, values, BPF_ANY), 0);
    }
    free(values);
    close(fd);
}

static void add_row(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    struct sums *sums = ctx;
    uint64_t index;

    memcpy(&index, key, sizeof(index));
    assert_true(index < ROWS);
    sums->seen[index]++;
    sums->cpus = cpus;
    for (unsigned cpu = 0; cpu < cpus; cpu++) {
        const struct flood_row *row = (const void *)((const char *)values + cpu * stride);

        sums->a[index] += row->a;
        sums->b[index] += row->b;
    }
}

/* What bpftool reads, formatted by the map's BTF. */
static void read_with_bpftool(struct sums *sums)
{
    const cJSON *row, *value;
    size_t size, room = 16 << 20;
    char *text = malloc(room);
    char command[192];
    cJSON *rows;
    FILE *pipe;

    assert_non_null(text);
    snprintf(command, sizeof(command),
             "PATH=$PATH:/usr/sbin bpftool -j map dump pinned %s/flood_rows", loader.pins);
    pipe = popen(command, "r");
    assert_non_null(pipe);
    size = fread(text, 1, room, pipe);
    assert_int_equal(pclose(pipe), 0);
    rows = cJSON_ParseWithLength(text, size);
    free(text);
    assert_true(cJSON_IsArray(rows));
    cJSON_ArrayForEach (row, rows) {
        const cJSON *formatted = cJSON_GetObjectItem(row, "formatted");
        uint64_t key = (uint64_t)cJSON_GetObjectItem(formatted, "key")->valuedouble;

        assert_true(key < ROWS);
        sums->seen[key]++;
        cJSON_ArrayForEach (value, cJSON_GetObjectItem(formatted, "values")) {
            const cJSON *fields = cJSON_GetObjectItem(value, "value");

            sums->a[key] += (uint64_t)cJSON_GetObjectItem(fields, "a")->valuedouble;
            sums->b[key] += (uint64_t)cJSON_GetObjectItem(fields, "b")->valuedouble;
        }
    }
    cJSON_Delete(rows);
}

static void assert_rows_equal_bpftool(bool no_batch)
{
    static struct sums ours, theirs;

    memset(&ours, 0, sizeof(ours));
    memset(&theirs, 0, sizeof(theirs));
    loader_open_flood(&loader);
    fill_rows(ROWS);
    map_find(loader.probe, "flood_rows")->no_batch = no_batch;
    assert_int_equal(probe_map_for_each(loader.probe, "flood_rows", add_row, &ours), ROWS);
    assert_int_equal(map_find(loader.probe, "flood_rows")->no_batch, no_batch);
    assert_int_equal(ours.cpus, libbpf_num_possible_cpus());
    read_with_bpftool(&theirs);
    for (unsigned i = 0; i < ROWS; i++)
        assert_int_equal(ours.seen[i], 1);
    assert_memory_equal(ours.seen, theirs.seen, sizeof(ours.seen));
    assert_memory_equal(ours.a, theirs.a, sizeof(ours.a));
    assert_memory_equal(ours.b, theirs.b, sizeof(ours.b));
}

static void test_batches_equal_bpftool(void **state)
{
    skip_unless_root();
    assert_rows_equal_bpftool(false);
}

static void test_single_rows_equal_bpftool(void **state)
{
    skip_unless_root();
    assert_rows_equal_bpftool(true);
}

static void count_row(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    ++*(unsigned *)ctx;
}

static void test_sizes_at_the_edges(void **state)
{
    static const unsigned counts[] = {0, 1, 7, 8, 9};
    unsigned rows;

    skip_unless_root();
    loader_open_flood(&loader);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        fill_rows(counts[i]);
        for (int no_batch = 0; no_batch < 2; no_batch++) {
            rows = 0;
            map_find(loader.probe, "flood_rows")->no_batch = no_batch;
            assert_int_equal(probe_map_for_each(loader.probe, "flood_rows", count_row, &rows),
                             counts[i]);
            assert_int_equal(rows, counts[i]);
        }
    }
    /* An array is read to its end in either way. */
    for (int no_batch = 0; no_batch < 2; no_batch++) {
        rows = 0;
        map_find(loader.probe, "map_drops")->no_batch = no_batch;
        assert_int_equal(probe_map_for_each(loader.probe, "map_drops", count_row, &rows),
                         MAP_DROP_COUNT);
    }
    assert_int_equal(probe_map_for_each(loader.probe, "nothing", count_row, &rows), -ENOENT);
}

static void test_rows_are_deleted(void **state)
{
    uint64_t key = 1;
    unsigned rows = 0;

    skip_unless_root();
    loader_open_flood(&loader);
    fill_rows(3);
    assert_int_equal(probe_map_delete(loader.probe, "flood_rows", &key), 0);
    assert_int_equal(probe_map_delete(loader.probe, "flood_rows", &key), -ENOENT);
    assert_int_equal(probe_map_for_each(loader.probe, "flood_rows", count_row, &rows), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_batches_equal_bpftool, setup, teardown),
        cmocka_unit_test_setup_teardown(test_single_rows_equal_bpftool, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sizes_at_the_edges, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rows_are_deleted, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
