#include "store/state_file.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/worker.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES_MAX 24
/* Longer than a busy disk takes; a start and an end wait so long three times at most. */
#define WAIT_NS (5 * NS_PER_SECOND)
#define STALL_NS (10 * NS_PER_SECOND)

enum job { JOB_READ, JOB_WRITE, JOB_MOVE_ASIDE };

struct state_file {
    char directory[PATH_MAX], path[PATH_MAX + 32], next[PATH_MAX + 32];
    struct worker *worker;
    bool running;  /* the job is under way */
    bool given_up; /* it was waited for in vain */
    bool unread;   /* what is there could not be read: it is kept when it is replaced */
    uint64_t began_ns;
    struct state_file_view view;
    char error[STATE_FILE_ERROR_BYTES];
    /* The thread's, while the job is under way. */
    struct worker_job link;
    enum job job;
    cJSON *json; /* to be written, or read */
    int result;
    uint64_t took_ns, bytes;
};

static void work(void *ctx, struct worker_job *first);
static void on_done(void *ctx, struct worker_job *link);

static void on_drop(void *ctx, struct worker_job *link)
{
    (void)ctx;
    (void)link;
}

static void on_released(void *ctx)
{
    struct state_file *file = ctx;

    cJSON_Delete(file->json);
    free(file);
}

int state_file_create(struct state_file **ret, const char *directory, const char *name)
{
    static const struct worker_config worker = {.name = "state", .jobs_max = 1};
    struct worker_ops ops = {
        .work = work, .done = on_done, .drop = on_drop, .released = on_released};
    struct state_file *file;
    int r;

    if (strlen(directory) >= PATH_MAX || strlen(name) > NAME_BYTES_MAX)
        return -ENAMETOOLONG;
    file = calloc(1, sizeof(*file));
    if (!file)
        return -ENOMEM;
    ops.ctx = file;
    r = worker_create(&file->worker, &worker, &ops);
    if (r < 0) {
        free(file);
        return r;
    }
    snprintf(file->directory, sizeof(file->directory), "%s", directory);
    snprintf(file->path, sizeof(file->path), "%s/%s", directory, name);
    snprintf(file->next, sizeof(file->next), "%s/%s.new", directory, name);
    file->view.last_seconds = NAN;
    *ret = file;
    return 0;
}

void state_file_destroy(struct state_file *file)
{
    if (file)
        worker_destroy(file->worker, state_file_wait(file) ? WAIT_NS : 0);
}

const char *state_file_path(const struct state_file *file)
{
    return file->path;
}

static int read_document(const struct state_file *file, cJSON **ret)
{
    CLEANUP_FREE char *text = NULL;
    struct stat st;
    size_t len;
    int r = lstat(file->path, &st) == 0 && S_ISLNK(st.st_mode)
                ? -ELOOP
                : file_read_all(NULL, file->path, STATE_FILE_BYTES_MAX, &text, &len);

    if (r < 0)
        return r;
    *ret = cJSON_ParseWithLength(text, len);
    return *ret ? 0 : -EBADMSG;
}

static int move_to(const struct state_file *file, const char *suffix)
{
    char aside[sizeof(file->path) + 16];

    snprintf(aside, sizeof(aside), "%s.%s", file->path, suffix);
    return rename(file->path, aside) < 0 ? -errno : 0;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= (size_t)n;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* The rename is on the disk when the directory is. */
static int sync_directory(const char *path)
{
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* What a killed agent left is taken; a link, of either kind, is somebody else's file. */
static int open_next(const struct state_file *file)
{
    struct stat st;
    int fd;

    if (lstat(file->next, &st) == 0 &&
        (S_ISLNK(st.st_mode) || (S_ISREG(st.st_mode) && st.st_nlink > 1)))
        unlink(file->next);
    fd = open(file->next, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : fd;
}

static int replace(struct state_file *file, const char *text)
{
    CLEANUP_CLOSE int fd = -1;
    int r = dir_create_all(file->directory, 0755);

    if (r < 0)
        return r;
    fd = open_next(file);
    if (fd < 0)
        return fd;
    r = ftruncate(fd, 0) < 0 || fchmod(fd, 0600) < 0 ? -errno : write_all(fd, text, strlen(text));
    if (r == 0 && file->unread) {
        r = move_to(file, "unread");
        r = r == -ENOENT ? 0 : r;
    }
    if (r == 0 && rename(file->next, file->path) < 0)
        r = -errno;
    if (r < 0) {
        unlink(file->next);
        return r;
    }
    return sync_directory(file->directory);
}

/* Printing is the longer half of it for a large state. */
static int write_document(struct state_file *file)
{
    CLEANUP_FREE char *text = cJSON_PrintUnformatted(file->json);

    cJSON_Delete(file->json);
    file->json = NULL;
    file->bytes = text ? strlen(text) : 0;
    return text ? replace(file, text) : -ENOMEM;
}

static int perform(struct state_file *file)
{
    switch (file->job) {
    case JOB_READ:
        return read_document(file, &file->json);
    case JOB_WRITE:
        return write_document(file);
    case JOB_MOVE_ASIDE:
        break;
    }
    return move_to(file, "damaged");
}

static void work(void *ctx, struct worker_job *first)
{
    struct state_file *file = ctx;

    (void)first; /* the only one */
    file->result = perform(file);
    file->took_ns = clock_monotonic_ns(clock_system()) - file->began_ns;
}

static void note_write(struct state_file *file)
{
    file->view.writes_total++;
    file->view.last_seconds = (double)file->took_ns / NS_PER_SECOND;
    file->view.last_bytes = file->bytes;
    file->view.error = NULL;
    if (file->result == 0) {
        file->unread = false;
        return;
    }
    file->view.failures_total++;
    snprintf(file->error, sizeof(file->error), "%.160s: %s", file->path, strerror(-file->result));
    file->view.error = file->error;
}

/* In a directory that is none there is no file either. */
static bool is_absent(int error)
{
    return error == -ENOENT || error == -ENOTDIR;
}

static void on_done(void *ctx, struct worker_job *link)
{
    struct state_file *file = ctx;
    bool late = file->given_up;

    (void)link;
    if (file->job == JOB_WRITE)
        note_write(file);
    else
        file->unread = (file->result < 0 || late) && !is_absent(file->result);
    if (late) {
        cJSON_Delete(file->json);
        file->json = NULL;
    }
    file->running = file->given_up = false;
}

bool state_file_busy(struct state_file *file)
{
    worker_dispatch(file->worker);
    return file->running;
}

int state_file_fd(const struct state_file *file)
{
    return worker_fd(file->worker);
}

bool state_file_wait(struct state_file *file)
{
    uint64_t until_ns = clock_monotonic_ns(clock_system()) + WAIT_NS, now_ns;

    while (state_file_busy(file) && !file->given_up) {
        now_ns = clock_monotonic_ns(clock_system());
        file->given_up = now_ns >= until_ns;
        if (!file->given_up)
            worker_wait(file->worker, until_ns - now_ns);
    }
    return !file->running;
}

static int start(struct state_file *file, enum job job)
{
    int r;

    file->job = job;
    file->began_ns = clock_monotonic_ns(clock_system());
    r = worker_submit(file->worker, &file->link);
    file->running = r == 0;
    return r;
}

/* Starts the job and waits for it. */
static int finish(struct state_file *file, enum job job)
{
    int r = state_file_busy(file) ? -EBUSY : start(file, job);

    if (r < 0)
        return r;
    if (!state_file_wait(file)) {
        file->unread = true;
        return -ETIMEDOUT;
    }
    return file->result;
}

int state_file_read(struct state_file *file, cJSON **ret)
{
    int r = finish(file, JOB_READ);

    if (r == 0) {
        *ret = file->json;
        file->json = NULL;
    }
    return r;
}

const char *state_file_error(int error)
{
    if (error == -ETIMEDOUT)
        return "its disk does not answer";
    return error == -ELOOP ? "it is a symbolic link, which is not followed" : file_error(error);
}

bool state_file_keeps_unread(const struct state_file *file)
{
    return file->unread;
}

int state_file_move_aside(struct state_file *file)
{
    return finish(file, JOB_MOVE_ASIDE);
}

int state_file_write(struct state_file *file, cJSON *json)
{
    int r;

    if (!json)
        return -ENOMEM;
    if (state_file_busy(file)) {
        cJSON_Delete(json);
        return -EBUSY;
    }
    file->json = json;
    r = start(file, JOB_WRITE);
    if (r < 0) {
        cJSON_Delete(json);
        file->json = NULL;
    }
    return r;
}

void state_file_view(const struct state_file *file, struct state_file_view *ret)
{
    *ret = file->view;
    ret->stalled = file->running && clock_monotonic_ns(clock_system()) - file->began_ns >= STALL_NS;
}
