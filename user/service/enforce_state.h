/* What the parts of struct enforce share. Inside this layer only. */
#ifndef MOONWATCH_SERVICE_ENFORCE_STATE_H
#define MOONWATCH_SERVICE_ENFORCE_STATE_H

#include "base/path_watch.h"
#include "probe/breaker_rows.h"
#include "service/enforce.h"
#include "service/netns.h"
#include <limits.h>

struct hook_list {
    enum probe_hook hook;
    char *paths[UPSTREAMS_MAX];
    size_t count;
};

struct enforce {
    struct enforce_sources sources;
    const struct config *config;
    struct breaker_row *rows;
    struct path_watch *watch; /* of the clients' cgroups; NULL: none to be had, each tick looks */
    /* As they were last given to the kernel, by row. */
    struct breaker_fallback given[UPSTREAMS_MAX];
    struct hook_list connects; /* where connects were last asked to be stopped */
    struct hook_list statuses; /* and where statuses of answers to be read */
    /* By upstream: who its clients are (0: nobody), and whether it acts, as it was last read
     * back. */
    uint64_t told_ids[UPSTREAMS_MAX], told_netns[UPSTREAMS_MAX];
    struct netns_seen own, netns[UPSTREAMS_MAX];
    bool active[UPSTREAMS_MAX];
};

struct clients {
    char path[PATH_MAX]; /* without a slash at the end */
    uint64_t id, level;  /* as in the row: of the directory, and how deep it is below the mount */
    uint64_t netns;      /* likewise; 0: any */
    bool netns_missing;
};

/* 0, or a negative errno with id 0. */
int enforce_find_clients(struct enforce *e, size_t upstream, struct clients *ret);
bool enforce_is_asked(const struct enforce *e, size_t upstream);
bool path_is_within(const char *path, const char *above);
void hook_list_clear(struct hook_list *list);
int enforce_put(struct enforce *e, char error[PROBE_ERROR_BYTES]);

/* What is missing, and may be mended by putting it in force again. */
struct enforce_lack {
    bool mendable;
    bool addresses; /* of the kernel's table */
};

/* enforce_look.c: reads back what is in force. */
struct enforce_lack enforce_judge(struct enforce *e);

#endif
