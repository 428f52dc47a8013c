#include "alert/alert.h"
#include "alert/doubts.h"
#include "alert/engine.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ACK_TEXT_BYTES 256

int alert_check(const struct config *config, const struct alert_known *known,
                struct config_errors *errors)
{
    struct plan *plan = NULL;
    int r = plan_create(&plan, config, errors);

    if (r == 0)
        doubts_add(plan, config, known, errors);
    plan_destroy(plan);
    return r;
}

/* What the manager keeps for each rule of inhibition, each route and each channel. */
static int make_parts(const struct alert_manager *m, const struct plan *plan, void **ret_sources,
                      struct rest **ret_rests, struct pace **ret_paces)
{
    void *sources = calloc(plan->inhibit_count + 1, sizeof(*m->sources));
    struct rest *rests = calloc(plan->route_count + 1, sizeof(*rests));
    struct pace *paces = calloc(plan->channel_count + 1, sizeof(*paces));

    if (!sources || !rests || !paces) {
        free(sources);
        free(rests);
        free(paces);
        return -ENOMEM;
    }
    *ret_sources = sources;
    *ret_rests = rests;
    *ret_paces = paces;
    return 0;
}

static void free_parts(struct alert_manager *m)
{
    for (size_t i = 0; m->sources && i < m->plan->inhibit_count; i++)
        free(m->sources[i].hashes);
    free(m->sources);
    free(m->rests);
    free(m->paces);
    m->sources = NULL;
    m->rests = NULL;
    m->paces = NULL;
}

int alert_manager_create(struct alert_manager **ret, const struct config *config,
                         const struct alert_ops *ops, struct config_errors *errors)
{
    struct alert_manager *m = calloc(1, sizeof(*m));
    void *sources = NULL;
    int r;

    if (!m)
        return -ENOMEM;
    m->ops = *ops;
    m->held_since = m->digested_at = NEVER;
    m->imported_at = NEVER;
    r = plan_create(&m->plan, config, errors);
    if (r == 0)
        r = make_parts(m, m->plan, &sources, &m->rests, &m->paces);
    m->sources = sources;
    if (r == 0)
        rest_reset(m);
    if (r < 0) {
        alert_manager_destroy(m);
        return r;
    }
    *ret = m;
    return 0;
}

void alert_manager_destroy(struct alert_manager *m)
{
    if (!m)
        return;
    alert_manager_unstage(m);
    if (m->plan) {
        while (m->alerts)
            registry_remove(m, m->alerts);
        groups_free(m);
        free_parts(m);
    }
    for (size_t i = 0; i < m->silence_count; i++)
        silence_release(&m->silences[i]);
    history_clear(m);
    table_free(&m->table);
    held_clear(&m->held);
    free(m->sent);
    plan_destroy(m->plan);
    free(m);
}

/* The same channels by name; those that are gone need no word any more. */
static channel_set translate(channel_set set, const struct plan *from, const struct plan *to)
{
    channel_set ret = 0;

    for (size_t i = 0; i < from->channel_count; i++)
        for (size_t j = 0; (set >> i & 1) && j < to->channel_count; j++)
            if (strcmp(from->channels[i].name, to->channels[j].name) == 0)
                ret |= (channel_set)1 << j;
    return ret;
}

int alert_manager_stage(struct alert_manager *m, const struct config *config,
                        struct config_errors *errors)
{
    int r;

    alert_manager_unstage(m);
    r = plan_create(&m->next_plan, config, errors);
    if (r < 0)
        return r;
    r = make_parts(m, m->next_plan, &m->next_sources, &m->next_rests, &m->next_paces);
    if (r < 0)
        alert_manager_unstage(m);
    return r;
}

void alert_manager_unstage(struct alert_manager *m)
{
    plan_destroy(m->next_plan);
    free(m->next_sources);
    free(m->next_rests);
    free(m->next_paces);
    m->next_plan = NULL;
    m->next_sources = NULL;
    m->next_rests = NULL;
    m->next_paces = NULL;
}

static void keep_paces(struct alert_manager *m)
{
    for (size_t c = 0; c < m->plan->channel_count; c++) {
        channel_set same = translate((channel_set)1 << c, m->plan, m->next_plan);

        for (size_t n = 0; n < m->next_plan->channel_count; n++)
            if (same >> n & 1)
                m->next_paces[n] = m->paces[c];
    }
}

void alert_manager_commit(struct alert_manager *m)
{
    struct plan *plan = m->next_plan;

    if (!plan)
        return;
    keep_paces(m);
    free_parts(m);
    m->sources = m->next_sources;
    m->sources_ready = false;
    m->rests = m->next_rests;
    m->paces = m->next_paces;
    m->next_plan = NULL;
    m->next_sources = NULL;
    m->next_rests = NULL;
    m->next_paces = NULL;
    groups_free(m);
    for (struct alert *alert = m->alerts; alert; alert = alert->next) {
        enum rule_kind kind = alert->rule ? alert->rule->config->kind : RULE_KIND_COUNT;

        alert->rule = rule_set_find(plan->rules, alert_name(alert));
        if (alert->rule && alert->rule->config->kind != kind)
            alert->rule = NULL;
        if (alert->rule)
            alert->rule->alert_count++;
        alert->told_channels = translate(alert->told_channels, m->plan, plan);
    }
    m->held_channels = translate(m->held_channels, m->plan, plan);
    m->revision++;
    plan_destroy(m->plan);
    m->plan = plan;
    rest_reset(m);
}

/* Below what a double counts in nanoseconds: 104 days. */
#define SAVED_FROM_MAX_NS (90 * 86400 * (int64_t)NS_PER_SECOND)

void alert_manager_tick(struct alert_manager *m, const struct alert_input *input)
{
    int64_t now = (int64_t)input->monotonic_ns;

    m->input = input;
    if (!m->ticked || now > m->now)
        m->now = now;
    if (!m->ticked || m->now - m->saved_from > SAVED_FROM_MAX_NS)
        m->saved_from = m->now;
    m->ticked = true;
    m->full = false;
    m->realtime_ns = input->realtime_ns;
    silences_expire(m);
    evaluate_input(m);
    lifecycle_advance(m);
    notify_all(m);
    m->input = NULL;
}

bool alert_manager_wants(const struct alert_manager *m, const char *metric)
{
    size_t count;

    rule_set_of_metric(m->plan->rules, metric, &count);
    return count > 0;
}

bool alert_manager_wants_more(const struct alert_manager *m, bool (*known)(const char *metric))
{
    for (size_t i = 0; i < rule_set_count(m->plan->rules); i++) {
        const struct config_rule *config = rule_set_at(m->plan->rules, i)->config;

        if (config->metric && !known(config->metric))
            return true;
    }
    return false;
}

void alert_manager_note_change(struct alert_manager *m, const char *what)
{
    changes_note(m, 0, "%s", what);
}

size_t alert_manager_count(const struct alert_manager *m)
{
    return m->count;
}

void alert_manager_each(const struct alert_manager *m,
                        void (*fn)(void *ctx, const struct alert_view *view), void *ctx)
{
    struct alert_view view;

    for (const struct alert *alert = m->alerts; alert; alert = alert->next) {
        alert_fill_view(m, alert, &view);
        fn(ctx, &view);
    }
}

void alert_manager_each_told(const struct alert_manager *m, const char *channel,
                             void (*fn)(void *ctx, const struct alert_view *view), void *ctx)
{
    struct alert_view view;
    size_t index = 0;

    while (index < m->plan->channel_count && strcmp(m->plan->channels[index].name, channel) != 0)
        index++;
    if (index == m->plan->channel_count)
        return;
    for (const struct alert *alert = m->alerts; alert; alert = alert->next) {
        if (alert->state != ALERT_FIRING || !(alert->told_channels >> index & 1))
            continue;
        alert_fill_view(m, alert, &view);
        fn(ctx, &view);
    }
}

static struct alert *find_by_id(const struct alert_manager *m, const char *id)
{
    unsigned long long key;
    char *end;

    if (strlen(id) != ALERT_ID_BYTES - 1 || id[strspn(id, "0123456789abcdef")])
        return NULL;
    key = strtoull(id, &end, 16);
    for (struct table_node *node = table_bucket(&m->table, key); node; node = node->next)
        if (node->key == key)
            return (struct alert *)node;
    return NULL;
}

bool alert_manager_find(const struct alert_manager *m, const char *id, struct alert_view *ret)
{
    const struct alert *alert = find_by_id(m, id);

    if (!alert)
        return false;
    alert_fill_view(m, alert, ret);
    return true;
}

int alert_manager_ack(struct alert_manager *m, const char *id, const char *by, const char *comment,
                      double for_seconds)
{
    struct alert *alert = find_by_id(m, id);
    char *who, *why;

    if (!alert)
        return -ENOENT;
    if (alert->state != ALERT_FIRING)
        return -EALREADY;
    who = strndup(by ? by : "", ACK_TEXT_BYTES);
    why = strndup(comment ? comment : "", ACK_TEXT_BYTES);
    if (!who || !why) {
        free(who);
        free(why);
        return -ENOMEM;
    }
    free(alert->acked_by);
    free(alert->ack_comment);
    alert->acked_by = who;
    alert->ack_comment = why;
    alert->acked_until = for_seconds > 0 && for_seconds < 1e9
                             ? m->now + (int64_t)clock_ns_of_seconds(for_seconds)
                             : INT64_MAX;
    m->revision++;
    return 0;
}

uint64_t alert_manager_revision(const struct alert_manager *m)
{
    return m->revision;
}

void alert_manager_counters(const struct alert_manager *m, struct alert_counters *ret)
{
    *ret = m->counters;
    ret->undecided = matchers_undecided_total();
}
