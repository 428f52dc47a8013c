#include "collect/process_limit.h"
#include "base/scan.h"
#include <stdlib.h>

void process_limits_open(struct process_limits *l, const struct host *host)
{
    proc_file_open(&l->loadavg, host->proc, "loadavg");
    proc_file_open(&l->pid_max, host->proc, "sys/kernel/pid_max");
    proc_file_open(&l->threads_max, host->proc, "sys/kernel/threads-max");
    proc_file_open(&l->file_nr, host->proc, "sys/fs/file-nr");
}

void process_limits_close(struct process_limits *l)
{
    proc_file_close(&l->loadavg);
    proc_file_close(&l->pid_max);
    proc_file_close(&l->threads_max);
    proc_file_close(&l->file_nr);
    free(l->buffer);
}

/* The file's first line; false when it could not be read or was cut short. */
static bool read_line(struct process_limits *l, struct proc_file *file, struct scan *ret)
{
    ssize_t len = proc_file_read_line(file, &l->buffer, &l->capacity);
    struct scan text;

    if (len < 0)
        return false;
    text = scan_of(l->buffer, (size_t)len);
    return scan_line(&text, ret);
}

static struct reading read_number(struct process_limits *l, struct proc_file *file,
                                  const char *why_not)
{
    struct scan line;
    uint64_t value;

    if (!read_line(l, file, &line) || !scan_u64(&line, &value))
        return reading_missing(why_not);
    return reading_of((double)value);
}

/* "0.20 0.18 0.12 1/80 11206": the number after the slash is that of all threads. */
static struct reading read_threads(struct process_limits *l)
{
    struct scan line, word;
    uint64_t value;
    bool ok = read_line(l, &l->loadavg, &line);

    for (int i = 0; ok && i < 4; i++)
        ok = scan_word(&line, &word);
    if (ok) {
        const char *slash = memchr(word.at, '/', scan_len(&word));

        ok = slash != NULL;
        word.at = slash ? slash + 1 : word.at;
    }
    if (!ok || !scan_is_u64(&word, &value))
        return reading_missing("/proc/loadavg could not be read");
    return reading_of((double)value);
}

static struct reading lower(struct reading a, struct reading b)
{
    if (!reading_known(a))
        return b;
    return reading_known(b) && b.value < a.value ? b : a;
}

static struct reading percent_of(struct reading part, struct reading whole)
{
    if (!reading_known(part))
        return part;
    if (!reading_known(whole))
        return whole;
    if (whole.value <= 0)
        return reading_missing("the limit reads 0");
    return reading_of(100 * part.value / whole.value);
}

/* "1184 0 9223372036854775807": allocated, unused (always 0 since 2.6) and the limit. */
static void read_files(struct process_limits *l, struct process_snapshot *ret)
{
    struct scan line;
    uint64_t open, unused, limit;

    if (read_line(l, &l->file_nr, &line) && scan_u64(&line, &open) && scan_u64(&line, &unused) &&
        scan_u64(&line, &limit)) {
        ret->files_open = reading_of((double)(open - unused));
        ret->files_limit = reading_of((double)limit);
    } else {
        ret->files_open = reading_missing("/proc/sys/fs/file-nr could not be read");
        ret->files_limit = ret->files_open;
    }
    ret->files_usage_percent = percent_of(ret->files_open, ret->files_limit);
}

void process_limits_sample(struct process_limits *l, struct process_snapshot *ret)
{
    ret->threads = read_threads(l);
    ret->pid_limit = read_number(l, &l->pid_max, "/proc/sys/kernel/pid_max could not be read");
    ret->threads_limit =
        read_number(l, &l->threads_max, "/proc/sys/kernel/threads-max could not be read");
    ret->pid_usage_percent = percent_of(ret->threads, lower(ret->pid_limit, ret->threads_limit));
    read_files(l, ret);
}
