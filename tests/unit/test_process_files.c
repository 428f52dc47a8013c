#include "tree.h"
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void write_process(struct tree *t, unsigned pid, const char *comm, unsigned open,
                          unsigned limit)
{
    char name[64], text[256];

    snprintf(name, sizeof(name), "proc/%u/fd", pid);
    tree_remove(t, name);
    snprintf(text, sizeof(text), "%s/proc/%u/fd", t->root, pid);
    assert_int_equal(dir_create_all(text, 0755), 0);
    for (unsigned fd = 0; fd < open; fd++) {
        snprintf(text, sizeof(text), "%s/proc/%u/fd/%u", t->root, pid, fd);
        assert_int_equal(mknod(text, S_IFREG | 0600, 0), 0);
    }
    snprintf(name, sizeof(name), "proc/%u/comm", pid);
    snprintf(text, sizeof(text), "%s\n", comm);
    tree_write(t, name, text);
    snprintf(name, sizeof(name), "proc/%u/limits", pid);
    snprintf(text, sizeof(text),
             "Limit                     Soft Limit           Hard Limit           Units     \n"
             "Max processes             7                    7                    processes \n"
             "Max open files            %-20u 524288               files     \n",
             limit);
    tree_write(t, name, text);
}

static const struct process_files *find(const struct snapshot *s, const char *comm)
{
    for (size_t i = 0; i < s->process.files_of_count; i++)
        if (strcmp(s->process.files_of[i].comm, comm) == 0)
            return &s->process.files_of[i];
    return NULL;
}

static void the_fullest_of_each_name_come_first(void **state)
{
    struct tree *t = tree_create();
    const struct snapshot *s;

    write_process(t, 10, "nginx", 40, 100);
    write_process(t, 11, "nginx", 95, 100);
    write_process(t, 12, "nginx", 50, 100);
    write_process(t, 13, "redis", 64, 128);
    write_process(t, 14, "cat", 4, 64);     /* nobody's leak */
    write_process(t, 15, "sandbox", 40, 8); /* it wants no files any more */
    write_process(t, 16, "sandbox2", 40, 40);
    tree_open(t, &process_files_collector);
    s = tree_sample(t, 1);
    assert_null(s->process.files_of_missing);
    assert_int_equal(s->process.files_of_count, 2);
    assert_string_equal(s->process.files_of[0].comm, "nginx");
    assert_int_equal(s->process.files_of[0].pid, 11);
    assert_true(s->process.files_of[0].usage_percent == 95);
    assert_true(s->process.files_of[1].usage_percent == 50);
    tree_destroy(t);
}

/* A walk comes every five seconds; what is nearly full is looked at in between. */
static void the_nearly_full_are_looked_at_in_every_tick(void **state)
{
    struct tree *t = tree_create();
    const struct snapshot *s;

    write_process(t, 10, "nginx", 95, 100);
    write_process(t, 20, "redis", 75, 100);
    tree_open(t, &process_files_collector);
    tree_sample(t, 1);
    write_process(t, 10, "nginx", 40, 100);
    tree_remove(t, "proc/20");
    s = tree_sample(t, 1);
    assert_true(find(s, "nginx")->usage_percent == 40);
    assert_null(find(s, "redis"));
    tree_destroy(t);
}

static void a_host_of_many_processes_is_walked_in_steps(void **state)
{
    struct tree *t = tree_create();
    const struct snapshot *s;

    for (unsigned i = 0; i < 120; i++) {
        char path[96];

        snprintf(path, sizeof(path), "%s/%u", t->proc, 100 + i);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    write_process(t, 99, "full", 64, 64);
    tree_open(t, &process_files_collector);
    s = tree_sample(t, 1);
    assert_int_equal(s->process.files_of_count, 0);
    tree_sample(t, 1);
    s = tree_sample(t, 1);
    assert_true(find(s, "full")->usage_percent == 100);
    tree_destroy(t);
}

static void write_flags(struct tree *t, unsigned pid, unsigned long flags)
{
    char name[64], text[128];

    snprintf(name, sizeof(name), "proc/%u/stat", pid);
    snprintf(text, sizeof(text), "%u (a) b) S 2 0 0 0 -1 %lu 0 0 0\n", pid, flags);
    tree_write(t, name, text);
}

/* It is told apart by its directory, in which nothing can change. */
static void threads_of_the_kernel_are_passed_over(void **state)
{
    struct tree *t = tree_create();
    const struct snapshot *s;
    char from[96], to[96];

    write_process(t, 10, "kernel", 0, 64);
    write_flags(t, 10, 0x208040);
    write_process(t, 11, "idle", 0, 64);
    write_flags(t, 11, 0x400100);
    write_process(t, 12, "starting", 0, 64); /* in the first walk only */
    write_flags(t, 12, 0x208040);
    tree_open(t, &process_files_collector);
    tree_sample(t, 1);
    write_flags(t, 12, 0x400100);
    for (int i = 0; i < 2; i++)
        tree_sample(t, 5);
    for (unsigned pid = 10; pid <= 12; pid++) {
        const char *const names[] = {"kernel", "idle", "starting"};

        write_process(t, pid, names[pid - 10], 64, 64);
    }
    s = tree_sample(t, 5);
    assert_null(find(s, "kernel"));
    assert_non_null(find(s, "idle"));
    assert_non_null(find(s, "starting"));
    /* Another process under its number: the old one stays until the new one is there. */
    write_process(t, 1010, "kernel", 64, 64);
    snprintf(from, sizeof(from), "%s/10", t->proc);
    snprintf(to, sizeof(to), "%s/gone", t->proc);
    assert_int_equal(rename(from, to), 0);
    snprintf(to, sizeof(to), "%s/1010", t->proc);
    assert_int_equal(rename(to, from), 0);
    s = tree_sample(t, 5);
    assert_int_equal(find(s, "kernel")->pid, 10);
    tree_destroy(t);
}

/* As on kernels before 6.2, where counting them all would take too long. */
static void of_very_many_files_a_part_is_looked_for(void **state)
{
    struct tree *t = tree_create();
    const struct snapshot *s;

    write_process(t, 10, "database", 1140, 1200);
    tree_open(t, &process_files_collector);
    s = tree_sample(t, 1);
    assert_in_range(find(s, "database")->open, 1120, 1160);
    assert_in_range(find(tree_sample(t, 1), "database")->usage_percent, 93, 97);
    tree_destroy(t);
}

static void without_proc_the_reason_is_said(void **state)
{
    struct tree *t = tree_create();
    const struct snapshot *s;

    tree_remove(t, "proc");
    tree_open(t, &process_files_collector);
    s = tree_sample(t, 1);
    assert_non_null(strstr(s->process.files_of_missing, "/proc: No such file"));
    tree_destroy(t);
}

/* A process of its own that opens files until it is told EMFILE. */
static pid_t start_full(int limit, int *ret_ready)
{
    int ready[2];
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct rlimit rlimit = {(rlim_t)limit, (rlim_t)limit};

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "mw-full-files");
        if (setrlimit(RLIMIT_NOFILE, &rlimit) < 0)
            _exit(97);
        while (open("/dev/null", O_RDONLY) >= 0)
            ;
        if (errno != EMFILE || write(ready[1], "x", 1) != 1)
            _exit(98);
        for (;;)
            pause();
    }
    close(ready[1]);
    *ret_ready = ready[0];
    return pid;
}

static void a_real_process_that_gets_emfile_is_seen(void **state)
{
    struct tree *t = tree_create();
    const struct process_files *row = NULL;
    int ready;
    pid_t pid = start_full(5000, &ready);
    char byte;

    assert_int_equal(read(ready, &byte, 1), 1);
    t->host.proc = "/proc";
    tree_open(t, &process_files_collector);
    /* A whole walk of this machine, however many processes there are. */
    for (int i = 0; i < 2000 && !row; i++)
        row = find(tree_sample(t, 1), "mw-full-files");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ready);
    if (!row)
        fail_msg("not among the fullest of %zu", t->snapshot.process.files_of_count);
    assert_int_equal(row->pid, pid);
    assert_true(row->limit == 5000 && row->open == 5000);
    assert_true(row->usage_percent == 100);
    tree_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fullest_of_each_name_come_first),
        cmocka_unit_test(the_nearly_full_are_looked_at_in_every_tick),
        cmocka_unit_test(a_host_of_many_processes_is_walked_in_steps),
        cmocka_unit_test(threads_of_the_kernel_are_passed_over),
        cmocka_unit_test(of_very_many_files_a_part_is_looked_for),
        cmocka_unit_test(without_proc_the_reason_is_said),
        cmocka_unit_test(a_real_process_that_gets_emfile_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
