/* Whether what was asked for is in force, read back from the kernel. */
#include "service/enforce_state.h"
#include "service/row.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct verdict {
    enum enforcement enforcement;
    bool mendable; /* by putting it in force again */
    char why[ENFORCEMENT_WHY_BYTES];
};

/* The cgroup with the program that stops the connects of `path`; 0: there is none. */
static uint64_t find_hooked(const struct enforce *e, const char *path)
{
    struct stat st;

    for (size_t i = 0; i < e->connects.count; i++)
        if (path_is_within(path, e->connects.paths[i]))
            return stat(e->connects.paths[i], &st) == 0 ? st.st_ino : 0;
    return 0;
}

static void judge_address(const struct enforce *e, size_t upstream, struct verdict *v)
{
    int told = upstream_table_told(e->sources.table);
    bool pending;

    if (told < 0) {
        v->enforcement = ENFORCEMENT_FAILED;
        snprintf(v->why, sizeof(v->why), "the kernel's table of addresses cannot be written: %s",
                 strerror(-told));
    } else if (!upstream_table_any(e->sources.table, upstream, &pending)) {
        v->enforcement = pending ? ENFORCEMENT_PENDING : ENFORCEMENT_IDLE;
        upstream_table_missing(e->sources.table, upstream, v->why, sizeof(v->why));
    }
}

static void judge_attached(const struct enforce *e, size_t upstream, const struct clients *clients,
                           struct verdict *v)
{
    const struct breaker_row *row = &e->rows[services_row(e->sources.services, upstream)];
    uint64_t hooked = find_hooked(e, clients->path);
    char why[PROBE_ERROR_BYTES];

    v->enforcement = ENFORCEMENT_FAILED;
    if (!probe_hook_attached(e->sources.probe, PROBE_HOOK_CONNECT, hooked, why)) {
        v->mendable = true;
        snprintf(v->why, sizeof(v->why), "%.250s", why);
    } else if (row_load(&row->clients_cgroup_id) != (clients->level ? clients->id : 0) ||
               !row_load(&row->enforce)) {
        v->mendable = true;
        snprintf(v->why, sizeof(v->why), "its row in the kernel is not as it was written");
    } else {
        v->enforcement = ENFORCEMENT_ACTIVE;
        judge_address(e, upstream, v);
    }
}

static void judge(const struct enforce *e, size_t upstream, struct verdict *v)
{
    struct clients clients;
    int r;

    *v = (struct verdict){.enforcement = ENFORCEMENT_FAILED};
    if (!e->sources.cgroup_root) {
        snprintf(v->why, sizeof(v->why), "no cgroup v2 is mounted");
        return;
    }
    r = enforce_find_clients(e, upstream, &clients);
    v->mendable = clients.id != e->told_ids[upstream];
    if (r < 0) {
        v->enforcement = ENFORCEMENT_IDLE;
        snprintf(v->why, sizeof(v->why), "no cgroup %.160s: %.64s", clients.path, strerror(-r));
    } else if (enforce_is_asked(e, upstream)) {
        judge_attached(e, upstream, &clients, v);
    }
}

bool enforce_judge(struct enforce *e)
{
    bool mendable = false;

    for (size_t i = 0; e->rows && i < e->config->upstreams.count; i++) {
        struct verdict v;

        judge(e, i, &v);
        mendable = mendable || v.mendable;
        e->active[i] = v.enforcement == ENFORCEMENT_ACTIVE;
        services_set_enforcement(e->sources.services, i, v.enforcement, v.why);
    }
    return mendable;
}

void enforce_look(struct enforce *e)
{
    char error[PROBE_ERROR_BYTES];

    if (!e->config || !enforce_judge(e) || !e->sources.cgroup_root)
        return;
    enforce_put(e, error);
    enforce_judge(e);
}
