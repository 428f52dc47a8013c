/* Whether what was asked for is in force, read back from the kernel. */
#include "breaker/row.h"
#include "service/enforce_state.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct enforcement_look {
    enum enforcement enforcement;
    bool acts;     /* connects are refused, if not all of them */
    bool mendable; /* by putting it in force again */
    bool lost;     /* and the addresses by telling them again */
    char why[ENFORCEMENT_WHY_BYTES];
};

/* The cgroup with the program that is to be run for `path`; 0: there is none. */
static uint64_t find_hooked(const struct hook_list *list, const char *path)
{
    struct stat st;

    for (size_t i = 0; i < list->count; i++)
        if (path_is_within(path, list->paths[i]))
            return stat(list->paths[i], &st) == 0 ? st.st_ino : 0;
    return 0;
}

static bool is_hooked(const struct enforce *e, const struct hook_list *list, const char *path,
                      char why[PROBE_ERROR_BYTES])
{
    return probe_hook_attached(e->sources.probe, list->hook, find_hooked(list, path), why);
}

/* Nothing of it is the host's fault: names that do not resolve, or that share an address. */
static void judge_addresses(const struct enforce *e, size_t upstream, struct enforcement_look *v)
{
    struct upstream_reach reach;

    upstream_table_look(e->sources.table, upstream, &reach);
    v->acts = reach.known > 0;
    if (reach.known == reach.count)
        return;
    v->lost = reach.lost;
    v->mendable = v->mendable || reach.lost;
    v->enforcement = reach.lost      ? ENFORCEMENT_FAILED
                     : reach.pending ? ENFORCEMENT_PENDING
                                     : ENFORCEMENT_IDLE;
    if (reach.count == 1)
        snprintf(v->why, sizeof(v->why), "%s", reach.why);
    else
        snprintf(v->why, sizeof(v->why), "%zu of %zu addresses %s not enforced: %.170s",
                 reach.count - reach.known, reach.count,
                 reach.count - reach.known == 1 ? "is" : "are", reach.why);
}

/* What a breaker that enforces opens by. One that is forced open needs none of it. */
static void judge_calls(const struct enforce *e, size_t upstream, const struct clients *clients,
                        struct enforcement_look *v)
{
    const struct config_upstream *of = &e->config->upstreams.items[upstream];
    char why[PROBE_ERROR_BYTES];
    const char *reason;

    if (of->breaker.mode != BREAKER_MODE_ENFORCE)
        return;
    /* Without a probe by configuration it opens by its own check, as `check` says. */
    if (e->config->overhead.probes.request != CONFIG_PROBE_OFF &&
        !probe_concern_active(e->sources.probe, CONCERN_REQUEST, &reason)) {
        v->enforcement = ENFORCEMENT_FAILED;
        snprintf(v->why, sizeof(v->why), "calls are not followed, and open nothing: %.180s",
                 reason);
    } else if (of->read_status && !is_hooked(e, &e->statuses, clients->path, why)) {
        v->enforcement = ENFORCEMENT_FAILED;
        v->mendable = true;
        snprintf(v->why, sizeof(v->why), "HTTP statuses are not read, and open nothing: %.190s",
                 why);
    }
}

static void judge_asked(const struct enforce *e, size_t upstream, const struct clients *clients,
                        struct enforcement_look *v)
{
    const struct breaker_row *row = &e->rows[services_row(e->sources.services, upstream)];
    char why[PROBE_ERROR_BYTES];

    if (!is_hooked(e, &e->connects, clients->path, why)) {
        v->mendable = true;
        snprintf(v->why, sizeof(v->why), "%.250s", why);
    } else if (row_load(&row->clients_cgroup_id) != clients->id ||
               row_load(&row->clients_level) != clients->level ||
               row_load(&row->netns_cookie) != clients->netns || !row_load(&row->enforce)) {
        v->mendable = true;
        snprintf(v->why, sizeof(v->why), "its row in the kernel is not as it was written");
    } else {
        v->enforcement = ENFORCEMENT_ACTIVE;
        judge_addresses(e, upstream, v);
        if (v->enforcement == ENFORCEMENT_ACTIVE)
            judge_calls(e, upstream, clients, v);
    }
}

/* Of the upstream before: most have the same. */
struct found_clients {
    const char *cgroup, *netns; /* as configured; NULL: none was looked for yet */
    struct clients clients;
    int r;
};

static void find_clients(struct enforce *e, size_t upstream, struct found_clients *found)
{
    const char *netns = e->config->upstreams.items[upstream].netns;
    const char *given = e->config->upstreams.items[upstream].clients.cgroup;
    const char *cgroup = given ? given : "/";

    if (found->cgroup && strcmp(found->cgroup, cgroup) == 0 && strcmp(found->netns, netns) == 0)
        return;
    found->r = enforce_find_clients(e, upstream, &found->clients);
    found->cgroup = cgroup;
    found->netns = netns;
}

static void say_nobody(const struct config_upstream *of, const struct found_clients *found,
                       struct enforcement_look *v)
{
    bool netns = found->clients.netns_missing;
    const char *what = netns ? "network namespace" : "cgroup";
    const char *path = netns ? of->netns : of->clients.cgroup;

    if (found->r == -ENOENT)
        snprintf(v->why, sizeof(v->why), "no %s %.160s: nobody is a client", what, path);
    else
        snprintf(v->why, sizeof(v->why), "%s %.128s: %.64s: nobody is a client", what, path,
                 strerror(-found->r));
}

static void judge(struct enforce *e, size_t upstream, struct found_clients *found,
                  struct enforcement_look *v)
{
    const struct clients *clients = &found->clients;

    *v = (struct enforcement_look){.enforcement = ENFORCEMENT_FAILED};
    if (!e->sources.cgroup_root) {
        snprintf(v->why, sizeof(v->why), "no cgroup v2 is mounted");
        return;
    }
    find_clients(e, upstream, found);
    v->mendable = clients->id != e->told_ids[upstream] || clients->netns != e->told_netns[upstream];
    if (found->r < 0) {
        v->enforcement = ENFORCEMENT_IDLE;
        say_nobody(&e->config->upstreams.items[upstream], found, v);
    } else if (enforce_is_asked(e, upstream)) {
        judge_asked(e, upstream, clients, v);
    }
}

struct enforce_lack enforce_judge(struct enforce *e)
{
    struct found_clients found = {.cgroup = NULL};
    struct enforce_lack lack = {0};

    for (size_t i = 0; e->rows && i < e->config->upstreams.count; i++) {
        struct enforcement_look v;

        judge(e, i, &found, &v);
        lack.mendable = lack.mendable || v.mendable;
        lack.addresses = lack.addresses || v.lost;
        e->active[i] = v.acts;
        services_set_enforcement(e->sources.services, i, v.enforcement, v.acts, v.why);
    }
    return lack;
}

void enforce_look(struct enforce *e)
{
    char error[PROBE_ERROR_BYTES];
    struct enforce_lack lack;

    if (!e->config)
        return;
    lack = enforce_judge(e);
    if (!lack.mendable || !e->sources.cgroup_root)
        return;
    enforce_tell_clients(e, error);
    if (lack.addresses)
        upstream_table_tell(e->sources.table);
    enforce_put(e, error);
    enforce_judge(e);
}
