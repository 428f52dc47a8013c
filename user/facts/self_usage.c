#include "facts/self_usage.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FD_PATH_BYTES 256

void self_usage_open(struct self_usage_files *files, const struct host *host)
{
    *files = (struct self_usage_files){.host = host};
    proc_file_open(&files->stat, host->own_proc, "self/stat");
}

void self_usage_close(struct self_usage_files *files)
{
    proc_file_close(&files->stat);
    free(files->buffer);
}

static void read_stat(struct self_usage_files *files, struct self_usage *ret)
{
    ssize_t n = proc_file_read(&files->stat, &files->buffer, &files->capacity);
    /* The name in parentheses may hold anything, so count from the last of them. */
    const char *fields = n > 0 ? strrchr(files->buffer, ')') : NULL;
    long threads, pages;

    ret->resident_bytes = reading_missing("cannot read /proc/self/stat");
    ret->threads = ret->resident_bytes;
    /* Fields 3 to 24: state, sixteen numbers up to nice, num_threads, three more, rss. */
    if (!fields || sscanf(fields,
                          ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
                          "%ld %*d %*u %*u %ld",
                          &threads, &pages) != 2)
        return;
    ret->threads = reading_of((double)threads);
    ret->resident_bytes = reading_of((double)pages * (double)sysconf(_SC_PAGESIZE));
}

/* Since Linux 6.2 (f1f1f2569901) the directory's size is the number of open files; before, it is
 * always 0 and they have to be counted. */
static struct reading count_open_files(const struct host *host)
{
    char path[FD_PATH_BYTES];
    struct stat st;
    size_t count = 0;
    DIR *dir;

    snprintf(path, sizeof(path), "%s/self/fd", host->own_proc);
    if (stat(path, &st) == 0 && st.st_size > 0)
        return reading_of((double)st.st_size);
    dir = opendir(path);
    if (!dir)
        return reading_missing("cannot open /proc/self/fd");
    for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        count += entry->d_name[0] != '.';
    closedir(dir);
    return reading_of((double)count - 1); /* without the one this opened */
}

void self_usage_read(struct self_usage_files *files, struct self_usage *ret)
{
    struct timespec cpu;

    read_stat(files, ret);
    ret->open_files = count_open_files(files->host);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    ret->cpu_seconds_total = reading_of(((double)cpu.tv_sec * 1e9 + (double)cpu.tv_nsec) / 1e9);
}
