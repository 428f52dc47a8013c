/* What the agent itself takes. */
#ifndef MOONWATCH_FACTS_SELF_USAGE_H
#define MOONWATCH_FACTS_SELF_USAGE_H

#include "base/file.h"
#include "base/host.h"
#include "model/reading.h"

struct self_usage_files {
    struct proc_file stat; /* /proc/self/stat, kept open */
    char *buffer;
    size_t capacity;
    const struct host *host;
};

struct self_usage {
    struct reading resident_bytes;
    struct reading threads;
    struct reading open_files;
    struct reading cpu_seconds_total; /* user and system */
};

void self_usage_open(struct self_usage_files *files, const struct host *host);
void self_usage_close(struct self_usage_files *files);
void self_usage_read(struct self_usage_files *files, struct self_usage *ret);

#endif
