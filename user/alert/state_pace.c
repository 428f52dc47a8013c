/* How fast each receiver was told, how much in this hour, and what waits for it: a restart in a
 * storm is no new one. */
#include "alert/state.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAKEN_MAX 1e9
#define GATHERED_MAX 1000

static void add_taken(cJSON *to, const struct pace *pace, int64_t from)
{
    cJSON *list = cJSON_AddArrayToObject(to, "taken");

    for (int severity = 0; severity < SEVERITY_COUNT; severity++) {
        cJSON *json = cJSON_CreateObject();

        if (pace->taken[severity] > 0) {
            cJSON_AddNumberToObject(json, "count", pace->taken[severity]);
            state_add_time(json, "at", from, pace->taken_at[severity]);
        }
        cJSON_AddItemToArray(list, json);
    }
}

static void add_rules(cJSON *to, const struct pace *pace, int64_t from)
{
    cJSON *list = cJSON_AddArrayToObject(to, "rules");

    for (unsigned i = 0; i < pace->rule_count; i++) {
        cJSON *json = cJSON_CreateObject();

        state_add_u64(json, "rule", pace->rules[i].rule);
        state_add_time(json, "at", from, pace->rules[i].at);
        cJSON_AddItemToArray(list, json);
    }
}

void state_add_paces(cJSON *to, const struct alert_manager *m)
{
    cJSON *list = cJSON_AddArrayToObject(to, "paces");

    for (size_t c = 0; c < m->plan->channel_count; c++) {
        const struct pace *pace = &m->paces[c];
        cJSON *json;

        if (pace->rule_count == 0)
            continue;
        json = cJSON_CreateObject();
        cJSON_AddStringToObject(json, "channel", m->plan->channels[c].name);
        add_taken(json, pace, m->saved_from);
        add_rules(json, pace, m->saved_from);
        cJSON_AddNumberToObject(json, "gathered", pace->gathered);
        if (pace->gathered > 0)
            state_add_time(json, "gathered_at", m->saved_from, pace->gathered_at);
        cJSON_AddItemToArray(list, json);
    }
}

void state_add_rests(cJSON *to, const struct alert_manager *m)
{
    cJSON *list = cJSON_AddArrayToObject(to, "rests");

    for (size_t i = 0; i < m->plan->route_count; i++) {
        const struct rest *rest = &m->rests[i];
        cJSON *json = cJSON_CreateObject(), *since;

        since = cJSON_AddArrayToObject(json, "since");
        for (int severity = 0; severity < SEVERITY_COUNT; severity++) {
            cJSON *time = cJSON_CreateObject();

            state_add_time(time, "at", m->saved_from, rest->since[severity]);
            cJSON_AddItemToArray(since, time);
        }
        state_add_time(json, "good_since", m->saved_from, rest->good_since);
        state_add_time(json, "again_since", m->saved_from, rest->again_since);
        state_add_time(json, "told_at", m->saved_from, rest->told_at);
        cJSON_AddItemToArray(list, json);
    }
}

void state_add_budget(cJSON *to, const struct alert_manager *m, int64_t since)
{
    cJSON *list = cJSON_AddArrayToObject(to, "budget");

    for (size_t i = 0; i < m->sent_count; i++) {
        cJSON *json;

        if (m->sent[i].at < since)
            continue;
        json = cJSON_CreateObject();
        state_add_time(json, "at", m->saved_from, m->sent[i].at);
        state_add_u64(json, "source", m->sent[i].source);
        cJSON_AddNumberToObject(json, "severity", m->sent[i].severity);
        cJSON_AddItemToArray(list, json);
    }
}

static const cJSON *item(const cJSON *json, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(json, name);
}

static void read_taken(struct pace *pace, const cJSON *json, const struct state_base *base)
{
    const cJSON *each;
    int severity = 0;

    cJSON_ArrayForEach (each, json) {
        const cJSON *count = item(each, "count");
        int64_t at = state_past_of(item(each, "at"), base);

        if (severity == SEVERITY_COUNT)
            return;
        if (cJSON_IsNumber(count) && count->valuedouble > 0 && count->valuedouble < TAKEN_MAX &&
            at != NEVER) {
            pace->taken[severity] = count->valuedouble;
            pace->taken_at[severity] = at;
        }
        severity++;
    }
}

static void read_pace(struct pace *pace, const cJSON *json, const struct state_base *base)
{
    const cJSON *each;

    *pace = (struct pace){0};
    read_taken(pace, item(json, "taken"), base);
    cJSON_ArrayForEach (each, item(json, "rules")) {
        int64_t at = state_past_of(item(each, "at"), base);

        if (pace->rule_count < PACE_RULES_MAX && at != NEVER)
            pace->rules[pace->rule_count++] =
                (struct pace_rule){state_u64_of(item(each, "rule")), at};
    }
    pace->gathered_at = state_past_of(item(json, "gathered_at"), base);
    if (pace->gathered_at != NEVER)
        pace->gathered = state_number_of(item(json, "gathered"), GATHERED_MAX);
}

void state_read_paces(struct alert_manager *m, const cJSON *json, const struct state_base *base)
{
    const cJSON *each;

    cJSON_ArrayForEach (each, json) {
        const char *channel = cJSON_GetStringValue(item(each, "channel"));

        for (size_t c = 0; channel && c < m->plan->channel_count; c++)
            if (strcmp(m->plan->channels[c].name, channel) == 0)
                read_pace(&m->paces[c], each, base);
    }
}

void state_read_rests(struct alert_manager *m, const cJSON *json, const struct state_base *base)
{
    const cJSON *each, *since;
    size_t i = 0;

    cJSON_ArrayForEach (each, json) {
        struct rest *rest = &m->rests[i];
        int severity = 0;

        if (i++ == m->plan->route_count)
            return;
        cJSON_ArrayForEach (since, item(each, "since"))
            if (severity < SEVERITY_COUNT)
                rest->since[severity++] = state_past_of(item(since, "at"), base);
        rest->good_since = state_past_of(item(each, "good_since"), base);
        rest->again_since = state_past_of(item(each, "again_since"), base);
        rest->told_at = state_past_of(item(each, "told_at"), base);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct sent *left = a, *right = b;

    return (left->at > right->at) - (left->at < right->at);
}

void state_read_budget(struct alert_manager *m, const cJSON *json, const struct state_base *base)
{
    const cJSON *each;

    cJSON_ArrayForEach (each, json) {
        const struct sent sent = {
            .at = state_past_of(item(each, "at"), base),
            .source = state_u64_of(item(each, "source")),
            .severity = (enum severity)state_number_of(item(each, "severity"), SEVERITY_COUNT),
        };

        if (sent.at != NEVER)
            limit_add(m, &sent);
    }
    if (m->sent_count > 0)
        qsort(m->sent, m->sent_count, sizeof(*m->sent), by_time);
}
