#include "store/state_file.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/worker.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_BYTES_MAX 24
#define ROWS_UNREAD "table document_unread"
/* Longer than a busy disk takes; a start and an end wait so long three times at most. */
#define WAIT_NS (5 * NS_PER_SECOND)
#define STALL_NS (10 * NS_PER_SECOND)

enum job { JOB_READ, JOB_WRITE, JOB_MOVE_ASIDE, JOB_KEEP_UNREAD, JOB_REMOVE };

struct state_file {
    char directory[PATH_MAX], path[PATH_MAX + 32], next[PATH_MAX + 32];
    struct worker *worker;
    bool running;  /* the job is under way */
    bool given_up; /* it was waited for in vain */
    bool unread;   /* what is there could not be read: it is kept when it is replaced */
    /* Beside messages; NULL: in a file of its own, to which all else refers. */
    struct outbox *outbox;
    bool saving;      /* the outbox has it in its hands */
    bool rows_unread; /* as `unread`, of what the outbox has */
    bool older;       /* the file was read, and is to be removed once the outbox has it */
    const char *shown;
    char unread_name[NAME_BYTES_MAX + 16], damaged_name[NAME_BYTES_MAX + 16];
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
    snprintf(file->unread_name, sizeof(file->unread_name), "%s.unread", name);
    snprintf(file->damaged_name, sizeof(file->damaged_name), "%s.damaged", name);
    file->shown = file->path;
    file->view.last_seconds = NAN;
    *ret = file;
    return 0;
}

int state_file_create_beside(struct state_file **ret, struct outbox *outbox, const char *directory,
                             const char *name)
{
    int r = state_file_create(ret, directory, name);

    if (r == 0)
        (*ret)->outbox = outbox;
    return r;
}

void state_file_destroy(struct state_file *file)
{
    if (file)
        worker_destroy(file->worker, state_file_wait(file) ? WAIT_NS : 0);
}

const char *state_file_path(const struct state_file *file)
{
    return file->shown;
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
        return move_to(file, "damaged");
    case JOB_KEEP_UNREAD:
        return move_to(file, "unread");
    case JOB_REMOVE:
        break;
    }
    return unlink(file->path) < 0 ? -errno : 0;
}

static void work(void *ctx, struct worker_job *first)
{
    struct state_file *file = ctx;

    (void)first; /* the only one */
    file->result = perform(file);
    file->took_ns = clock_monotonic_ns(clock_system()) - file->began_ns;
}

static void note_write(struct state_file *file, const char *why)
{
    file->view.writes_total++;
    file->view.last_seconds = (double)file->took_ns / NS_PER_SECOND;
    file->view.last_bytes = file->bytes;
    file->view.error = NULL;
    if (file->result == 0) {
        file->unread = file->unread && file->outbox;
        return;
    }
    file->view.failures_total++;
    if (why)
        snprintf(file->error, sizeof(file->error), "%s", why);
    else
        snprintf(file->error, sizeof(file->error), "%.160s: %s", file->path,
                 strerror(-file->result));
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
        note_write(file, NULL);
    else if (file->job == JOB_READ || file->job == JOB_MOVE_ASIDE)
        file->unread = (file->result < 0 || late) && !is_absent(file->result);
    if (late) {
        cJSON_Delete(file->json);
        file->json = NULL;
    }
    file->running = file->given_up = false;
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

/* The outbox has the state now, so that of the version before is of no use. */
static void retire_older(struct state_file *file)
{
    if (!file->older && !file->unread)
        return;
    if (start(file, file->older ? JOB_REMOVE : JOB_KEEP_UNREAD) == 0)
        file->older = file->unread = false;
}

static void look_after_save(struct state_file *file)
{
    struct outbox_document_result result;

    if (!file->saving || !outbox_document_saved(file->outbox, &result))
        return;
    file->saving = file->given_up = false;
    file->result = result.error;
    file->bytes = result.bytes;
    file->took_ns = clock_monotonic_ns(clock_system()) - file->began_ns;
    note_write(file, result.why);
    if (result.error == 0) {
        file->rows_unread = false;
        retire_older(file);
    }
}

bool state_file_busy(struct state_file *file)
{
    worker_dispatch(file->worker);
    look_after_save(file);
    return file->running || file->saving;
}

int state_file_fd(const struct state_file *file)
{
    return file->outbox ? outbox_document_fd(file->outbox) : worker_fd(file->worker);
}

static void wait_for_disk(const struct state_file *file, uint64_t wait_ns)
{
    struct pollfd fd = {.events = POLLIN};

    if (!file->saving) {
        worker_wait(file->worker, wait_ns);
        return;
    }
    fd.fd = outbox_document_fd(file->outbox);
    poll(&fd, 1, (int)(wait_ns / NS_PER_MS) + 1);
}

bool state_file_wait(struct state_file *file)
{
    uint64_t until_ns = clock_monotonic_ns(clock_system()) + WAIT_NS, now_ns;

    while (state_file_busy(file) && !file->given_up) {
        now_ns = clock_monotonic_ns(clock_system());
        file->given_up = now_ns >= until_ns;
        if (!file->given_up)
            wait_for_disk(file, until_ns - now_ns);
    }
    return !file->running && !file->saving;
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

/* -ENOENT: it has none, or the database cannot be opened, which the next write says. */
static int read_beside(struct state_file *file, cJSON **ret)
{
    int r = outbox_take_document(file->outbox, WAIT_NS, ret);

    file->shown = outbox_path(file->outbox);
    file->rows_unread = r < 0 && r != -ENOENT;
    return r;
}

/* Of the version before, when there is nothing newer; that of a disk that hangs is not read too. */
static bool is_to_be_read(struct state_file *file, int beside)
{
    if (beside == 0 || beside == -EBADMSG || beside == -ETIMEDOUT) {
        file->unread = beside == -ETIMEDOUT;
        file->older = !file->unread; /* an agent that was killed did not get to that */
        return false;
    }
    return true;
}

int state_file_read(struct state_file *file, cJSON **ret)
{
    int beside = file->outbox ? read_beside(file, ret) : -ENOENT, r;

    if (!is_to_be_read(file, beside))
        return beside;
    r = finish(file, JOB_READ);
    if (r == -ENOENT && beside != -ENOENT)
        return beside;
    file->shown = file->path;
    file->older = file->outbox && r == 0;
    if (r == 0) {
        *ret = file->json;
        file->json = NULL;
    }
    return r;
}

const char *state_file_error(int error)
{
    if (error == -ELIBACC)
        return "libsqlite3.so.0 cannot be loaded (Debian: libsqlite3-0)";
    if (error == -ETIMEDOUT)
        return "its disk does not answer";
    return error == -ELOOP ? "it is a symbolic link, which is not followed" : file_error(error);
}

const char *state_file_unread_name(const struct state_file *file)
{
    if (file->rows_unread)
        return ROWS_UNREAD;
    return file->unread ? file->unread_name : NULL;
}

int state_file_move_aside(struct state_file *file, const char **ret_name)
{
    bool beside = file->outbox && file->shown != file->path;

    *ret_name = beside ? ROWS_UNREAD : file->damaged_name;
    file->rows_unread = file->rows_unread || beside;
    return beside ? 0 : finish(file, JOB_MOVE_ASIDE);
}

static int write_beside(struct state_file *file, cJSON *json)
{
    int r = outbox_save_document(file->outbox, json, file->rows_unread);

    file->shown = outbox_path(file->outbox);
    file->saving = r == 0;
    file->began_ns = clock_monotonic_ns(clock_system());
    return r;
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
    if (file->outbox)
        return write_beside(file, json);
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
    ret->stalled = (file->running || file->saving) &&
                   clock_monotonic_ns(clock_system()) - file->began_ns >= STALL_NS;
}
