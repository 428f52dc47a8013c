/* The whole state as JSON. */
#include "alert/state.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN_ALERT(field, goes_on)                                                                   \
    {                                                                                              \
#field, offsetof(struct alert, field), goes_on                                             \
    }

const struct state_time state_alert_times[] = {
    IN_ALERT(active_since, false), IN_ALERT(last_active, true),  IN_ALERT(last_seen, true),
    IN_ALERT(fired_at, false),     IN_ALERT(resolved_at, false), IN_ALERT(told_at, false),
    IN_ALERT(escalated_at, false), IN_ALERT(eased_at, false),
};
const size_t state_alert_time_count = sizeof(state_alert_times) / sizeof(state_alert_times[0]);

void state_add_time(cJSON *to, const char *name, int64_t from, int64_t at)
{
    if (at == NEVER)
        return;
    cJSON_AddNumberToObject(to, name, (double)(from - at));
}

void state_add_u64(cJSON *to, const char *name, uint64_t value)
{
    char text[24];

    if (value == 0)
        return;
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    cJSON_AddStringToObject(to, name, text);
}

static void add_text(cJSON *to, const char *name, const char *value)
{
    if (value)
        cJSON_AddStringToObject(to, name, value);
}

/* The ring of a name, oldest or newest first as it is. */
static void add_times(cJSON *to, const char *name, int64_t from, const int64_t *times, size_t count)
{
    cJSON *list;

    while (count > 0 && times[count - 1] == NEVER)
        count--;
    if (count == 0)
        return;
    list = cJSON_AddArrayToObject(to, name);
    for (size_t i = 0; i < count; i++)
        cJSON_AddItemToArray(list, times[i] == NEVER
                                       ? cJSON_CreateNull()
                                       : cJSON_CreateNumber((double)(from - times[i])));
}

static void add_labels(cJSON *to, const struct labels *labels)
{
    cJSON *object = cJSON_AddObjectToObject(to, "labels");

    for (size_t i = 0; i < labels_count(labels); i++) {
        struct label pair = labels_at(labels, i);

        cJSON_AddStringToObject(object, pair.name, pair.value);
    }
}

static void add_channels(cJSON *to, const char *name, const struct plan *plan, channel_set set)
{
    cJSON *list;

    if (!set)
        return;
    list = cJSON_AddArrayToObject(to, name);
    for (size_t c = 0; c < plan->channel_count; c++)
        if (set >> c & 1)
            cJSON_AddItemToArray(list, cJSON_CreateString(plan->channels[c].name));
}

static void add_ack(cJSON *to, const struct alert_manager *m, const struct alert *alert)
{
    cJSON *ack;

    if (alert->acked_until == NEVER)
        return;
    ack = cJSON_AddObjectToObject(to, "ack");
    add_text(ack, "by", alert->acked_by);
    add_text(ack, "comment", alert->ack_comment);
    if (alert->acked_until != INT64_MAX)
        state_add_time(ack, "until", m->saved_from, alert->acked_until);
}

/* Of an alert that goes on, each tick. */
static void add_alert_time(cJSON *to, const struct alert_manager *m, const struct state_time *time,
                           int64_t at)
{
    if (time->goes_on && at == m->now)
        cJSON_AddStringToObject(to, time->name, STATE_NOW);
    else
        state_add_time(to, time->name, m->saved_from, at);
}

static void add_id(cJSON *to, uint64_t hash)
{
    char text[20];

    snprintf(text, sizeof(text), "%016llx", (unsigned long long)hash);
    cJSON_AddStringToObject(to, "id", text);
}

static cJSON *alert_json(const struct alert_manager *m, const struct alert *alert)
{
    cJSON *json = cJSON_CreateObject();

    add_id(json, alert->node.key);
    add_labels(json, alert->labels);
    if (alert->rule)
        cJSON_AddStringToObject(json, "kind", rule_kind_text(alert->rule->config->kind));
    cJSON_AddNumberToObject(json, "state", alert->state);
    cJSON_AddNumberToObject(json, "severity", alert->severity);
    if (!isnan(alert->value))
        cJSON_AddNumberToObject(json, "value", alert->value);
    for (size_t i = 0; i < state_alert_time_count; i++)
        add_alert_time(json, m, &state_alert_times[i],
                       *(const int64_t *)((const char *)alert + state_alert_times[i].offset));
    state_add_u64(json, "starts", alert->starts_realtime_ns);
    state_add_u64(json, "ends", alert->ends_realtime_ns);
    cJSON_AddNumberToObject(json, "episode", alert->episode);
    add_times(json, "events", m->saved_from, alert->events, RULE_COUNT_MAX);
    add_times(json, "changes", m->saved_from, alert->changes, FLAPPING_CHANGES_MAX);
    cJSON_AddNumberToObject(json, "change_count", alert->change_count);
    cJSON_AddBoolToObject(json, "flapping", alert->flapping);
    cJSON_AddBoolToObject(json, "flapping_told", alert->flapping_told);
    add_text(json, "summary", alert->summary);
    add_text(json, "reason", alert->reason);
    add_text(json, "offenders", alert->offenders);
    add_text(json, "changed", alert->changed);
    add_ack(json, m, alert);
    cJSON_AddNumberToObject(json, "told", alert->told);
    cJSON_AddNumberToObject(json, "told_severity", alert->told_severity);
    add_channels(json, "told_channels", m->plan, alert->told_channels);
    cJSON_AddNumberToObject(json, "step", alert->step);
    cJSON_AddNumberToObject(json, "suppressed", alert->suppressed);
    return json;
}

static cJSON *group_json(const struct alert_manager *m, const struct group *group)
{
    cJSON *json = cJSON_CreateObject();

    add_id(json, group->node.key);
    cJSON_AddNumberToObject(json, "route", group->route);
    add_labels(json, group->labels);
    state_add_time(json, "flushed_at", m->saved_from, group->flushed_at);
    state_add_u64(json, "sequence", group->sequence);
    return json;
}

static cJSON *silence_json(const struct silence *silence)
{
    cJSON *json = cJSON_CreateObject();

    state_add_u64(json, "number", silence->number);
    add_text(json, "matchers", silence->text);
    add_text(json, "creator", silence->creator);
    add_text(json, "comment", silence->comment);
    state_add_u64(json, "start", silence->start_ns);
    state_add_u64(json, "end", silence->end_ns);
    return json;
}

static cJSON *past_json(const struct past *past)
{
    cJSON *json = cJSON_CreateObject();

    add_labels(json, past->labels);
    cJSON_AddNumberToObject(json, "severity", past->severity);
    cJSON_AddNumberToObject(json, "step", past->step);
    if (!isnan(past->value))
        cJSON_AddNumberToObject(json, "value", past->value);
    state_add_u64(json, "starts", past->starts_realtime_ns);
    state_add_u64(json, "ends", past->ends_realtime_ns);
    add_text(json, "summary", past->summary);
    add_text(json, "reason", past->reason);
    add_text(json, "offenders", past->offenders);
    add_text(json, "changed", past->changed);
    add_text(json, "acked_by", past->acked_by);
    add_text(json, "ack_comment", past->ack_comment);
    return json;
}

/* Oldest first. */
static void add_history(cJSON *to, const struct alert_manager *m)
{
    cJSON *list = cJSON_AddArrayToObject(to, "history");

    for (size_t i = alert_manager_history_count(m); i > 0; i--)
        cJSON_AddItemToArray(list, past_json(m->past[(m->past_count - i) % HISTORY_MAX]));
}

static void add_held(cJSON *to, const struct alert_manager *m)
{
    cJSON *json = cJSON_AddObjectToObject(to, "held"), *list;
    size_t written = 0;
    char text[20];

    state_add_time(json, "since", m->saved_from, m->held_since);
    add_channels(json, "channels", m->plan, m->held_channels);
    state_add_u64(json, "total", m->held.total);
    list = cJSON_AddArrayToObject(json, "rows");
    for (size_t i = 0; i < m->held.row_count; i++) {
        cJSON *row = cJSON_CreateObject();

        add_text(row, "rule", m->held.rows[i].rule);
        cJSON_AddNumberToObject(row, "severity", m->held.rows[i].severity);
        state_add_u64(row, "count", m->held.rows[i].count);
        cJSON_AddItemToArray(list, row);
    }
    list = cJSON_AddArrayToObject(json, "alerts");
    for (size_t i = 0; i < m->held.capacity && written < STATE_HELD_MAX; i++) {
        if (!m->held.set[i])
            continue;
        snprintf(text, sizeof(text), "%016llx", (unsigned long long)m->held.set[i]);
        cJSON_AddItemToArray(list, cJSON_CreateString(text));
        written++;
    }
}

static void add_groups(cJSON *to, const struct alert_manager *m, int64_t since)
{
    cJSON *list = cJSON_AddArrayToObject(to, "groups");

    for (const struct group *group = m->groups; group; group = group->next)
        if (group->flushed_at >= since)
            cJSON_InsertItemInArray(list, 0, group_json(m, group));
}

static void add_recent(cJSON *to, const struct alert_manager *m)
{
    cJSON *list = cJSON_AddArrayToObject(to, "changes");
    size_t kept = m->recent_count < CHANGES_KEPT ? m->recent_count : CHANGES_KEPT;

    for (size_t i = kept; i > 0; i--) {
        const struct change *change = &m->recent[(m->recent_count - i) % CHANGES_KEPT];
        cJSON *json = cJSON_CreateObject();

        state_add_time(json, "at", m->saved_from, change->at);
        state_add_u64(json, "source", change->source);
        add_text(json, "text", change->text);
        cJSON_AddItemToArray(list, json);
    }
}

uint64_t state_told_hash(const struct alert *alert)
{
    const uint64_t told[] = {
        alert->told,          (uint64_t)alert->told_at, alert->told_severity,
        alert->told_channels, alert->episode,
    };

    return fnv_bytes(FNV_START, told, sizeof(told));
}

static cJSON *document(const struct alert_manager *m, const char *boot_id)
{
    cJSON *json = cJSON_CreateObject();

    if (!json)
        return NULL;
    cJSON_AddNumberToObject(json, "version", STATE_VERSION);
    add_text(json, "boot_id", boot_id);
    state_add_u64(json, "monotonic_ns", (uint64_t)m->now);
    state_add_u64(json, "base_ns", (uint64_t)m->saved_from);
    state_add_u64(json, "realtime_ns", m->realtime_ns);
    return json;
}

static void add_told_alerts(cJSON *to, struct alert_manager *m)
{
    cJSON *list = cJSON_AddArrayToObject(to, "alerts");

    for (struct alert *alert = m->alerts; alert; alert = alert->next) {
        uint64_t told = state_told_hash(alert);

        if (alert->told == TOLD_NOTHING || told == alert->told_noted)
            continue;
        alert->told_noted = told;
        cJSON_InsertItemInArray(list, 0, alert_json(m, alert));
    }
}

static void add_digests(cJSON *to, const struct alert_manager *m)
{
    state_add_u64(to, "digests", m->digests);
    state_add_time(to, "digested_at", m->saved_from, m->digested_at);
}

cJSON *alert_manager_export_told(struct alert_manager *m, const char *boot_id)
{
    cJSON *json = document(m, boot_id);

    add_told_alerts(json, m);
    if (cJSON_GetArraySize(cJSON_GetObjectItem(json, "alerts")) == 0 &&
        m->digests == m->digests_noted) {
        cJSON_Delete(json);
        return NULL;
    }
    m->digests_noted = m->digests;
    add_groups(json, m, m->now);
    state_add_budget(json, m, m->now);
    state_add_paces(json, m);
    state_add_rests(json, m);
    add_digests(json, m);
    return json;
}

cJSON *alert_manager_export(const struct alert_manager *m, const char *boot_id)
{
    cJSON *json = document(m, boot_id), *list;

    if (!json)
        return NULL;
    list = cJSON_AddArrayToObject(json, "alerts");
    for (const struct alert *alert = m->alerts; alert; alert = alert->next)
        cJSON_InsertItemInArray(list, 0, alert_json(m, alert));
    add_groups(json, m, NEVER);
    list = cJSON_AddArrayToObject(json, "silences");
    for (size_t i = 0; i < m->silence_count; i++)
        cJSON_AddItemToArray(list, silence_json(&m->silences[i]));
    state_add_u64(json, "silences_made", m->silences_made);
    state_add_budget(json, m, NEVER);
    state_add_paces(json, m);
    state_add_rests(json, m);
    add_digests(json, m);
    add_held(json, m);
    add_recent(json, m);
    add_history(json, m);
    return json;
}
