/* Threads and open files against the kernel's limits, from /proc. */
#ifndef MOONWATCH_COLLECT_PROCESS_LIMIT_H
#define MOONWATCH_COLLECT_PROCESS_LIMIT_H

#include "base/file.h"
#include "base/host.h"
#include "model/process.h"

struct process_limits {
    struct proc_file loadavg, pid_max, threads_max, file_nr;
    char *buffer;
    size_t capacity;
};

void process_limits_open(struct process_limits *limits, const struct host *host);
void process_limits_close(struct process_limits *limits);
void process_limits_sample(struct process_limits *limits, struct process_snapshot *ret);

#endif
