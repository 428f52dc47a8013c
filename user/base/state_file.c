#include "base/state_file.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define NAME_BYTES_MAX 24

struct state_file {
    char directory[PATH_MAX], path[PATH_MAX + 32], next[PATH_MAX + 32];
    bool running; /* the thread is to be joined */
    pthread_t thread;
    int done_fd; /* readable once the thread has nothing left to do */
    /* The thread's, until it is joined. */
    cJSON *json;
    int result;
    uint64_t took_ns, bytes;
    struct state_file_view view;
    char error[STATE_FILE_ERROR_BYTES];
};

int state_file_create(struct state_file **ret, const char *directory, const char *name)
{
    struct state_file *file;
    int err;

    if (strlen(directory) >= PATH_MAX || strlen(name) > NAME_BYTES_MAX)
        return -ENAMETOOLONG;
    file = calloc(1, sizeof(*file));
    if (!file)
        return -ENOMEM;
    file->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (file->done_fd < 0) {
        err = -errno;
        free(file);
        return err;
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
    if (!file)
        return;
    state_file_wait(file);
    close(file->done_fd);
    free(file);
}

const char *state_file_path(const struct state_file *file)
{
    return file->path;
}

int state_file_read(const struct state_file *file, cJSON **ret)
{
    CLEANUP_FREE char *text = NULL;
    size_t len;
    int r = file_read_all(NULL, file->path, STATE_FILE_BYTES_MAX, &text, &len);

    if (r < 0)
        return r;
    *ret = cJSON_ParseWithLength(text, len);
    return *ret ? 0 : -EBADMSG;
}

int state_file_move_aside(const struct state_file *file)
{
    char aside[sizeof(file->path) + 16];

    snprintf(aside, sizeof(aside), "%s.damaged", file->path);
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

static int replace(struct state_file *file, const char *text)
{
    CLEANUP_CLOSE int fd = -1;
    int r = dir_create_all(file->directory, 0755);

    if (r < 0)
        return r;
    fd = open(file->next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    r = write_all(fd, text, strlen(text));
    if (r == 0 && rename(file->next, file->path) < 0)
        r = -errno;
    if (r < 0) {
        unlink(file->next);
        return r;
    }
    return sync_directory(file->directory);
}

/* Printing is the longer half of it for a large state. */
static void *run(void *arg)
{
    struct state_file *file = arg;
    uint64_t began_ns = clock_monotonic_ns(clock_system());
    CLEANUP_FREE char *text = cJSON_PrintUnformatted(file->json);

    cJSON_Delete(file->json);
    file->json = NULL;
    file->bytes = text ? strlen(text) : 0;
    file->result = text ? replace(file, text) : -ENOMEM;
    file->took_ns = clock_monotonic_ns(clock_system()) - began_ns;
    eventfd_write(file->done_fd, 1);
    return NULL;
}

static void join(struct state_file *file)
{
    eventfd_t ended;

    pthread_join(file->thread, NULL);
    eventfd_read(file->done_fd, &ended); /* -EAGAIN: it was read before */
    file->running = false;
    file->view.writes_total++;
    file->view.last_seconds = (double)file->took_ns / NS_PER_SECOND;
    file->view.last_bytes = file->bytes;
    file->view.error = NULL;
    if (file->result == 0)
        return;
    file->view.failures_total++;
    snprintf(file->error, sizeof(file->error), "%.160s: %s", file->path, strerror(-file->result));
    file->view.error = file->error;
}

bool state_file_busy(struct state_file *file)
{
    eventfd_t ended;

    if (file->running && eventfd_read(file->done_fd, &ended) == 0)
        join(file);
    return file->running;
}

int state_file_fd(const struct state_file *file)
{
    return file->done_fd;
}

void state_file_wait(struct state_file *file)
{
    if (file->running)
        join(file);
}

int state_file_write(struct state_file *file, cJSON *json)
{
    sigset_t all, before;
    int r;

    if (!json)
        return -ENOMEM;
    if (state_file_busy(file)) {
        cJSON_Delete(json);
        return -EBUSY;
    }
    file->json = json;
    /* Signals are for the loop. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(&file->thread, NULL, run, file);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r != 0) {
        cJSON_Delete(json);
        file->json = NULL;
        return -r;
    }
    file->running = true;
    return 0;
}

void state_file_view(const struct state_file *file, struct state_file_view *ret)
{
    *ret = file->view;
}
