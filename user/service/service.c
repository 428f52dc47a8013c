/* Who there is: services and upstreams as the configuration has them, over reloads. */
#include "breaker/row.h"
#include "service/services_state.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void destroy_service(struct service *service)
{
    if (!service)
        return;
    performance_destroy(service->performance);
    free(service->name);
    free(service);
}

static int create_service(struct service **ret, const struct config *config,
                          const struct config_service *of, uint64_t now_ns)
{
    struct service *service = calloc(1, sizeof(*service));
    int r;

    if (!service)
        return -ENOMEM;
    service->config = of;
    service->name = strdup(of->name);
    r = service->name
            ? performance_create(&service->performance, of->name,
                                 config->performance_tracker.window_size_seconds,
                                 config->performance_tracker.degradation_threshold, now_ns)
            : -ENOMEM;
    if (r < 0) {
        destroy_service(service);
        return r;
    }
    *ret = service;
    return 0;
}

static struct service *find_service(const struct services *s, const char *name)
{
    for (size_t i = 0; i < s->service_count; i++)
        if (strcmp(s->services[i]->name, name) == 0)
            return s->services[i];
    return NULL;
}

/* It may hold the state of an upstream that is gone. Epochs go on: a late outcome of its calls
 * must not meet one that it knows. */
static void clear_row(struct breaker_row *row)
{
    __u64 seen = row_load(&row->word);

    if (!seen && !row_load(&row->name_hash))
        return;
    row_store(&row->enforce, 0);
    row_store(&row->clients_cgroup_id, 0);
    while (!row_move(row, seen, BREAKER_CLOSED))
        seen = row_load(&row->word);
    row_store(&row->name_hash, 0);
    row_store(&row->refused_total, 0);
    row_store(&row->redirected_total, 0);
    row_store(&row->probes_total, 0);
    row_store(&row->would_refuse_total, 0);
}

/* Where an agent that was killed kept the upstream's state; UPSTREAMS_MAX: nowhere. */
static size_t find_row(const struct services *s, const char *name)
{
    __u64 hash = row_name_hash(name);
    size_t row = 0;

    while (row < UPSTREAMS_MAX && row_load(&s->rows[row].name_hash) != hash)
        row++;
    return row;
}

static bool has_service(struct service *const *set, size_t count, const struct service *service)
{
    for (size_t i = 0; i < count; i++)
        if (set[i] == service)
            return true;
    return false;
}

static bool has_upstream(struct upstream *const *set, size_t count, const struct upstream *upstream)
{
    for (size_t i = 0; i < count; i++)
        if (set[i] == upstream)
            return true;
    return false;
}

static int stage_services(struct services *s, const struct config *config, uint64_t now_ns)
{
    struct service **next = s->next.services;
    int r = 0;

    for (size_t i = 0; r == 0 && i < config->services.count; i++) {
        next[i] = find_service(s, config->services.items[i].name);
        if (!next[i])
            r = create_service(&next[i], config, &config->services.items[i], now_ns);
    }
    return r;
}

static int stage_upstreams(struct services *s, const struct config *config, uint64_t now_ns)
{
    struct upstream **next = s->next.upstreams;
    int r = 0;

    for (size_t i = 0; r == 0 && i < config->upstreams.count; i++) {
        const struct config_upstream *of = &config->upstreams.items[i];
        size_t same = services_find_upstream(s, of->name);

        if (same == SIZE_MAX) {
            r = upstream_create(&next[i], config, of, &s->ops, now_ns);
        } else {
            next[i] = s->upstreams[same];
            r = upstream_stage(next[i], config, of);
        }
    }
    return r;
}

int services_stage(struct services *s, const struct config *config, uint64_t now_ns)
{
    int r;

    services_unstage(s);
    if (config->upstreams.count > UPSTREAMS_MAX)
        return -E2BIG;
    s->next = (struct services_next){
        .config = config,
        .services = calloc(config->services.count + 1, sizeof(void *)),
        .upstreams = calloc(config->upstreams.count + 1, sizeof(void *)),
    };
    r = s->next.services && s->next.upstreams ? 0 : -ENOMEM;
    if (r == 0)
        r = stage_services(s, config, now_ns);
    if (r == 0)
        r = stage_upstreams(s, config, now_ns);
    if (r < 0)
        services_unstage(s);
    return r;
}

void services_unstage(struct services *s)
{
    const struct services_next *next = &s->next;

    for (size_t i = 0; next->services && i < next->config->services.count; i++)
        if (!has_service(s->services, s->service_count, next->services[i]))
            destroy_service(next->services[i]);
    for (size_t i = 0; next->upstreams && i < next->config->upstreams.count; i++) {
        if (has_upstream(s->upstreams, s->upstream_count, next->upstreams[i]))
            upstream_unstage(next->upstreams[i]);
        else
            upstream_destroy(next->upstreams[i]);
    }
    free(next->services);
    free(next->upstreams);
    s->next = (struct services_next){0};
}

/* Who is not configured any more, and its row, which is anybody's again. */
static void drop_old(struct services *s)
{
    const struct services_next *next = &s->next;

    for (size_t i = 0; i < s->service_count; i++)
        if (!has_service(next->services, next->config->services.count, s->services[i]))
            destroy_service(s->services[i]);
    for (size_t i = 0; i < s->upstream_count; i++) {
        if (has_upstream(next->upstreams, next->config->upstreams.count, s->upstreams[i]))
            continue;
        clear_row(&s->rows[s->upstreams[i]->row]);
        upstream_destroy(s->upstreams[i]);
        s->upstreams[i] = NULL;
    }
}

static void place(struct services *s, struct upstream *upstream, size_t row, bool *taken)
{
    taken[row] = true;
    upstream_place(upstream, row, &s->rows[row]);
    row_store(&s->rows[row].name_hash, row_name_hash(upstream->name));
}

static size_t free_row(const bool *taken)
{
    size_t row = 0;

    while (row < UPSTREAMS_MAX - 1 && taken[row])
        row++;
    return row;
}

/* Gives the new ones rows: at first those that an agent before kept for them. */
static void place_new(struct services *s, bool first)
{
    const struct services_next *next = &s->next;
    size_t count = next->config->upstreams.count;
    bool taken[UPSTREAMS_MAX] = {0};

    for (size_t i = 0; i < s->upstream_count; i++)
        if (s->upstreams[i])
            taken[s->upstreams[i]->row] = true;
    for (size_t i = 0; first && i < count; i++) {
        size_t row = find_row(s, next->upstreams[i]->name);

        if (row == UPSTREAMS_MAX)
            continue;
        place(s, next->upstreams[i], row, taken);
        next->upstreams[i]->adopted = true;
    }
    for (size_t row = 0; first && row < UPSTREAMS_MAX; row++)
        if (!taken[row])
            clear_row(&s->rows[row]);
    for (size_t i = 0; i < count; i++)
        if (!next->upstreams[i]->adopted &&
            !has_upstream(s->upstreams, s->upstream_count, next->upstreams[i]))
            place(s, next->upstreams[i], free_row(taken), taken);
}

static void commit(struct services *s, bool first, uint64_t now_ns)
{
    const struct config *config = s->next.config;
    double window_seconds = config->performance_tracker.window_size_seconds;

    drop_old(s);
    place_new(s, first);
    for (size_t i = 0; i < config->upstreams.count; i++)
        if (s->next.upstreams[i]->next_config)
            upstream_commit(s->next.upstreams[i], config, now_ns);
    free(s->services);
    free(s->upstreams);
    s->services = s->next.services;
    s->service_count = config->services.count;
    s->upstreams = s->next.upstreams;
    s->upstream_count = config->upstreams.count;
    s->next = (struct services_next){0};
    s->window_seconds = window_seconds;
    for (size_t i = 0; i < s->service_count; i++) {
        s->services[i]->config = &config->services.items[i];
        performance_configure(s->services[i]->performance, window_seconds,
                              config->performance_tracker.degradation_threshold, now_ns);
    }
}

void services_commit(struct services *s, uint64_t now_ns)
{
    commit(s, false, now_ns);
}

void services_tell(struct services *s, uint64_t now_ns)
{
    for (size_t i = 0; i < s->upstream_count; i++)
        upstream_tell(s->upstreams[i], now_ns);
}

int services_create(struct services **ret, const struct config *config,
                    const struct services_rows *rows, const struct services_ops *ops,
                    uint64_t now_ns)
{
    struct services *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return -ENOMEM;
    s->ops = *ops;
    s->rows_missing = rows->rows ? NULL : rows->missing;
    s->lease_ns = UINT64_MAX;
    if (!rows->rows)
        s->own_rows = calloc(UPSTREAMS_MAX, sizeof(*s->own_rows));
    s->rows = rows->rows ? rows->rows : s->own_rows;
    r = s->rows ? services_stage(s, config, now_ns) : -ENOMEM;
    if (r < 0) {
        services_destroy(s);
        return r;
    }
    commit(s, true, now_ns);
    services_tell(s, now_ns);
    *ret = s;
    return 0;
}

void services_destroy(struct services *s)
{
    if (!s)
        return;
    services_unstage(s);
    for (size_t i = 0; i < s->service_count; i++)
        destroy_service(s->services[i]);
    for (size_t i = 0; i < s->upstream_count; i++)
        upstream_destroy(s->upstreams[i]);
    free(s->services);
    free(s->upstreams);
    free(s->own_rows);
    free(s);
}

size_t services_row(const struct services *s, size_t upstream)
{
    return s->upstreams[upstream]->row;
}

size_t services_upstream_of_row(const struct services *s, size_t row)
{
    for (size_t i = 0; i < s->upstream_count; i++)
        if (s->upstreams[i]->row == row)
            return i;
    return SIZE_MAX;
}
