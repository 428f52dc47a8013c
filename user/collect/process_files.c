/* Open files of each process against its own limit (RLIMIT_NOFILE), from /proc: at the limit it
 * gets EMFILE, while the host has plenty. A walk over all processes goes on for some ticks; those
 * that are nearly full are looked at again in every one.
 */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/scan.h"
#include "collect/collector.h"
#include "collect/kernel_threads.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Some 5 us each, and 20 us more for those with files worth a look. */
#define PROCESSES_PER_TICK 50
/* Those passed over included: less than 1 us each. */
#define ENTRIES_PER_TICK 500
#define WALK_EVERY_NS (5 * NS_PER_SECOND)

/* Where the kernel does not tell their number (before 6.2), files are counted one by one, up to so
 * many: half a millisecond. Of more, so many numbers below the limit are tried instead: a new file
 * gets the lowest free one, so those in use are dense. */
#define COUNTED_MAX 1024
#define TRIED 128

/* Fewer are nobody's leak, and a lower limit is a sandbox that wants no files at all. */
#define LIMIT_MIN 64
#define OPEN_MIN 32

struct files_state {
    int proc;  /* -1: could not be opened */
    bool told; /* the kernel tells the number as the directory's size */
    DIR *walk; /* NULL: none under way */
    struct kernel_threads kernel_threads;
    uint64_t walk_due_ns;
    struct process_files found[PROCESS_FILES_MAX], rows[PROCESS_FILES_MAX];
    size_t found_count, row_count;
    char reason[96];
};

static int count_entries(int proc, const char *path, uint64_t *ret)
{
    int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct dirent *entry;
    DIR *dir;

    if (fd < 0)
        return -errno;
    dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return -ENOMEM;
    }
    *ret = 0;
    while ((entry = readdir(dir)) && *ret < COUNTED_MAX)
        *ret += entry->d_name[0] != '.';
    closedir(dir);
    return 0;
}

static uint64_t estimate_open(int proc, uint32_t pid, uint64_t limit)
{
    uint64_t used = 0;

    for (uint64_t i = 1; i <= TRIED; i++) {
        char path[64];
        struct stat st;

        snprintf(path, sizeof(path), "%u/fd/%llu", pid,
                 (unsigned long long)(limit * i / TRIED - 1));
        used += fstatat(proc, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
    }
    return limit * used / TRIED;
}

static int count_open(const struct files_state *s, uint32_t pid, uint64_t *ret)
{
    char path[32];
    struct stat st;

    snprintf(path, sizeof(path), "%u/fd", pid);
    if (!s->told)
        return count_entries(s->proc, path, ret);
    if (fstatat(s->proc, path, &st, 0) < 0)
        return -errno;
    *ret = (uint64_t)st.st_size;
    return 0;
}

static ssize_t read_at(int proc, uint32_t pid, const char *name, char *text, size_t size)
{
    CLEANUP_CLOSE int fd = -1;
    char path[32];

    snprintf(path, sizeof(path), "%u/%s", pid, name);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -1 : read(fd, text, size);
}

/* "Max open files            1024                 524288               files" */
static bool read_limit(int proc, uint32_t pid, uint64_t *ret)
{
    char text[4096];
    ssize_t len = read_at(proc, pid, "limits", text, sizeof(text));
    struct scan file, line;

    if (len <= 0)
        return false;
    file = scan_of(text, (size_t)len);
    while (scan_line(&file, &line))
        if (scan_skip(&line, "Max open files"))
            return scan_u64(&line, ret);
    return false;
}

static void read_comm(int proc, uint32_t pid, char comm[COMM_BYTES])
{
    char text[64];
    ssize_t len = read_at(proc, pid, "comm", text, sizeof(text));
    struct scan file = scan_of(text, len < 0 ? 0 : (size_t)len), line;

    comm[0] = '\0';
    if (scan_line(&file, &line))
        scan_copy(&line, comm, COMM_BYTES);
}

/* A sandbox lowers the limit below what is open, so that nothing more can be opened: not full. */
static bool judge(struct process_files *row, uint64_t open, uint64_t limit)
{
    row->open = (double)open;
    row->limit = (double)limit;
    row->usage_percent = limit ? 100 * row->open / row->limit : 0;
    return open >= OPEN_MIN && limit >= LIMIT_MIN && open <= limit;
}

/* One row of each name, the fullest: workers of one service fill up alike. */
static void keep(struct files_state *s, const struct process_files *row)
{
    size_t at;

    for (at = 0; at < s->found_count; at++)
        if (strcmp(s->found[at].comm, row->comm) == 0)
            break;
    if (at < s->found_count) {
        if (s->found[at].usage_percent >= row->usage_percent)
            return;
    } else if (s->found_count < PROCESS_FILES_MAX) {
        s->found_count++;
    } else {
        at = PROCESS_FILES_MAX - 1;
        if (s->found[at].usage_percent >= row->usage_percent)
            return;
    }
    for (; at > 0 && s->found[at - 1].usage_percent < row->usage_percent; at--)
        s->found[at] = s->found[at - 1];
    s->found[at] = *row;
}

static uint64_t total_open(const struct files_state *s, uint32_t pid, uint64_t open, uint64_t limit)
{
    return s->told || open < COUNTED_MAX || limit <= COUNTED_MAX
               ? open
               : estimate_open(s->proc, pid, limit);
}

static void visit(struct files_state *s, uint32_t pid, uint64_t inode)
{
    struct process_files row = {.pid = pid};
    uint64_t open = 0, limit = 0;

    if (count_open(s, pid, &open) < 0)
        return;
    if (open == 0)
        kernel_threads_look(&s->kernel_threads, s->proc, pid, inode);
    if (open < OPEN_MIN || !read_limit(s->proc, pid, &limit) ||
        !judge(&row, total_open(s, pid, open, limit), limit))
        return;
    read_comm(s->proc, pid, row.comm);
    keep(s, &row);
}

static void begin_walk(struct files_state *s)
{
    int fd = openat(s->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    s->walk = fdopendir(fd);
    if (!s->walk)
        close(fd);
    s->found_count = 0;
    kernel_threads_begin_walk(&s->kernel_threads);
}

static void end_walk(struct files_state *s)
{
    closedir(s->walk);
    s->walk = NULL;
    memcpy(s->rows, s->found, s->found_count * sizeof(s->rows[0]));
    s->row_count = s->found_count;
}

static void walk(struct files_state *s, uint64_t now_ns)
{
    if (!s->walk && now_ns >= s->walk_due_ns) {
        s->walk_due_ns = now_ns + WALK_EVERY_NS;
        begin_walk(s);
    }
    for (int left = PROCESSES_PER_TICK, entries = ENTRIES_PER_TICK;
         s->walk && left > 0 && entries > 0; entries--) {
        const struct dirent *entry = readdir(s->walk);
        uint32_t pid;

        if (!entry) {
            end_walk(s);
        } else if (isdigit((unsigned char)entry->d_name[0])) {
            pid = (uint32_t)strtoul(entry->d_name, NULL, 10);
            if (kernel_threads_know(&s->kernel_threads, pid, entry->d_ino))
                continue;
            visit(s, pid, entry->d_ino);
            left--;
        }
    }
}

/* What was full in the last walk may not be any more, or not be there. */
static void look_again(struct files_state *s)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->row_count; i++) {
        struct process_files row = s->rows[i];
        char comm[COMM_BYTES];
        uint64_t open = 0;

        if (row.usage_percent >= PROCESS_FILES_NEAR_PERCENT) {
            read_comm(s->proc, row.pid, comm);
            if (strcmp(comm, row.comm) != 0 || count_open(s, row.pid, &open) < 0)
                continue;
            row.open = (double)total_open(s, row.pid, open, (uint64_t)row.limit);
            row.usage_percent = row.open < row.limit ? 100 * row.open / row.limit : 100;
        }
        s->rows[kept++] = row;
    }
    s->row_count = kept;
}

static void files_sample(void *state, uint64_t now_ns, struct snapshot *snapshot)
{
    struct files_state *s = state;
    struct process_snapshot *p = &snapshot->process;

    p->files_of_missing = s->proc < 0 ? s->reason : NULL;
    if (s->proc >= 0) {
        walk(s, now_ns);
        look_again(s);
    }
    p->files_of_count = s->row_count;
    p->files_of = s->rows;
}

static int files_open(void *state, const struct collector_env *env)
{
    struct files_state *s = state;
    struct statfs fs;
    struct stat st;

    s->proc = open(env->host->proc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->proc < 0) {
        snprintf(s->reason, sizeof(s->reason), "/proc: %s", strerror(errno));
        return 0;
    }
    /* "proc: report open files as size in stat() for /proc/pid/fd", 6.2. */
    s->told = fstatfs(s->proc, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC &&
              fstatat(s->proc, "self/fd", &st, 0) == 0 && st.st_size > 0;
    return 0;
}

static void files_close(void *state)
{
    struct files_state *s = state;

    if (s->walk)
        closedir(s->walk);
    kernel_threads_free(&s->kernel_threads);
    if (s->proc >= 0)
        close(s->proc);
}

const struct collector process_files_collector = {
    .name = "process_files",
    .state_size = sizeof(struct files_state),
    .open = files_open,
    .sample = files_sample,
    .close = files_close,
};
