#include "endpoint/endpoint_checks.h"
#include "base/names.h"
#include "endpoint/endpoint_entry.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first attempts are spread over this, or over the interval where that is shorter. */
#define SPREAD_NS (5 * NS_PER_SECOND)
#define ENDPOINT_INTERVAL_SECONDS 10

static const struct endpoint_driver *const drivers[] = {
    [CHECK_HTTP] = &endpoint_driver_http,
    [CHECK_TCP] = &endpoint_driver_tcp,
    [CHECK_POSTGRES] = &endpoint_driver_postgres,
    [CHECK_REDIS] = &endpoint_driver_redis,
};

struct endpoint_checks {
    struct endpoint_check_sources sources;
    struct endpoint_check_ops ops;
    struct loop_source *alarm;
    size_t count; /* of the checks, which come first */
    size_t total; /* with the further paths whose answers are kept */
    struct endpoint_entry *entries;
    bool staged; /* what follows is the next configuration's */
    size_t next_count, next_total;
    struct endpoint_entry *next_entries;
};

const char *const endpoint_owner_names[] = {
    [ENDPOINT_SERVICE] = "service",
    [ENDPOINT_UPSTREAM] = "upstream",
    [ENDPOINT_FALLBACK] = "fallback",
    NULL,
};
NAMES_OF(endpoint_owner_names, ENDPOINT_OWNER_COUNT);

const char *const endpoint_status_names[] = {
    [ENDPOINT_UNKNOWN] = "unknown",
    [ENDPOINT_OK] = "ok",
    [ENDPOINT_FAILED] = "failed",
    NULL,
};
NAMES_OF(endpoint_status_names, ENDPOINT_STATUS_COUNT);

const char *endpoint_status_name(enum endpoint_status status)
{
    return name_at(endpoint_status_names, ENDPOINT_STATUS_COUNT, status);
}

static void set_alarm(void *ctx)
{
    const struct endpoint_checks *checks = ctx;
    uint64_t next_ns = 0, due_ns;

    for (size_t i = 0; i < checks->total; i++) {
        due_ns = endpoint_entry_due_ns(&checks->entries[i]);
        if (!next_ns || due_ns < next_ns)
            next_ns = due_ns;
    }
    loop_set_alarm(checks->alarm, next_ns);
}

static void on_alarm(void *ctx, uint64_t now_ns)
{
    struct endpoint_checks *checks = ctx;

    for (size_t i = 0; i < checks->total; i++)
        endpoint_entry_tick(&checks->entries[i], now_ns);
    set_alarm(checks);
}

int endpoint_checks_create(struct endpoint_checks **ret,
                           const struct endpoint_check_sources *sources,
                           const struct endpoint_check_ops *ops)
{
    struct endpoint_checks *checks = calloc(1, sizeof(*checks));
    int r;

    if (!checks)
        return -ENOMEM;
    checks->sources = *sources;
    checks->ops = *ops;
    r = loop_add_alarm(sources->loop, &checks->alarm, on_alarm, checks);
    if (r < 0) {
        free(checks);
        return r;
    }
    *ret = checks;
    return 0;
}

static void free_entries(struct endpoint_entry *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        endpoint_entry_stop(&entries[i]);
        free(entries[i].feed_url);
        free((char *)entries[i].view.name);
        free((char *)entries[i].view.url);
    }
    free(entries);
}

void endpoint_checks_destroy(struct endpoint_checks *checks)
{
    if (!checks)
        return;
    endpoint_checks_unstage(checks);
    free_entries(checks->entries, checks->total);
    loop_remove(checks->alarm);
    free(checks);
}

/* What of a configuration there is to ask. */
struct to_ask {
    struct endpoint_checks *checks;
    struct endpoint_entry *entries; /* NULL: only count */
    size_t count;
    size_t checks_count; /* of those that are shown */
    bool failed;
};

static bool is_cached(const struct config_upstream *upstream)
{
    return upstream->fallback.given && upstream->fallback.enabled &&
           upstream->fallback.strategy == FALLBACK_CACHED;
}

static struct endpoint_entry *add(struct to_ask *plan, const char *name, enum endpoint_owner owner,
                                  const struct config_check *check)
{
    struct endpoint_entry *entry = plan->entries ? &plan->entries[plan->count] : NULL;
    const struct endpoint_check_sources *sources = &plan->checks->sources;
    uint64_t interval_ns = (uint64_t)(check->interval_seconds * 1e9);

    plan->count++;
    if (!entry)
        return NULL;
    *entry = (struct endpoint_entry){
        .sources = sources,
        .ops = &plan->checks->ops,
        .config = check,
        .driver = drivers[check->type],
        .changed = set_alarm,
        .changed_ctx = plan->checks,
        .reason = "not asked yet",
        .view = {.name = strdup(name),
                 .owner = owner,
                 .type = check->type,
                 .url = strdup(check->url),
                 .certificate_days = HTTP_CERTIFICATE_DAYS_UNKNOWN},
    };
    entry->view.since_ns = clock_monotonic_ns(sources->clock);
    entry->view.next_ns =
        entry->view.since_ns +
        random_up_to(sources->random, interval_ns < SPREAD_NS ? interval_ns : SPREAD_NS);
    return entry;
}

static void add_feed(struct to_ask *plan, const struct config_upstream *upstream, const char *path)
{
    struct endpoint_entry *entry = add(plan, upstream->name, ENDPOINT_UPSTREAM, &upstream->check);
    const char *url = upstream->check.url, *authority = strstr(url, "://") + 3;
    int length = (int)(authority - url + (ptrdiff_t)strcspn(authority, "/?#"));

    if (!entry)
        return;
    entry->feeds = upstream->name;
    if (asprintf(&entry->feed_url, "%.*s%s", length, url, path) < 0)
        entry->feed_url = NULL;
}

/* As often as the upstream itself is asked. */
static void add_endpoint(struct to_ask *plan, const struct config_upstream *upstream, size_t index)
{
    const struct config_fallback *fallback = &upstream->fallback;
    struct config_check check = {
        .type = CHECK_TCP,
        .interval_seconds =
            upstream->check.given ? upstream->check.interval_seconds : ENDPOINT_INTERVAL_SECONDS,
        .timeout_seconds = fallback->timeout_seconds,
    };
    struct endpoint_entry *entry;

    if (asprintf(&check.url, "tcp://%s", fallback->endpoints.items[index]) < 0) {
        plan->failed = true;
        return;
    }
    if (check.timeout_seconds > check.interval_seconds)
        check.timeout_seconds = check.interval_seconds;
    entry = add(plan, upstream->name, ENDPOINT_FALLBACK, &check);
    free(check.url);
    if (!entry)
        return;
    check.url = (char *)entry->view.url;
    entry->own = check;
    entry->config = &entry->own;
    entry->view.index = index;
}

static bool has_alternatives(const struct config_upstream *upstream)
{
    return upstream->fallback.given && upstream->fallback.enabled &&
           upstream->fallback.strategy == FALLBACK_ALTERNATIVE;
}

static void plan_all(struct to_ask *plan, const struct config *config)
{
    const struct config_upstream *upstream;
    struct endpoint_entry *entry;

    for (size_t i = 0; i < config->services.count; i++)
        if (config->services.items[i].check.given)
            add(plan, config->services.items[i].name, ENDPOINT_SERVICE,
                &config->services.items[i].check);
    for (size_t i = 0; i < config->upstreams.count; i++) {
        upstream = &config->upstreams.items[i];
        entry = upstream->check.given
                    ? add(plan, upstream->name, ENDPOINT_UPSTREAM, &upstream->check)
                    : NULL;
        if (entry && is_cached(upstream))
            entry->feeds = upstream->name;
        for (size_t e = 0; has_alternatives(upstream) && e < upstream->fallback.endpoints.count;
             e++)
            add_endpoint(plan, upstream, e);
    }
    plan->checks_count = plan->count;
    for (size_t i = 0; i < config->upstreams.count; i++) {
        upstream = &config->upstreams.items[i];
        if (upstream->check.given && is_cached(upstream))
            for (size_t p = 0; p < upstream->fallback.paths.count; p++)
                add_feed(plan, upstream, upstream->fallback.paths.items[p]);
    }
}

/* The results of a check that is still the same go on. */
static void adopt(struct endpoint_entry *entry, const struct endpoint_entry *old, size_t count)
{
    for (size_t i = 0; i < count; i++, old++) {
        const char *name = entry->view.name, *url = entry->view.url;
        uint64_t next_ns = entry->view.next_ns;

        if (old->view.owner != entry->view.owner || old->view.type != entry->view.type ||
            strcmp(old->view.name, name) != 0 || strcmp(old->view.url, url) != 0 ||
            strcmp(old->feed_url ? old->feed_url : "", entry->feed_url ? entry->feed_url : "") != 0)
            continue;
        entry->view = old->view;
        entry->view.name = name;
        entry->view.url = url;
        memcpy(entry->reason, old->reason, sizeof(entry->reason));
        /* What was broken off begins again, and so does what may have another interval now. */
        if (old->run || old->resolving || entry->view.next_ns > next_ns)
            entry->view.next_ns = next_ns;
        return;
    }
}

static bool is_whole(const struct to_ask *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        const struct endpoint_entry *entry = &plan->entries[i];

        if (!entry->view.name || !entry->view.url || (!entry->feed_url && i >= plan->checks_count))
            return false;
    }
    return !plan->failed;
}

int endpoint_checks_stage(struct endpoint_checks *checks, const struct config *config)
{
    struct to_ask plan = {.checks = checks};
    size_t count;

    endpoint_checks_unstage(checks);
    plan_all(&plan, config);
    count = plan.count;
    if (plan.failed)
        return -ENOMEM;
    plan.count = 0;
    plan.entries = calloc(count + 1, sizeof(struct endpoint_entry));
    if (!plan.entries)
        return -ENOMEM;
    plan_all(&plan, config);
    if (plan.count != count || !is_whole(&plan)) {
        free_entries(plan.entries, plan.count);
        return -ENOMEM;
    }
    checks->staged = true;
    checks->next_entries = plan.entries;
    checks->next_count = plan.checks_count;
    checks->next_total = plan.count;
    return 0;
}

void endpoint_checks_unstage(struct endpoint_checks *checks)
{
    free_entries(checks->next_entries, checks->next_total);
    checks->next_entries = NULL;
    checks->next_count = checks->next_total = 0;
    checks->staged = false;
}

void endpoint_checks_commit(struct endpoint_checks *checks)
{
    if (!checks->staged)
        return;
    for (size_t i = 0; i < checks->next_total; i++)
        adopt(&checks->next_entries[i], checks->entries, checks->total);
    free_entries(checks->entries, checks->total);
    checks->entries = checks->next_entries;
    checks->count = checks->next_count;
    checks->total = checks->next_total;
    checks->next_entries = NULL;
    checks->next_count = checks->next_total = 0;
    checks->staged = false;
    set_alarm(checks);
}

size_t endpoint_check_count(const struct endpoint_checks *checks)
{
    return checks->count;
}

void endpoint_check_view(const struct endpoint_checks *checks, size_t index,
                         struct endpoint_check_view *ret)
{
    *ret = checks->entries[index].view;
    ret->reason = checks->entries[index].reason;
}
