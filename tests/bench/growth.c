/* What a tick of all collectors costs on a host that has more and more of one thing: made-up files
 * below a host root of its own, and mounts in a mount namespace of its own, without BPF.
 *
 * One process per size, which take turns; each prints the CPU time of one tick in microseconds, the
 * mean of a repetition: {"kind", "count", "us"}. The thing that changes at each tick, which is
 * there every other time, is the first of its file: whatever is found by its place in the file is
 * not.
 */
#include "base/file.h"
#include "collect/collectors.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REPETITIONS 7
#define SIZES 5 /* nothing of it, and an eighth, a quarter, a half and all */
#define TEXT_BYTES (4 << 20)

struct scene {
    char root[32], proc[40], sys[40];
    struct host host;
    uint64_t now_ns;
    size_t count;
    bool changed; /* the thing that comes and goes is there */
};

struct kind {
    const char *name;
    size_t count;
    unsigned ticks; /* of a repetition: as many as what is not done at each of them needs */
    bool real_mounts;
    void (*make)(struct scene *scene);   /* what stays; or NULL */
    void (*change)(struct scene *scene); /* as `changed` says, false after true */
};

static char text[TEXT_BYTES];

static void give_up(const char *what)
{
    fprintf(stderr, "growth: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void write_file(const struct scene *scene, const char *path, const char *content, size_t len)
{
    char full[256];
    int fd;

    snprintf(full, sizeof(full), "%s/%s", scene->root, path);
    if (dir_create_parent(full, 0755) < 0)
        give_up(full);
    fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, content, len) != (ssize_t)len)
        give_up(full);
    close(fd);
}

__attribute__((format(printf, 2, 3))) static size_t append(size_t at, const char *format, ...)
{
    va_list arguments;
    int len;

    va_start(arguments, format);
    len = vsnprintf(text + at, sizeof(text) - at, format, arguments);
    va_end(arguments);
    if (len < 0 || (size_t)len >= sizeof(text) - at) {
        errno = ENOSPC;
        give_up("text");
    }
    return at + (size_t)len;
}

static void change_interfaces(struct scene *s)
{
    size_t len = append(0, "Inter-|   Receive    |  Transmit\n face |bytes packets |bytes\n");

    if (s->changed)
        len = append(len, "  first: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
    for (size_t i = 0; i < s->count; i++)
        len = append(len, "  veth%05zu: %zu 2 0 0 0 0 0 0 %zu 10 0 0 0 0 0 0\n", i,
                     1000 * i + s->now_ns % 997, 500 * i);
    write_file(s, "proc/net/dev", text, len);
}

static void make_devices(struct scene *s)
{
    char path[64];

    for (size_t i = 0; i < s->count; i++) {
        snprintf(path, sizeof(path), "sys/block/disk%04zu/size", i);
        write_file(s, path, "2048\n", 5);
    }
}

static void change_devices(struct scene *s)
{
    size_t len = 0;

    if (s->changed)
        len = append(len, "7 0 first 1 2 3 4 5 6 7 8 0 9 10\n");
    for (size_t i = 0; i < s->count; i++)
        len = append(len, "254 %zu disk%04zu %zu 2 3 4 5 6 7 8 0 9 10\n", i, i, i);
    write_file(s, "proc/diskstats", text, len);
}

static void set_mounted(const struct scene *s, const char *name, bool mounted)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/mnt/%s", s->root, name);
    if (dir_create_all(path, 0755) < 0 ||
        (mounted ? mount("growth", path, "tmpfs", 0, "size=4k") : umount2(path, 0)) < 0)
        give_up(path);
}

static void make_mounts(struct scene *s)
{
    char name[32];

    for (size_t i = 0; i < s->count; i++) {
        snprintf(name, sizeof(name), "m%04zu", i);
        set_mounted(s, name, true);
    }
}

static void change_mounts(struct scene *s)
{
    set_mounted(s, "first", s->changed);
}

static void write_cgroup(const struct scene *s, const char *name)
{
    static const char *const files[][2] = {
        {"cpu.stat", "usage_usec 1000\nuser_usec 600\nsystem_usec 400\n"},
        {"pids.max", "100\n"},
        {"pids.current", "7\n"},
        {"pids.events", "max 0\n"},
    };
    char path[128];

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", name, files[i][0]);
        write_file(s, path, files[i][1], strlen(files[i][1]));
    }
}

static void make_cgroups(struct scene *s)
{
    static const char controllers[] = "cpu pids\n";
    static const char mounts[] = "30 22 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    char name[64];

    write_file(s, "proc/self/mountinfo", mounts, strlen(mounts));
    write_file(s, "sys/fs/cgroup/cgroup.controllers", controllers, strlen(controllers));
    for (size_t i = 0; i < s->count; i++) {
        snprintf(name, sizeof(name), "sys/fs/cgroup/unit%04zu.service", i);
        write_cgroup(s, name);
    }
    write_cgroup(s, "away/first.service");
}

static void change_cgroups(struct scene *s)
{
    char away[64], there[64], path[128];
    size_t len;

    for (size_t i = 0; i < s->count; i++) {
        snprintf(path, sizeof(path), "sys/fs/cgroup/unit%04zu.service/cpu.stat", i);
        len = append(0, "usage_usec %zu\nuser_usec 600\nsystem_usec 400\n",
                     (size_t)(s->now_ns / 1000000) + i);
        write_file(s, path, text, len);
    }
    snprintf(away, sizeof(away), "%s/away/first.service", s->root);
    snprintf(there, sizeof(there), "%s/sys/fs/cgroup/first.service", s->root);
    if (rename(s->changed ? away : there, s->changed ? there : away) < 0)
        give_up(there);
}

static const struct kind kinds[] = {
    {"interfaces", 10000, 10, false, NULL, change_interfaces},
    {"block devices", 256, 60, false, make_devices, change_devices},
    {"mounts", 256, 60, true, make_mounts, change_mounts},
    {"cgroups, their files", 1000, 40, false, make_cgroups, change_cgroups},
};

static uint64_t scene_clock(void *ctx)
{
    return ((struct scene *)ctx)->now_ns;
}

/* Everything in it goes with the process: it is the only one in its mount namespace. */
static void make_scene(struct scene *s, const struct kind *kind, size_t count)
{
    *s = (struct scene){.now_ns = 1000 * NS_PER_SECOND, .count = count, .changed = true};
    strcpy(s->root, "/tmp");
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("growth", s->root, "tmpfs", 0, NULL) < 0)
        give_up("mount namespace");
    snprintf(s->proc, sizeof(s->proc), "%s/proc", s->root);
    snprintf(s->sys, sizeof(s->sys), "%s/sys", s->root);
    if (dir_create_all(s->proc, 0755) < 0 || dir_create_all(s->sys, 0755) < 0)
        give_up(s->root);
    s->host = (struct host){.root = "/",
                            .proc = s->proc,
                            .sys = s->sys,
                            .own_proc = kind->real_mounts ? "/proc" : s->proc};
    if (kind->make)
        kind->make(s);
    kind->change(s);
}

static double cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double repetition_us(struct scene *s, const struct kind *kind, struct collectors *collectors)
{
    double sum_us = 0, began_us;

    for (unsigned i = 0; i < kind->ticks; i++) {
        s->now_ns += NS_PER_SECOND;
        s->changed = !s->changed;
        kind->change(s);
        began_us = cpu_us();
        collectors_sample(collectors, s->now_ns);
        sum_us += cpu_us() - began_us;
    }
    return sum_us / kind->ticks;
}

/* A byte asks for one more repetition; the first, which makes everything known, is not told. */
static void serve(const struct kind *kind, size_t count, int questions, int answers)
{
    struct scene scene;
    const struct clock clock = {scene_clock, scene_clock, &scene};
    const struct collector_env env = {.host = &scene.host, .clock = &clock};
    struct collectors *collectors;
    double us = 0;
    char byte;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    make_scene(&scene, kind, count);
    if (collectors_create(&collectors, &env) < 0)
        give_up("collectors");
    do {
        us = repetition_us(&scene, kind, collectors);
        if (write(answers, &us, sizeof(us)) != sizeof(us))
            give_up("answer");
    } while (read(questions, &byte, 1) == 1);
    collectors_destroy(collectors);
}

struct server {
    size_t count;
    pid_t pid;
    int questions, answers;
};

static void start(struct server *server, const struct kind *kind, size_t count)
{
    int questions[2], answers[2];

    if (pipe2(questions, O_CLOEXEC) < 0 || pipe2(answers, O_CLOEXEC) < 0)
        give_up("pipe");
    *server = (struct server){count, fork(), questions[1], answers[0]};
    if (server->pid < 0)
        give_up("fork");
    if (server->pid == 0) {
        close(questions[1]);
        serve(kind, count, questions[0], answers[1]);
        _exit(0);
    }
    close(questions[0]);
    close(answers[1]);
}

static double take(const struct server *server)
{
    double us;

    if (read(server->answers, &us, sizeof(us)) != sizeof(us)) {
        errno = EPIPE;
        give_up("a size ended early");
    }
    return us;
}

static void measure(const struct kind *kind)
{
    struct server servers[SIZES];

    for (size_t i = 0; i < SIZES; i++) {
        start(&servers[i], kind, i ? kind->count >> (SIZES - 1 - i) : 0);
        take(&servers[i]);
    }
    for (unsigned repetition = 0; repetition < REPETITIONS; repetition++)
        for (size_t i = 0; i < SIZES; i++) {
            if (write(servers[i].questions, "", 1) != 1)
                give_up("question");
            printf("{\"kind\": \"%s\", \"count\": %zu, \"us\": %.3f}\n", kind->name,
                   servers[i].count, take(&servers[i]));
        }
    /* Each holds open what those before it are asked by: the last one ends first. */
    for (size_t i = 0; i < SIZES; i++) {
        close(servers[i].questions);
        close(servers[i].answers);
    }
    for (size_t i = 0; i < SIZES; i++)
        waitpid(servers[i].pid, NULL, 0);
}

/* All kinds, or the one named. */
int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (argc < 2 || strcmp(argv[1], kinds[i].name) == 0)
            measure(&kinds[i]);
    return 0;
}
