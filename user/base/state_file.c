#include "base/state_file.h"
#include "base/cleanup.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct state_file {
    char *path, *beside;
    pthread_t thread;
    bool started;
    /* Under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    char *text; /* waiting; NULL: nothing is */
    size_t len;
    int error;
};

int state_file_create(struct state_file **ret, const char *path)
{
    struct state_file *file = calloc(1, sizeof(*file));

    if (!file)
        return -ENOMEM;
    pthread_mutex_init(&file->lock, NULL);
    pthread_cond_init(&file->wake, NULL);
    file->path = strdup(path);
    if (asprintf(&file->beside, "%s.new", path) < 0)
        file->beside = NULL;
    if (!file->path || !file->beside) {
        state_file_destroy(file);
        return -ENOMEM;
    }
    *ret = file;
    return 0;
}

void state_file_destroy(struct state_file *file)
{
    if (!file)
        return;
    if (file->started) {
        pthread_mutex_lock(&file->lock);
        file->stop = true;
        pthread_cond_signal(&file->wake);
        pthread_mutex_unlock(&file->lock);
        pthread_join(file->thread, NULL);
    }
    pthread_cond_destroy(&file->wake);
    pthread_mutex_destroy(&file->lock);
    free(file->text);
    free(file->path);
    free(file->beside);
    free(file);
}

int state_file_read(const struct state_file *file, size_t limit, char **ret, size_t *ret_len)
{
    return file_read_all(NULL, file->path, limit, ret, ret_len);
}

int state_file_move_aside(const struct state_file *file)
{
    CLEANUP_FREE char *aside = NULL;

    if (asprintf(&aside, "%s.damaged", file->path) < 0) {
        aside = NULL;
        return -ENOMEM;
    }
    return rename(file->path, aside) < 0 ? -errno : 0;
}

static int write_all(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text += n;
        len -= (size_t)n;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* Without it a crash may undo the rename. */
static int sync_directory(const char *path)
{
    CLEANUP_FREE char *copy = strdup(path);
    CLEANUP_CLOSE int fd = -1;

    if (!copy)
        return -ENOMEM;
    fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return -errno;
    return 0;
}

static int replace(const struct state_file *file, const char *text, size_t len)
{
    int fd = open(file->beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int r;

    if (fd < 0)
        return -errno;
    r = write_all(fd, text, len);
    if (close(fd) < 0 && r == 0)
        r = -errno;
    if (r == 0 && rename(file->beside, file->path) < 0)
        r = -errno;
    if (r < 0) {
        unlink(file->beside);
        return r;
    }
    return sync_directory(file->path);
}

static void *run(void *ctx)
{
    struct state_file *file = ctx;

    pthread_mutex_lock(&file->lock);
    for (;;) {
        char *text = file->text;
        size_t len = file->len;
        int r;

        if (!text && file->stop)
            break;
        if (!text) {
            pthread_cond_wait(&file->wake, &file->lock);
            continue;
        }
        file->text = NULL;
        pthread_mutex_unlock(&file->lock);
        r = replace(file, text, len);
        free(text);
        pthread_mutex_lock(&file->lock);
        file->error = r;
    }
    pthread_mutex_unlock(&file->lock);
    return NULL;
}

/* Signals are the loop's. */
static int start(struct state_file *file)
{
    sigset_t all, before;
    int r;

    if (file->started)
        return 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(&file->thread, NULL, run, file);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    file->started = r == 0;
    return r;
}

int state_file_write(struct state_file *file, char *text, size_t len)
{
    int r = start(file);

    if (r < 0) {
        free(text);
        return r;
    }
    pthread_mutex_lock(&file->lock);
    free(file->text);
    file->text = text;
    file->len = len;
    pthread_cond_signal(&file->wake);
    pthread_mutex_unlock(&file->lock);
    return 0;
}

int state_file_error(struct state_file *file)
{
    int error;

    pthread_mutex_lock(&file->lock);
    error = file->error;
    pthread_mutex_unlock(&file->lock);
    return error;
}

const char *state_file_path(const struct state_file *file)
{
    return file->path;
}
