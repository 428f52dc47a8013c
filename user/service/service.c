/* Who there is: services and upstreams as the configuration has them, over reloads. */
#include "service/row.h"
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

/* The new set: those that keep their name as they are, the others fresh. */
struct next {
    struct service **services;
    struct upstream **upstreams;
    bool taken[UPSTREAMS_MAX]; /* rows */
};

static size_t free_row(struct next *next)
{
    size_t row = 0;

    while (row < UPSTREAMS_MAX - 1 && next->taken[row])
        row++;
    next->taken[row] = true;
    return row;
}

/* It may hold the state of an upstream that is gone. Epochs go on: a late outcome of its calls
 * must not meet one that it knows. */
static void clear_row(struct breaker_row *row)
{
    __u64 seen = row_load(&row->word);

    if (!seen && !row_load(&row->name_hash))
        return;
    row_store(&row->enforce, 0);
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

static int make_services(const struct services *s, const struct config *config, struct next *next,
                         uint64_t now_ns)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < config->services.count; i++) {
        next->services[i] = find_service(s, config->services.items[i].name);
        if (!next->services[i])
            r = create_service(&next->services[i], config, &config->services.items[i], now_ns);
    }
    return r;
}

static int make_upstream(struct services *s, const struct config *config, struct next *next,
                         size_t i, size_t row, uint64_t now_ns)
{
    const struct config_upstream *of = &config->upstreams.items[i];
    int r = upstream_create(&next->upstreams[i], config, of, row, &s->rows[row], !s->rows_missing,
                            &s->ops, now_ns);

    if (r == 0)
        row_store(&s->rows[row].name_hash, row_name_hash(of->name));
    return r;
}

static int make_upstreams(struct services *s, const struct config *config, struct next *next,
                          bool adopt, uint64_t now_ns)
{
    int r = 0;

    for (size_t i = 0; i < config->upstreams.count; i++) {
        size_t same = services_find_upstream(s, config->upstreams.items[i].name);

        if (same != SIZE_MAX) {
            next->upstreams[i] = s->upstreams[same];
            next->taken[next->upstreams[i]->row] = true;
        }
    }
    for (size_t i = 0; adopt && r == 0 && i < config->upstreams.count; i++) {
        size_t row = find_row(s, config->upstreams.items[i].name);

        if (row == UPSTREAMS_MAX)
            continue;
        next->taken[row] = true;
        r = make_upstream(s, config, next, i, row, now_ns);
        if (r == 0)
            next->upstreams[i]->adopted = true;
    }
    for (size_t row = 0; adopt && row < UPSTREAMS_MAX; row++)
        if (!next->taken[row])
            clear_row(&s->rows[row]);
    for (size_t i = 0; r == 0 && i < config->upstreams.count; i++) {
        size_t row;

        if (next->upstreams[i])
            continue;
        row = free_row(next);
        clear_row(&s->rows[row]);
        r = make_upstream(s, config, next, i, row, now_ns);
    }
    return r;
}

static bool kept_service(const struct service *const *set, size_t count,
                         const struct service *service)
{
    for (size_t i = 0; i < count; i++)
        if (set[i] == service)
            return true;
    return false;
}

static bool kept_upstream(const struct upstream *const *set, size_t count,
                          const struct upstream *upstream)
{
    for (size_t i = 0; i < count; i++)
        if (set[i] == upstream)
            return true;
    return false;
}

/* Destroys what is in the first set and not in the second. The row of an upstream that is gone is
 * cleared, unless another has taken it already; `taken` NULL: rows are left as they are. */
static void drop_services(struct service **from, size_t count, struct service **kept,
                          size_t kept_count)
{
    for (size_t i = 0; from && i < count; i++)
        if (!kept_service((const struct service *const *)kept, kept_count, from[i]))
            destroy_service(from[i]);
    free(from);
}

static void drop_upstreams(struct services *s, struct upstream **from, size_t count,
                           struct upstream **kept, size_t kept_count, const bool *taken)
{
    for (size_t i = 0; from && i < count; i++) {
        if (!from[i] || kept_upstream((const struct upstream *const *)kept, kept_count, from[i]))
            continue;
        if (taken && !taken[from[i]->row])
            clear_row(&s->rows[from[i]->row]);
        upstream_destroy(from[i]);
    }
    free(from);
}

static void install(struct services *s, const struct config *config, struct next *next)
{
    drop_services(s->services, s->service_count, next->services, config->services.count);
    drop_upstreams(s, s->upstreams, s->upstream_count, next->upstreams, config->upstreams.count,
                   next->taken);
    s->services = next->services;
    s->service_count = config->services.count;
    s->upstreams = next->upstreams;
    s->upstream_count = config->upstreams.count;
}

static int apply(struct services *s, const struct config *config, bool adopt, uint64_t now_ns)
{
    struct next next = {
        .services = calloc(config->services.count + 1, sizeof(void *)),
        .upstreams = calloc(config->upstreams.count + 1, sizeof(void *)),
    };
    int r = next.services && next.upstreams ? 0 : -ENOMEM;

    if (config->upstreams.count > UPSTREAMS_MAX)
        r = -E2BIG;
    if (r == 0)
        r = make_services(s, config, &next, now_ns);
    if (r == 0)
        r = make_upstreams(s, config, &next, adopt, now_ns);
    if (r < 0) {
        drop_services(next.services, next.services ? config->services.count : 0, s->services,
                      s->service_count);
        drop_upstreams(s, next.upstreams, next.upstreams ? config->upstreams.count : 0,
                       s->upstreams, s->upstream_count, NULL);
        return r;
    }
    install(s, config, &next);
    s->window_seconds = config->performance_tracker.window_size_seconds;
    for (size_t i = 0; i < s->service_count; i++) {
        s->services[i]->config = &config->services.items[i];
        performance_configure(s->services[i]->performance,
                              config->performance_tracker.window_size_seconds,
                              config->performance_tracker.degradation_threshold, now_ns);
    }
    /* Without memory for another window a breaker keeps its old rules, of which it has a copy. */
    for (size_t i = 0; i < s->upstream_count; i++)
        (void)upstream_configure(s->upstreams[i], config, &config->upstreams.items[i], now_ns);
    return 0;
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
    if (!rows->rows)
        s->own_rows = calloc(UPSTREAMS_MAX, sizeof(*s->own_rows));
    s->rows = rows->rows ? rows->rows : s->own_rows;
    r = s->rows ? apply(s, config, true, now_ns) : -ENOMEM;
    if (r < 0) {
        services_destroy(s);
        return r;
    }
    *ret = s;
    return 0;
}

void services_destroy(struct services *s)
{
    if (!s)
        return;
    drop_services(s->services, s->service_count, NULL, 0);
    drop_upstreams(s, s->upstreams, s->upstream_count, NULL, 0, NULL);
    free(s->own_rows);
    free(s);
}

int services_configure(struct services *s, const struct config *config, uint64_t now_ns)
{
    return apply(s, config, false, now_ns);
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
