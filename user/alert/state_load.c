/* The state back from JSON. The document may have been written by an older version, by hand, or by
 * a disk that failed: every value is checked, and what makes no sense is left out. */
#include "alert/state.h"
#include "base/cleanup.h"
#include "base/rooted_path.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Beyond it an age is a mistake, and arithmetic on it might overflow. */
#define AGE_MAX 9e17
/* As rules.alert.for-outage-tolerance of Prometheus. */
#define OUTAGE_MAX_NS (3600 * (int64_t)NS_PER_SECOND)

static const cJSON *item(const cJSON *json, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(json, name);
}

static int64_t time_of(const cJSON *json, const struct state_base *base)
{
    if (cJSON_IsString(json) && strcmp(json->valuestring, STATE_NOW) == 0)
        return base->at;
    if (!cJSON_IsNumber(json) || !(fabs(json->valuedouble) < AGE_MAX))
        return NEVER;
    return base->from - (int64_t)json->valuedouble;
}

int64_t state_past_of(const cJSON *json, const struct state_base *base)
{
    int64_t at = time_of(json, base);

    return at > base->now ? base->now : at;
}

unsigned state_number_of(const cJSON *json, unsigned below)
{
    return cJSON_IsNumber(json) && json->valuedouble >= 0 && json->valuedouble < below
               ? (unsigned)json->valuedouble
               : 0;
}

uint64_t state_u64_of(const cJSON *json)
{
    return cJSON_IsString(json) ? strtoull(json->valuestring, NULL, 10) : 0;
}

static char *text_of(const cJSON *json)
{
    return cJSON_IsString(json) ? strdup(json->valuestring) : NULL;
}

static void read_times(const cJSON *json, const struct state_base *base, int64_t *times,
                       size_t count)
{
    const cJSON *each;
    size_t n = 0;

    cJSON_ArrayForEach (each, json) {
        if (n == count)
            return;
        times[n++] = state_past_of(each, base);
    }
}

static channel_set channels_of(const cJSON *json, const struct plan *plan)
{
    channel_set set = 0;
    const cJSON *each;

    cJSON_ArrayForEach (each, json)
        for (size_t c = 0; c < plan->channel_count && cJSON_IsString(each); c++)
            if (strcmp(plan->channels[c].name, each->valuestring) == 0)
                set |= (channel_set)1 << c;
    return set;
}

/* Older versions wrote some cgroups without their first "/": an alert of that name would end, and
 * begin anew under the other. A name without any "/" is the last part of a path that was not known.
 */
static bool is_relative_cgroup(const cJSON *label)
{
    return strcmp(label->string, "cgroup") == 0 && label->valuestring[0] != '/' &&
           strchr(label->valuestring, '/');
}

static struct labels *labels_of(const cJSON *json)
{
    struct label pairs[LABELS_MAX];
    CLEANUP_FREE char *cgroup = NULL;
    struct labels *labels = NULL;
    const cJSON *each;
    size_t n = 0;

    cJSON_ArrayForEach (each, json) {
        if (n == LABELS_MAX || !cJSON_IsString(each) || !each->string)
            return NULL;
        pairs[n] = (struct label){each->string, each->valuestring};
        if (!cgroup && is_relative_cgroup(each)) {
            cgroup = rooted_path(each->valuestring);
            pairs[n].value = cgroup ? cgroup : each->valuestring;
        }
        n++;
    }
    return labels_create_again(&labels, pairs, n) < 0 ? NULL : labels;
}

static void read_ack(struct alert *alert, const cJSON *json, const struct state_base *base)
{
    int64_t until;

    if (!cJSON_IsObject(json) || alert->state != ALERT_FIRING)
        return;
    until = time_of(item(json, "until"), base);
    alert->acked_until = until == NEVER ? INT64_MAX : until;
    alert->acked_by = text_of(item(json, "by"));
    alert->ack_comment = text_of(item(json, "comment"));
}

static int64_t later(int64_t at, int64_t by_ns, int64_t now)
{
    return at == NEVER || now - at <= by_ns ? now : at + by_ns;
}

/* As Prometheus restores `for`: what nobody looked at was neither pending nor gone meanwhile, and
 * after a long outage it is pending anew. Long is, other than there, also what anew costs no more
 * than: it may well have been over in between. */
static void skip_outage(struct alert *alert, const struct state_base *base)
{
    int64_t outage_ns = base->now - base->at;
    bool pending = alert->state == ALERT_PENDING && alert->rule->config->kind != RULE_EVENT;

    alert->last_seen = later(alert->last_seen, outage_ns, base->now);
    if (!pending)
        return;
    if (outage_ns >= OUTAGE_MAX_NS || (outage_ns > 0 && outage_ns >= alert->rule->for_ns))
        alert->active_since = base->now;
    else
        alert->active_since = later(alert->active_since, outage_ns, base->now);
}

static void read_alert_fields(struct alert_manager *m, struct alert *alert, const cJSON *json,
                              const struct state_base *base)
{
    const cJSON *value = item(json, "value");

    alert->state = (enum alert_state)state_number_of(item(json, "state"), ALERT_STATE_COUNT);
    alert->value = cJSON_IsNumber(value) ? value->valuedouble : NAN;
    for (size_t i = 0; i < state_alert_time_count; i++)
        *(int64_t *)((char *)alert + state_alert_times[i].offset) =
            state_past_of(item(json, state_alert_times[i].name), base);
    alert->starts_realtime_ns = state_u64_of(item(json, "starts"));
    alert->ends_realtime_ns = state_u64_of(item(json, "ends"));
    alert->episode = state_number_of(item(json, "episode"), UINT32_MAX);
    read_times(item(json, "events"), base, alert->events, RULE_COUNT_MAX);
    read_times(item(json, "changes"), base, alert->changes, FLAPPING_CHANGES_MAX);
    alert->change_count = state_number_of(item(json, "change_count"), UINT32_MAX);
    alert->flapping = cJSON_IsTrue(item(json, "flapping"));
    alert->flapping_told = cJSON_IsTrue(item(json, "flapping_told"));
    alert->summary = text_of(item(json, "summary"));
    alert->reason = text_of(item(json, "reason"));
    alert->offenders = text_of(item(json, "offenders"));
    alert->changed = text_of(item(json, "changed"));
    read_ack(alert, item(json, "ack"), base);
    alert->told = (enum told)state_number_of(item(json, "told"), TOLD_COUNT);
    alert->told_severity =
        (enum severity)state_number_of(item(json, "told_severity"), SEVERITY_COUNT);
    alert->told_channels = channels_of(item(json, "told_channels"), m->plan);
    alert->logged_severity = alert->severity;
    alert->step = state_number_of(item(json, "step"), RULE_COUNT_MAX + 1);
    alert->suppressed =
        (enum suppression)state_number_of(item(json, "suppressed"), SUPPRESSION_COUNT);
    /* What the state machine relies on. */
    if (alert->state != ALERT_PENDING && alert->fired_at == NEVER)
        alert->fired_at = base->at;
    if (alert->state == ALERT_RESOLVED && alert->resolved_at == NEVER)
        alert->resolved_at = base->at;
    if (alert->state != ALERT_RESOLVED && alert->active_since == NEVER &&
        alert->rule->config->kind != RULE_EVENT)
        alert->active_since = base->at;
    if (alert->last_seen == NEVER)
        alert->last_seen = base->at;
    if (alert->state == ALERT_FIRING && alert->last_active == NEVER)
        alert->last_active = base->at;
    if (alert->state == ALERT_PENDING && alert->events[0] == NEVER)
        alert->events[0] = base->at;
    if (alert->told != TOLD_NOTHING && alert->told_at == NEVER)
        alert->told_at = base->at;
    skip_outage(alert, base);
    alert->told_noted = state_told_hash(alert);
}

static void read_alert(struct alert_manager *m, const cJSON *json, const struct state_base *base)
{
    const cJSON *kind = item(json, "kind");
    struct labels *labels = labels_of(item(json, "labels"));
    struct rule *rule;
    struct alert *alert = NULL;

    if (!labels)
        return;
    rule = rule_set_find(m->plan->rules, labels_get(labels, "alertname"));
    /* Of a rule that is gone only what has to be said to be over is of interest: any rule lends
     * its place until that is done. */
    if (!registry_find(m, labels) && rule_set_count(m->plan->rules) > 0)
        alert =
            registry_add(m, rule ? rule : rule_set_at(m->plan->rules, 0), labels,
                         (enum severity)state_number_of(item(json, "severity"), SEVERITY_COUNT));
    labels_unref(labels);
    if (!alert)
        return;
    read_alert_fields(m, alert, json, base);
    if (alert->episode > 0)
        group_join(m, alert);
    if (rule && cJSON_IsString(kind) &&
        strcmp(kind->valuestring, rule_kind_text(rule->config->kind)) == 0)
        return;
    alert->rule->alert_count--;
    alert->rule = NULL;
}

static void read_group(struct alert_manager *m, const cJSON *json, const struct state_base *base)
{
    const cJSON *route = item(json, "route");
    struct labels *labels = labels_of(item(json, "labels"));
    struct group *group;

    if (labels && cJSON_IsNumber(route) && route->valuedouble >= 0 &&
        route->valuedouble < (double)m->plan->route_count &&
        group_take(m, (unsigned)route->valuedouble, labels, &group) == 0) {
        group->flushed_at = state_past_of(item(json, "flushed_at"), base);
        group->sequence = state_u64_of(item(json, "sequence"));
    }
    labels_unref(labels);
}

static void read_silence(struct alert_manager *m, const cJSON *json)
{
    struct silence silence = {
        .number = state_u64_of(item(json, "number")),
        .start_ns = state_u64_of(item(json, "start")),
        .end_ns = state_u64_of(item(json, "end")),
    };
    const cJSON *matchers = item(json, "matchers");
    char error[MATCHER_ERROR_BYTES];

    if (m->silence_count == SILENCES_MAX || !cJSON_IsString(matchers) ||
        matchers_parse(&silence.matchers, matchers->valuestring, error) < 0)
        return;
    silence.text = strdup(matchers->valuestring);
    silence.creator = text_of(item(json, "creator"));
    silence.comment = text_of(item(json, "comment"));
    if (!silence.text || !silence.creator || !silence.comment) {
        silence_release(&silence);
        return;
    }
    m->silences[m->silence_count++] = silence;
    if (silence.number > m->silences_made)
        m->silences_made = silence.number;
}

static void read_held(struct alert_manager *m, const cJSON *json, const struct state_base *base)
{
    const cJSON *each;
    uint64_t total = state_u64_of(item(json, "total"));

    cJSON_ArrayForEach (each, item(json, "alerts"))
        if (cJSON_IsString(each))
            held_add(&m->held, "", strtoull(each->valuestring, NULL, 16), SEVERITY_INFO);
    held_reset_rows(&m->held);
    m->held.total = 0;
    cJSON_ArrayForEach (each, item(json, "rows")) {
        const cJSON *rule = item(each, "rule");

        if (cJSON_IsString(rule))
            held_add_row(&m->held, rule->valuestring,
                         (enum severity)state_number_of(item(each, "severity"), SEVERITY_COUNT),
                         state_u64_of(item(each, "count")));
    }
    m->held.total = total;
    if (total == 0) {
        held_clear(&m->held);
        return;
    }
    m->held_since = state_past_of(item(json, "since"), base);
    if (m->held_since == NEVER)
        m->held_since = base->at;
    m->held_channels = channels_of(item(json, "channels"), m->plan);
}

/* What was held back until a digest of that number was in it. */
static void read_digests(struct alert_manager *m, const cJSON *json, const struct state_base *base)
{
    uint64_t digests = state_u64_of(item(json, "digests"));

    if (digests <= m->digests)
        return;
    m->digests = m->digests_noted = digests;
    m->digested_at = state_past_of(item(json, "digested_at"), base);
    held_clear(&m->held);
    m->held_channels = 0;
    m->held_since = NEVER;
}

static void read_recent(struct alert_manager *m, const cJSON *json, const struct state_base *base)
{
    const cJSON *each;

    m->recent_count = 0;
    cJSON_ArrayForEach (each, json) {
        const cJSON *text = item(each, "text");
        struct change *change;

        if (!cJSON_IsString(text) || m->recent_count == CHANGES_KEPT ||
            state_past_of(item(each, "at"), base) == NEVER)
            continue;
        change = &m->recent[m->recent_count++];
        change->at = state_past_of(item(each, "at"), base);
        change->source = state_u64_of(item(each, "source"));
        snprintf(change->text, sizeof(change->text), "%s", text->valuestring);
    }
}

static void read_history(struct alert_manager *m, const cJSON *json)
{
    const cJSON *each;

    history_clear(m);
    cJSON_ArrayForEach (each, json) {
        const cJSON *value = item(each, "value");
        struct alert_view view = {
            .labels = labels_of(item(each, "labels")),
            .severity = (enum severity)state_number_of(item(each, "severity"), SEVERITY_COUNT),
            .escalation_step = state_number_of(item(each, "step"), RULE_COUNT_MAX + 1),
            .value = cJSON_IsNumber(value) ? value->valuedouble : NAN,
            .starts_realtime_ns = state_u64_of(item(each, "starts")),
            .ends_realtime_ns = state_u64_of(item(each, "ends")),
            .summary = cJSON_GetStringValue(item(each, "summary")),
            .reason = cJSON_GetStringValue(item(each, "reason")),
            .offenders = cJSON_GetStringValue(item(each, "offenders")),
            .changed = cJSON_GetStringValue(item(each, "changed")),
            .acked_by = cJSON_GetStringValue(item(each, "acked_by")),
            .ack_comment = cJSON_GetStringValue(item(each, "ack_comment")),
        };

        if (!view.labels)
            continue;
        history_add(m, &view);
        labels_unref((struct labels *)view.labels);
    }
}

static bool is_known(const cJSON *json)
{
    const cJSON *version = item(json, "version");

    return cJSON_IsNumber(version) &&
           (version->valuedouble == STATE_VERSION || version->valuedouble == STATE_VERSION_AGES);
}

static bool is_newest_first(const cJSON *json)
{
    return item(json, "version")->valuedouble == STATE_VERSION_AGES;
}

static struct state_base base_of(const cJSON *json, const char *boot_id, uint64_t monotonic_ns,
                                 uint64_t realtime_ns)
{
    const cJSON *saved = item(json, "boot_id");
    uint64_t then = state_u64_of(item(json, "monotonic_ns"));
    uint64_t from = state_u64_of(item(json, "base_ns"));
    uint64_t real_then = state_u64_of(item(json, "realtime_ns"));
    struct state_base base = {.at = (int64_t)monotonic_ns, .now = (int64_t)monotonic_ns};

    if (boot_id && cJSON_IsString(saved) && strcmp(saved->valuestring, boot_id) == 0 &&
        then <= monotonic_ns)
        base.at = (int64_t)then;
    /* A clock that went back between tells nothing: as if no time had passed. */
    else if (real_then > 0 && real_then < realtime_ns &&
             (double)(realtime_ns - real_then) < AGE_MAX)
        base.at = (int64_t)monotonic_ns - (int64_t)(realtime_ns - real_then);
    base.from = base.at;
    if (!is_newest_first(json) && from < then && (double)(then - from) < AGE_MAX)
        base.from = base.at - (int64_t)(then - from);
    return base;
}

/* Into the memory's order, newest first: what is read is added at the front. */
static void read_list(struct alert_manager *m, const cJSON *json, const char *name,
                      const struct state_base *base,
                      void (*read)(struct alert_manager *, const cJSON *,
                                   const struct state_base *))
{
    const cJSON *list = item(json, name), *each = cJSON_IsArray(list) ? list->child : NULL;

    if (each && is_newest_first(json))
        each = each->prev;
    while (each) {
        read(m, each, base);
        if (!is_newest_first(json))
            each = each->next;
        else
            each = each == list->child ? NULL : each->prev;
    }
}

static void begin_at(struct alert_manager *m, const struct state_base *base, uint64_t realtime_ns)
{
    m->now = m->saved_from = base->now;
    m->realtime_ns = realtime_ns;
    m->ticked = true;
}

/* A note is newer than the state. What was held back for the digest, which is too much for a note,
 * is held back anew. */
static void read_told(struct alert_manager *m, const cJSON *json, const struct state_base *base)
{
    struct labels *labels = labels_of(item(json, "labels"));
    struct alert *alert = labels ? registry_find(m, labels) : NULL;

    if (alert)
        registry_remove(m, alert);
    read_alert(m, json, base);
    alert = labels ? registry_find(m, labels) : NULL;
    if (alert && alert->told == TOLD_HELD) {
        alert->told = TOLD_NOTHING;
        alert->flapping_told = false;
    }
    labels_unref(labels);
}

int alert_manager_import_told(struct alert_manager *m, const cJSON *json, const char *boot_id,
                              uint64_t monotonic_ns, uint64_t realtime_ns)
{
    struct state_base base;

    if (!is_known(json))
        return -EINVAL;
    base = base_of(json, boot_id, monotonic_ns, realtime_ns);
    /* The state was saved later than that, and has it. */
    if (m->imported_at != NEVER && base.at <= m->imported_at)
        return 0;
    if (!m->ticked)
        begin_at(m, &base, realtime_ns);
    read_list(m, json, "groups", &base, read_group);
    read_list(m, json, "alerts", &base, read_told);
    state_read_budget(m, item(json, "budget"), &base);
    state_read_paces(m, item(json, "paces"), &base);
    state_read_rests(m, item(json, "rests"), &base);
    read_digests(m, json, &base);
    m->revision++;
    return 0;
}

int alert_manager_import(struct alert_manager *m, const cJSON *json, const char *boot_id,
                         uint64_t monotonic_ns, uint64_t realtime_ns)
{
    const cJSON *each;
    struct state_base base;

    if (!is_known(json))
        return -EINVAL;
    base = base_of(json, boot_id, monotonic_ns, realtime_ns);
    begin_at(m, &base, realtime_ns);
    m->imported_at = base.at;
    read_list(m, json, "groups", &base, read_group);
    read_list(m, json, "alerts", &base, read_alert);
    cJSON_ArrayForEach (each, item(json, "silences"))
        read_silence(m, each);
    if (state_u64_of(item(json, "silences_made")) > m->silences_made)
        m->silences_made = state_u64_of(item(json, "silences_made"));
    state_read_budget(m, item(json, "budget"), &base);
    state_read_paces(m, item(json, "paces"), &base);
    state_read_rests(m, item(json, "rests"), &base);
    read_digests(m, json, &base);
    read_held(m, item(json, "held"), &base);
    read_recent(m, item(json, "changes"), &base);
    read_history(m, item(json, "history"));
    return 0;
}
