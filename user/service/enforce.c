#include "service/enforce.h"
#include "probe/breaker.h"
#include "service/row.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct enforce {
    struct enforce_sources sources;
    const struct config *config;
    struct breaker_row *rows;
    /* As they were last given to the kernel, by row. */
    struct breaker_fallback given[UPSTREAMS_MAX];
};

int enforce_create(struct enforce **ret, const struct enforce_sources *sources)
{
    struct enforce *e = calloc(1, sizeof(*e));
    const char *reason;

    if (!e)
        return -ENOMEM;
    e->sources = *sources;
    e->rows = probe_breaker_rows(sources->probe, &reason);
    *ret = e;
    return 0;
}

void enforce_destroy(struct enforce *e)
{
    free(e);
}

/* Of the directory, and how deep it is below the mount. */
static int find_clients(const struct enforce *e, const char *cgroup, char path[PATH_MAX],
                        uint64_t *ret_id, uint64_t *ret_level)
{
    struct stat st;
    uint64_t level = 0;

    snprintf(path, PATH_MAX, "%s%s", e->sources.cgroup_root, cgroup[1] ? cgroup : "");
    if (stat(path, &st) < 0)
        return -errno;
    for (const char *at = cgroup; *at; at++)
        level += at[0] == '/' && at[1];
    *ret_id = level ? st.st_ino : 0;
    *ret_level = level;
    return 0;
}

/* Whatever is done to the host about an upstream is asked for here. */
static bool enforces(const struct enforce *e, const struct config_upstream *upstream)
{
    return !e->config->dry_run && (upstream->breaker.mode == BREAKER_MODE_ENFORCE ||
                                   upstream->breaker.mode == BREAKER_MODE_FORCED_OPEN);
}

struct hook_list {
    enum probe_hook hook;
    char *paths[UPSTREAMS_MAX];
    size_t count;
};

static bool is_within(const char *path, const char *above)
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
        if (is_within(path, list->paths[i]))
            return 0;
    for (size_t i = 0; i < list->count; i++) {
        if (is_within(list->paths[i], path))
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

static void free_paths(struct hook_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->paths[i]);
}

/* Takes one upstream's clients into the row and the lists. */
static int take_upstream(struct enforce *e, size_t index, struct hook_list *connects,
                         struct hook_list *statuses, char error[PROBE_ERROR_BYTES])
{
    const struct config_upstream *upstream = &e->config->upstreams.items[index];
    const char *cgroup = upstream->clients.cgroup ? upstream->clients.cgroup : "/";
    struct breaker_row *row = &e->rows[services_row(e->sources.services, index)];
    uint64_t id = 0, level = 0;
    char path[PATH_MAX];
    int r = find_clients(e, cgroup, path, &id, &level);

    if (r < 0) {
        snprintf(error, PROBE_ERROR_BYTES, "upstream %s: no cgroup %.128s: %s", upstream->name,
                 path, strerror(-r));
        return r;
    }
    /* In this order: a wrong level matches nobody, a missing id everybody. */
    row_store(&row->clients_level, level);
    row_store(&row->clients_cgroup_id, id);
    if (enforces(e, upstream))
        r = add_path(connects, path);
    if (r == 0 && upstream->read_status)
        r = add_path(statuses, path);
    return r;
}

static int set_hook(struct enforce *e, const struct hook_list *list, char error[PROBE_ERROR_BYTES])
{
    return probe_hook_set(e->sources.probe, list->hook, (const char *const *)list->paths,
                          list->count, error);
}

void enforce_commit(struct enforce *e, const struct config *config)
{
    e->config = config;
}

int enforce_tell(struct enforce *e, char error[PROBE_ERROR_BYTES])
{
    const struct config *config = e->config;
    struct hook_list connects = {.hook = PROBE_HOOK_CONNECT}, statuses = {.hook = PROBE_HOOK_HTTP};
    int r = 0, one;

    if (!e->rows || !e->sources.cgroup_root)
        return 0;
    for (size_t i = 0; i < config->upstreams.count; i++) {
        one = take_upstream(e, i, &connects, &statuses, error);
        r = r < 0 ? r : one;
    }
    one = set_hook(e, &connects, error);
    r = r < 0 ? r : one;
    one = set_hook(e, &statuses, error);
    r = r < 0 ? r : one;
    free_paths(&connects);
    free_paths(&statuses);
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
}

int enforce_opened(struct enforce *e, size_t upstream)
{
    const struct config_upstream *of = &e->config->upstreams.items[upstream];
    uint64_t id, level;
    char path[PATH_MAX];

    if (!e->rows || of->breaker.on_open != BREAKER_ON_OPEN_CLOSE || !enforces(e, of))
        return 0;
    if (!of->clients.cgroup)
        return probe_breaker_close_sockets(
            e->sources.probe, (uint32_t)services_row(e->sources.services, upstream), NULL);
    if (find_clients(e, of->clients.cgroup, path, &id, &level) < 0)
        return -ENOENT;
    return probe_breaker_close_sockets(e->sources.probe,
                                       (uint32_t)services_row(e->sources.services, upstream), path);
}
