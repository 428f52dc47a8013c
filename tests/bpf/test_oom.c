/* A real OOM kill in a memory-limited cgroup of the test's own. */
#include "own_cgroup.h"
#include "probe_fixture.h"
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define LIMIT_BYTES (32ull << 20)
#define COMM "mw-test-hog"
#define HOG_UID 12345

static struct probe_fixture f;
static char outer[320], inner[340];
static uint64_t outer_id, inner_id;
static bool v1;

/* A child begins with the memory of the test, which is much under AddressSanitizer and which its
 * cgroup is not charged for: what it had when it moved in, in memory shared with the test. */
static uint64_t *brought_bytes;

/* The hog lives in `inner`, which has no limit; `outer` has one. */
static void make_cgroups(void)
{
    char mount[256];

    v1 = cgroup_mount("memory", mount, sizeof(mount));
    assert_true(v1 || cgroup_mount(NULL, mount, sizeof(mount)));
    snprintf(outer, sizeof(outer), "%s/moonwatch-test-%d", mount, getpid());
    snprintf(inner, sizeof(inner), "%s/inner", outer);
    if (!v1)
        cgroup_write(mount, "cgroup.subtree_control", "+memory");
    outer_id = cgroup_make(outer);
    if (!cgroup_write(outer, v1 ? "memory.limit_in_bytes" : "memory.max", "32M")) {
        print_message("no memory controller to limit a cgroup with\n");
        skip();
    }
    if (!v1)
        cgroup_write(outer, "cgroup.subtree_control", "+memory");
    inner_id = cgroup_make(inner);
    assert_int_not_equal(inner_id, 0);
}

static int clean_up(void **state)
{
    (void)state;
    fixture_close(&f);
    if (brought_bytes)
        munmap(brought_bytes, sizeof(*brought_bytes));
    brought_bytes = NULL;
    cgroup_remove(inner);
    cgroup_remove(outer);
    return 0;
}

static uint64_t anon_rss_bytes(void)
{
    char text[4096] = "";
    const char *line;
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
        _exit(94);
    close(fd);
    line = strstr(text, "RssAnon:");
    if (!line)
        _exit(93);
    return strtoull(line + strlen("RssAnon:"), NULL, 10) * 1024;
}

static void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        _exit(96);
    close(fd);
}

static void hog(void)
{
    prctl(PR_SET_NAME, COMM);
    *brought_bytes = anon_rss_bytes();
    if (!cgroup_write(inner, "cgroup.procs", "0"))
        _exit(98);
    write_file("/proc/self/oom_score_adj", "500");
    if (setresuid(HOG_UID, HOG_UID, HOG_UID) < 0)
        _exit(95);
    for (;;) {
        char *block = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

        if (block == MAP_FAILED)
            _exit(97);
    }
}

/* How often the kernel says it killed in this cgroup. */
static unsigned long long kernel_oom_kills(const char *cgroup)
{
    const char *file = v1 ? "memory.oom_control" : "memory.events";
    unsigned long long kills = 0;
    char path[400], line[128];
    FILE *stream;

    snprintf(path, sizeof(path), "%s/%s", cgroup, file);
    stream = fopen(path, "re");
    assert_non_null(stream);
    while (fgets(line, sizeof(line), stream))
        sscanf(line, "oom_kill %llu", &kills);
    fclose(stream);
    return kills;
}

static pid_t run_hog(void)
{
    pid_t pid;
    int status;

    brought_bytes = mmap(NULL, sizeof(*brought_bytes), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(brought_bytes != MAP_FAILED);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        hog();
        _exit(99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status))
        fail_msg("the hog ended with status %d", WEXITSTATUS(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    return pid;
}

static size_t ooms_of(pid_t pid, struct record_oom *ret)
{
    size_t count = 0;

    for (size_t i = 0; i < f.count; i++) {
        if (f.records[i].head.type != RECORD_OOM || f.records[i].oom.pid != (uint32_t)pid)
            continue;
        *ret = f.records[i].oom;
        count++;
    }
    return count;
}

static void check_kill(enum probe_mode mode, const char *method)
{
    struct record_oom record = {0};
    pid_t pid;

    make_cgroups();
    fixture_open(&f, 1u << CONCERN_OOM | 1u << CONCERN_PROCESS, mode);
    assert_string_equal(probe_concern_method(f.probe, CONCERN_OOM), method);
    pid = run_hog();
    fixture_wait(&f, fixture_has_exit, &pid, "the record of the victim's exit");
    assert_int_equal(ooms_of(pid, &record), 1);
    assert_int_equal(kernel_oom_kills(inner), 1);
    assert_string_equal(record.comm, COMM);
    assert_int_equal(record.uid, HOG_UID);
    assert_int_equal(record.oom_score_adj, 500);
    assert_int_equal(record.cgroup_id, inner_id);
    assert_int_equal(record.limit_cgroup_id, outer_id);
    assert_int_equal(record.limit_bytes, LIMIT_BYTES);
    assert_true(*brought_bytes > 0);
    assert_in_range(record.anon_rss_bytes, *brought_bytes + LIMIT_BYTES * 3 / 4,
                    *brought_bytes + LIMIT_BYTES + (1 << 20));
    assert_true(record.file_rss_bytes < 16 << 20);
    assert_true(record.total_vm_bytes >= record.anon_rss_bytes);
}

static void the_victim_is_reported(void **state)
{
    (void)state;
    skip_unless_root();
    check_kill(PROBE_AUTO, "task");
}

/* As on kernels where mark_victim gives a thread id only. */
static void the_twin_sees_the_victim_when_it_is_killed(void **state)
{
    (void)state;
    skip_unless_root();
    check_kill(PROBE_TWIN, "signal");
}

static pid_t start_idler(void)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

/* The OOM kill after it tells that kills are seen, and that no record is still to come. */
static void a_kill_by_hand_is_no_oom(void **state)
{
    struct record_oom record;
    pid_t by_hand, victim;

    (void)state;
    skip_unless_root();
    make_cgroups();
    fixture_open(&f, 1u << CONCERN_OOM | 1u << CONCERN_PROCESS, PROBE_TWIN);
    by_hand = start_idler();
    assert_int_equal(kill(by_hand, SIGKILL), 0);
    assert_int_equal(waitpid(by_hand, NULL, 0), by_hand);
    victim = run_hog();
    fixture_wait(&f, fixture_has_exit, &victim, "the record of the victim's exit");
    assert_true(fixture_has_exit(&f, &by_hand));
    assert_int_equal(ooms_of(victim, &record), 1);
    assert_int_equal(ooms_of(by_hand, &record), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_victim_is_reported, clean_up),
        cmocka_unit_test_teardown(the_twin_sees_the_victim_when_it_is_killed, clean_up),
        cmocka_unit_test_teardown(a_kill_by_hand_is_no_oom, clean_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
