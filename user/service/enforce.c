#include "breaker/row.h"
#include "probe/breaker_rows.h"
#include "service/enforce_state.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int enforce_create(struct enforce **ret, const struct enforce_sources *sources)
{
    struct enforce *e = calloc(1, sizeof(*e));
    const char *reason;

    if (!e)
        return -ENOMEM;
    e->sources = *sources;
    e->rows = probe_breaker_rows(sources->probe, &reason);
    path_watch_create(&e->watch, sources->loop, sources->moved, sources->ctx);
    e->connects.hook = PROBE_HOOK_CONNECT;
    e->statuses.hook = PROBE_HOOK_HTTP;
    *ret = e;
    return 0;
}

void enforce_destroy(struct enforce *e)
{
    if (!e)
        return;
    path_watch_destroy(e->watch);
    hook_list_clear(&e->connects);
    hook_list_clear(&e->statuses);
    free(e);
}

static int find_cgroup(const struct enforce *e, size_t upstream, struct clients *ret)
{
    const char *given = e->config->upstreams.items[upstream].clients.cgroup;
    const char *cgroup = given ? given : "/";
    const char *root = e->sources.cgroup_root;
    struct stat st;

    ret->level = 0;
    ret->id = 0;
    snprintf(ret->path, sizeof(ret->path), "%s%s", root ? root : "", cgroup[1] ? cgroup : "");
    for (const char *at = cgroup; *at; at++)
        ret->level += at[0] == '/' && at[1];
    if (!ret->level) {
        ret->id = CLIENTS_EVERYBODY;
        return 0;
    }
    if (!root)
        return -ENOENT;
    if (stat(ret->path, &st) < 0)
        return -errno;
    ret->id = st.st_ino;
    return 0;
}

int enforce_find_clients(struct enforce *e, size_t upstream, struct clients *ret)
{
    const char *netns = e->config->upstreams.items[upstream].netns;
    bool own = strcmp(netns, NETNS_OWN) == 0;
    int r = find_cgroup(e, upstream, ret), in;

    in = netns_find(netns, own ? &e->own : &e->netns[upstream], &ret->netns);
    ret->netns_missing = r == 0 && in < 0;
    if (ret->netns_missing)
        ret->id = 0;
    return r < 0 ? r : in;
}

static void write_clients(struct breaker_row *row, const struct clients *clients)
{
    if (row_load(&row->clients_cgroup_id) == clients->id &&
        row_load(&row->clients_level) == clients->level &&
        row_load(&row->netns_cookie) == clients->netns)
        return;
    /* Until all is written nobody is a client. */
    row_store(&row->clients_cgroup_id, 0);
    row_store(&row->clients_level, clients->level);
    row_store(&row->netns_cookie, clients->netns);
    row_store(&row->clients_cgroup_id, clients->id);
}

/* Whatever is done to the host about an upstream is asked for here. */
bool enforce_is_asked(const struct enforce *e, size_t upstream)
{
    enum breaker_mode mode = e->config->upstreams.items[upstream].breaker.mode;

    return e->config->circuit_breaker.enabled && !e->config->dry_run &&
           (mode == BREAKER_MODE_ENFORCE || mode == BREAKER_MODE_FORCED_OPEN);
}

bool path_is_within(const char *path, const char *above)
{
    size_t len = strlen(above);

    return strncmp(path, above, len) == 0 && (!path[len] || path[len] == '/');
}

/* A program runs once for each cgroup it is attached to on the way up: a connect must not be
 * counted twice, so of two cgroups on one way only the upper one is taken. */
static int add_path(struct hook_list *list, const char *path)
{
    size_t kept = 0;
    char *copy;

    for (size_t i = 0; i < list->count; i++)
        if (path_is_within(path, list->paths[i]))
            return 0;
    for (size_t i = 0; i < list->count; i++) {
        if (path_is_within(list->paths[i], path))
            free(list->paths[i]);
        else
            list->paths[kept++] = list->paths[i];
    }
    list->count = kept;
    copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    list->paths[list->count++] = copy;
    return 0;
}

void hook_list_clear(struct hook_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->paths[i]);
    list->count = 0;
}

/* Takes one upstream's clients into the row and the lists. */
static int take_upstream(struct enforce *e, size_t index, char error[PROBE_ERROR_BYTES])
{
    const struct config_upstream *upstream = &e->config->upstreams.items[index];
    struct breaker_row *row = &e->rows[services_row(e->sources.services, index)];
    struct clients clients;
    int r = enforce_find_clients(e, index, &clients);

    e->told_ids[index] = clients.id;
    e->told_netns[index] = clients.netns;
    write_clients(row, &clients);
    if (r < 0) {
        if (enforce_is_asked(e, index))
            return 0;
        snprintf(error, PROBE_ERROR_BYTES, "upstream %s: no %s %.128s: %s", upstream->name,
                 clients.netns_missing ? "network namespace" : "cgroup",
                 clients.netns_missing ? upstream->netns : clients.path, strerror(-r));
        return r;
    }
    if (!e->sources.cgroup_root)
        return 0;
    if (enforce_is_asked(e, index))
        r = add_path(&e->connects, clients.path);
    if (r == 0 && upstream->read_status)
        r = add_path(&e->statuses, clients.path);
    return r;
}

static int set_hook(struct enforce *e, const struct hook_list *list, char error[PROBE_ERROR_BYTES])
{
    return probe_hook_set(e->sources.probe, list->hook, (const char *const *)list->paths,
                          list->count, error);
}

/* Without room for it the tick does. */
static void watch_clients(struct enforce *e)
{
    const char *paths[UPSTREAMS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < e->config->upstreams.count && count < UPSTREAMS_MAX; i++)
        if (e->config->upstreams.items[i].clients.cgroup)
            paths[count++] = e->config->upstreams.items[i].clients.cgroup;
    path_watch_set(e->watch, e->sources.cgroup_root, paths, count);
}

void enforce_commit(struct enforce *e, const struct config *config)
{
    memset(e->netns, 0, sizeof(e->netns));
    e->config = config;
    if (e->watch && e->sources.cgroup_root)
        watch_clients(e);
}

int enforce_tell_clients(struct enforce *e, char error[PROBE_ERROR_BYTES])
{
    int r = 0, one;

    if (!e->rows)
        return 0;
    hook_list_clear(&e->connects);
    hook_list_clear(&e->statuses);
    for (size_t i = 0; i < e->config->upstreams.count; i++) {
        one = take_upstream(e, i, error);
        r = r < 0 ? r : one;
    }
    return r;
}

/* What becomes of enforcement is told of each breaker by itself. */
int enforce_put(struct enforce *e, char error[PROBE_ERROR_BYTES])
{
    char of_connects[PROBE_ERROR_BYTES];

    if (!e->rows || !e->sources.cgroup_root)
        return 0;
    set_hook(e, &e->connects, of_connects);
    return set_hook(e, &e->statuses, error);
}

int enforce_tell(struct enforce *e, char error[PROBE_ERROR_BYTES])
{
    int r = enforce_put(e, error);

    enforce_judge(e);
    return r;
}

static bool find_responder(const struct enforce *e, const char *upstream,
                           struct breaker_fallback *ret)
{
    static const uint8_t loopback[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1};
    struct responder_view view;

    if (!e->sources.responder || responder_find(e->sources.responder, upstream, &view) < 0 ||
        !view.ipv4_port)
        return false;
    *ret = (struct breaker_fallback){.port = view.ipv4_port};
    memcpy(ret->addr, loopback, sizeof(loopback));
    return true;
}

/* Port 0: connects are refused. */
static struct breaker_fallback fallback_of(const struct enforce *e, size_t upstream,
                                           const struct fallback_choice *choice)
{
    struct breaker_fallback to = {0};
    bool found = false;

    if (choice->offer == FALLBACK_OFFERS_ENDPOINT)
        found = upstream_table_endpoint(e->sources.table, upstream, choice->endpoint, &to);
    else if (choice->offer == FALLBACK_OFFERS_CACHED || choice->offer == FALLBACK_OFFERS_REDUCED)
        found = find_responder(e, e->config->upstreams.items[upstream].name, &to);
    return found ? to : (struct breaker_fallback){0};
}

void enforce_tick(struct enforce *e, uint64_t now_ns)
{
    if (!e->rows || !e->config || e->config->upstreams.count == 0)
        return;
    for (size_t i = 0; i < e->config->upstreams.count; i++) {
        size_t row = services_row(e->sources.services, i);
        struct fallback_choice choice;
        struct breaker_fallback to;

        services_standby(e->sources.services, i, now_ns, &choice);
        to = fallback_of(e, i, &choice);
        if (memcmp(&to, &e->given[row], sizeof(to)) == 0)
            continue;
        breaker_set_fallback(&e->rows[row], to.port ? &to : NULL);
        e->given[row] = to;
    }
    probe_breaker_heartbeat(e->sources.probe, now_ns + ENFORCE_EXPIRES_NS);
    services_set_lease(e->sources.services, probe_breaker_expires_ns(e->sources.probe));
}

int enforce_opened(struct enforce *e, size_t upstream)
{
    const struct config_upstream *of = &e->config->upstreams.items[upstream];
    uint32_t row = (uint32_t)services_row(e->sources.services, upstream);
    struct clients clients;
    int r;

    if (of->breaker.on_open != BREAKER_ON_OPEN_CLOSE || !e->active[upstream])
        return 0;
    r = enforce_find_clients(e, upstream, &clients);
    if (r < 0)
        return r;
    /* Those of the agent's own namespace are all that can be closed, and may be others'. */
    if (clients.netns && clients.netns != e->own.cookie)
        return -EOPNOTSUPP;
    return probe_breaker_close_sockets(e->sources.probe, row,
                                       of->clients.cgroup ? clients.path : NULL);
}
