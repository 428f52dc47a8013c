/* Memory running out, of the whole guest: the OOM kill, the stalls before it, memory.reclaim. */
#include "abi/reclaim.h"
#include "own_cgroup.h"
#include "probe_fixture.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define COMM "mw-guest-hog"
#define CACHE_FILE "/var/tmp/mw-cache" /* on purpose: the guest has one test of it */
#define CACHE_MEBIBYTES 64

static struct probe_fixture f;
static char cgroup[256];

static int clean_up(void **state)
{
    (void)state;
    fixture_close(&f);
    unlink(CACHE_FILE);
    if (cgroup[0])
        cgroup_remove(cgroup);
    cgroup[0] = '\0';
    return 0;
}

/* Page cache that reclaim finds first: clean, on a real disk. */
static void make_cache(void)
{
    static char block[1 << 20];
    int fd = open(CACHE_FILE, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    for (int i = 0; i < CACHE_MEBIBYTES; i++)
        assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
    assert_int_equal(fsync(fd), 0);
    close(fd);
}

static uint64_t vmstat_sum(const char *prefix)
{
    FILE *file = fopen("/proc/vmstat", "re");
    char name[64];
    unsigned long long value, sum = 0;

    assert_non_null(file);
    while (fscanf(file, "%63s %llu", name, &value) == 2)
        if (strncmp(name, prefix, strlen(prefix)) == 0)
            sum += value;
    fclose(file);
    return sum;
}

struct kind_count {
    enum reclaim_kind kind;
    uint64_t count;
};

static void add_row(void *ctx, const void *key, const void *values, unsigned cpus, size_t stride)
{
    const struct reclaim_key *row = key;
    struct kind_count *sum = ctx;

    for (unsigned cpu = 0; row->kind == sum->kind && cpu < cpus; cpu++)
        sum->count += ((const struct latency *)((const char *)values + cpu * stride))->count;
}

static uint64_t stalls(enum reclaim_kind kind)
{
    struct kind_count sum = {.kind = kind};

    assert_true(probe_map_for_each(f.probe, "reclaim_cgrp", add_row, &sum) >= 0);
    return sum.count;
}

static pid_t run_hog(void)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, "1000", 4) != 4 || prctl(PR_SET_NAME, COMM) < 0)
            _exit(98);
        close(fd);
        while (mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) != MAP_FAILED)
            ;
        _exit(97);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status))
        fail_msg("the hog ended with status %d", WEXITSTATUS(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    return pid;
}

static bool has_victim(struct probe_fixture *fixture, void *pid)
{
    for (size_t i = 0; i < fixture->count; i++)
        if (fixture->records[i].head.type == RECORD_OOM &&
            fixture->records[i].oom.pid == *(uint32_t *)pid)
            return true;
    return false;
}

static void the_host_runs_out(void **state)
{
    uint64_t kills, kernel_stalls, ours;
    const struct record_oom *record = NULL;
    uint32_t pid;

    fixture_open(&f, 1u << CONCERN_OOM | 1u << CONCERN_RECLAIM, PROBE_AUTO);
    make_cache();
    kills = vmstat_sum("oom_kill");
    kernel_stalls = vmstat_sum("allocstall");
    ours = stalls(RECLAIM_DIRECT);
    pid = (uint32_t)run_hog();
    fixture_wait(&f, has_victim, &pid, "the record of the victim");
    assert_int_equal(vmstat_sum("oom_kill") - kills, 1);
    for (size_t i = 0; i < f.count; i++)
        if (f.records[i].head.type == RECORD_OOM)
            record = &f.records[i].oom;
    assert_int_equal(record->pid, pid);
    assert_string_equal(record->comm, COMM);
    assert_int_equal(record->oom_score_adj, 1000);
    assert_int_equal(record->limit_cgroup_id, 0);
    assert_int_equal(record->limit_bytes, 0);
    assert_true(record->anon_rss_bytes > 100ull << 20);

    /* The kernel counts each of up to three passes (do_try_to_free_pages starts over for pages and
     * cgroups that it spared at first); a thread may be in between. */
    ours = stalls(RECLAIM_DIRECT) - ours;
    kernel_stalls = vmstat_sum("allocstall") - kernel_stalls;
    print_message("direct reclaim: %llu stalls, allocstall %llu; victim had %llu MiB\n",
                  (unsigned long long)ours, (unsigned long long)kernel_stalls,
                  (unsigned long long)record->anon_rss_bytes >> 20);
    assert_true(ours > 0);
    assert_true(ours <= kernel_stalls + 1);
    assert_true(ours + 1 >= kernel_stalls / 3);
}

/* memory.reclaim came with Linux 5.19 (commit 94968384dde1). */
static void a_cgroup_told_to_shrink_shows(void **state)
{
    uint64_t before;
    char mount[128];
    pid_t pid;
    int status;

    fixture_open(&f, 1u << CONCERN_RECLAIM, PROBE_AUTO);
    assert_true(cgroup_mount(NULL, mount, sizeof(mount)));
    assert_true(cgroup_write(mount, "cgroup.subtree_control", "+memory"));
    snprintf(cgroup, sizeof(cgroup), "%s/moonwatch-reclaim-%d", mount, getpid());
    assert_true(cgroup_make(cgroup) != 0);
    {
        char path[300];

        snprintf(path, sizeof(path), "%s/memory.reclaim", cgroup);
        if (access(path, W_OK) < 0) {
            print_message("this kernel has no memory.reclaim\n");
            skip();
        }
    }
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (!cgroup_write(cgroup, "cgroup.procs", "0"))
            _exit(98);
        make_cache();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    before = stalls(RECLAIM_MEMCG);
    assert_true(cgroup_write(cgroup, "memory.reclaim", "8M"));
    assert_true(stalls(RECLAIM_MEMCG) > before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_host_runs_out, clean_up),
        cmocka_unit_test_teardown(a_cgroup_told_to_shrink_shows, clean_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
