/* GET /alerts, POST /admin/alerts/ID/ack. */
#include "alert/matcher.h"
#include "alert/rule.h"
#include "base/array.h"
#include "base/cleanup.h"
#include "http/alerts.h"
#include "http/error.h"
#include "http/request.h"
#include "http/routes.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUERY_ERROR_BYTES 256
/* An ack that is longer is one that nobody remembers. */
#define ACK_SECONDS_MAX (366.0 * 86400)
/* What one request may use of the loop's time and memory. */
#define MATCHING_NS (5 * NS_PER_MS)
#define MATCHERS_IN_QUERY_MAX 16
/* Of one alert's JSON, but for its texts and labels. */
#define ROW_BYTES 640
#define LABEL_BYTES 6

struct filter {
    int state, severity; /* -1: any */
    const char *name;    /* NULL: any */
    struct matchers *matchers;
    uint64_t left_ns;   /* for the matchers' regular expressions */
    uint64_t undecided; /* of these, ever, before this request */
    uint64_t since_ns;
    size_t limit;
};

/* What the filter lets through, growing. */
struct selection {
    struct filter *filter;
    struct alert_view *views;
    size_t count, capacity;
    uint64_t firing, pending, omitted;
    bool sorted; /* by weight; else as they came */
    bool failed;
};

static void filter_release(struct filter *filter)
{
    matchers_destroy(filter->matchers);
}

static int find_word(const struct route_query *queries, const char *name, const char *word,
                     char error[QUERY_ERROR_BYTES])
{
    int n;

    while (strcmp(queries->name, name) != 0)
        queries++;
    for (int i = 0; queries->choices[i]; i++)
        if (strcmp(queries->choices[i], word) == 0)
            return i;
    n = snprintf(error, QUERY_ERROR_BYTES, "%s: \"%.40s\" is none (allowed:", name, word);
    for (int i = 0; queries->choices[i]; i++)
        n += snprintf(error + n, QUERY_ERROR_BYTES - (size_t)n, "%s %s", i ? "," : "",
                      queries->choices[i]);
    snprintf(error + n, QUERY_ERROR_BYTES - (size_t)n, ")");
    return -EINVAL;
}

static int read_words(const struct body_env *env, struct filter *ret, char error[QUERY_ERROR_BYTES])
{
    const char *state = env->query(env->query_ctx, "state"),
               *severity = env->query(env->query_ctx, "severity");

    /* The choices are in the order of the enums. */
    ret->state = state ? find_word(alert_queries, "state", state, error) : -1;
    if (state && ret->state < 0)
        return -EINVAL;
    ret->severity = severity ? find_word(alert_queries, "severity", severity, error) : -1;
    return severity && ret->severity < 0 ? -EINVAL : 0;
}

static int read_numbers(const struct body_env *env, struct filter *ret,
                        char error[QUERY_ERROR_BYTES])
{
    const char *since = env->query(env->query_ctx, "since"),
               *limit = env->query(env->query_ctx, "limit");
    char *end = NULL;

    if (since && !clock_parse_time(since, &ret->since_ns)) {
        snprintf(error, QUERY_ERROR_BYTES,
                 "since: \"%.40s\" is no time (allowed: 2026-01-31T12:00:00Z, or seconds since "
                 "1970; a + in a query is %%2B)",
                 since);
        return -EINVAL;
    }
    ret->limit = limit ? strtoul(limit, &end, 10) : ALERTS_LIMIT_DEFAULT;
    if (limit && (limit[0] < '0' || limit[0] > '9' || *end || ret->limit > ALERTS_LIMIT_MAX)) {
        snprintf(error, QUERY_ERROR_BYTES, "limit: \"%.40s\" is not a number from 0 to %d", limit,
                 ALERTS_LIMIT_MAX);
        return -EINVAL;
    }
    return 0;
}

static int read_filter(const struct body_env *env, struct filter *ret,
                       char error[QUERY_ERROR_BYTES])
{
    const char *matcher = env->query ? env->query(env->query_ctx, "matcher") : NULL;
    char why[MATCHER_ERROR_BYTES];
    int r;

    *ret = (struct filter){.state = -1,
                           .severity = -1,
                           .limit = ALERTS_LIMIT_DEFAULT,
                           .left_ns = MATCHING_NS,
                           .undecided = matchers_undecided_total()};
    if (!env->query)
        return 0;
    ret->name = env->query(env->query_ctx, "alertname");
    r = read_words(env, ret, error);
    if (r == 0)
        r = read_numbers(env, ret, error);
    if (r < 0 || !matcher)
        return r;
    r = matchers_parse(&ret->matchers, matcher, why);
    if (r == -EINVAL)
        snprintf(error, QUERY_ERROR_BYTES, "matcher: %s", why);
    if (r < 0 || matchers_count(ret->matchers) <= MATCHERS_IN_QUERY_MAX)
        return r;
    snprintf(error, QUERY_ERROR_BYTES, "matcher: more than %d matchers", MATCHERS_IN_QUERY_MAX);
    return -EINVAL;
}

static bool passes(struct filter *filter, const struct alert_view *view)
{
    uint64_t latest_ns = view->ends_realtime_ns ? view->ends_realtime_ns : view->starts_realtime_ns;

    if (filter->state >= 0 && (int)view->state != filter->state)
        return false;
    if (filter->severity >= 0 && (int)view->severity != filter->severity)
        return false;
    if (filter->name && strcmp(labels_get(view->labels, "alertname"), filter->name) != 0)
        return false;
    if (view->state != ALERT_PENDING && latest_ns < filter->since_ns)
        return false;
    return !filter->matchers ||
           matchers_match_within(filter->matchers, view->labels, severity_text(view->severity),
                                 &filter->left_ns);
}

static int by_weight(const void *a, const void *b)
{
    const struct alert_view *left = a, *right = b;

    if (left->state != right->state)
        return left->state == ALERT_FIRING ? -1 : 1;
    if (left->severity != right->severity)
        return left->severity > right->severity ? -1 : 1;
    if (left->starts_realtime_ns != right->starts_realtime_ns)
        return left->starts_realtime_ns > right->starts_realtime_ns ? -1 : 1;
    return strcmp(left->id, right->id);
}

static void sort(struct selection *s)
{
    if (s->sorted && s->count > 0)
        qsort(s->views, s->count, sizeof(*s->views), by_weight);
}

/* The memory of a request does not grow with the alerts there are. */
static void cut(struct selection *s)
{
    size_t limit = s->filter->limit;

    sort(s);
    if (s->count <= limit)
        return;
    s->omitted += s->count - limit;
    s->count = limit;
}

static size_t row_bytes(const struct alert_view *view)
{
    const char *const texts[] = {view->summary, view->reason,   view->offenders,
                                 view->changed, view->acked_by, view->ack_comment};
    size_t ret = ROW_BYTES;

    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        ret += texts[i] ? strlen(texts[i]) : 0;
    for (size_t i = 0; i < labels_count(view->labels); i++) {
        struct label pair = labels_at(view->labels, i);

        ret += strlen(pair.name) + strlen(pair.value) + LABEL_BYTES;
    }
    return ret;
}

/* Only the first is there however long it is: that there are alerts is never hidden. */
static void fit(struct selection *s, size_t *bytes)
{
    size_t count = 0;

    cut(s);
    while (count < s->count) {
        *bytes += row_bytes(&s->views[count]);
        if (count && *bytes > ALERTS_BODY_BYTES)
            break;
        count++;
    }
    s->omitted += s->count - count;
    s->count = count;
}

static void select_view(struct selection *s, const struct alert_view *view)
{
    if (s->failed || !passes(s->filter, view))
        return;
    if (s->count == s->capacity && s->count >= 2 * s->filter->limit + 64)
        cut(s);
    if (!ARRAY_GROW(s->views, s->capacity, s->count + 1)) {
        s->failed = true;
        return;
    }
    s->views[s->count++] = *view;
}

/* What is resolved but still remembered is in the history. */
static void on_alert(void *ctx, const struct alert_view *view)
{
    struct selection *s = ctx;

    s->firing += view->state == ALERT_FIRING;
    s->pending += view->state == ALERT_PENDING;
    if (view->state != ALERT_RESOLVED)
        select_view(s, view);
}

/* From malloc. */
static struct notify_channel_view *gather_channels(const struct notify *notify,
                                                   struct alerts_body *body)
{
    size_t count = notify ? notify_channel_count(notify) : 0;
    struct notify_channel_view *views = count ? calloc(count, sizeof(*views)) : NULL;

    body->no_channels = notify ? (views ? NULL : "out of memory") : "this agent has no channels";
    body->channels = views;
    body->channel_count = views ? count : 0;
    for (size_t i = 0; views && i < count; i++)
        notify_channel_view(notify, i, &views[i]);
    return views;
}

static int answer(const struct body_env *env, struct filter *filter, struct body *ret)
{
    const struct alert_manager *alerts = env->facts->alerts;
    struct selection active = {.filter = filter, .sorted = true}, past = {.filter = filter};
    struct alerts_body body = {.realtime_ns = env->facts->snapshot->realtime_ns};
    CLEANUP_FREE struct notify_channel_view *channels = NULL;
    size_t bytes = 0;
    int r = -ENOMEM;

    if (alerts) {
        alert_manager_each(alerts, on_alert, &active);
        body.resolved = alert_manager_history_count(alerts);
        for (size_t i = 0; i < body.resolved; i++) {
            struct alert_view view;

            alert_manager_history_at(alerts, i, &view);
            select_view(&past, &view);
        }
    } else {
        body.missing = "this agent has no alerts";
    }
    channels = gather_channels(env->facts->notify, &body);
    fit(&active, &bytes);
    fit(&past, &bytes);
    body.firing = active.firing;
    body.pending = active.pending;
    body.alerts = active.views;
    body.count = active.count;
    body.omitted = active.omitted;
    body.history = past.views;
    body.history_count = past.count;
    body.history_omitted = past.omitted;
    if (matchers_undecided_total() > filter->undecided)
        r = error_body(ret, 400, "bad_query",
                       "matcher: the regular expressions take too long over these alerts "
                       "(allowed: simpler ones, or fewer alerts by alertname, state or severity)");
    else if (!active.failed && !past.failed)
        r = body_render(ret, 200, &alerts_table, &body, NULL);
    free(active.views);
    free(past.views);
    return r;
}

static int body_alerts(const struct body_env *env, struct body *ret)
{
    char error[QUERY_ERROR_BYTES];
    __attribute__((cleanup(filter_release))) struct filter filter;
    int r = read_filter(env, &filter, error);

    if (r == -EINVAL)
        return error_body(ret, 400, "bad_query", error);
    return r < 0 ? r : answer(env, &filter, ret);
}

static int refuse_ack(int r, const char *id, struct body *ret)
{
    char message[160];

    if (r == -ENOENT) {
        snprintf(message, sizeof(message), "there is no alert \"%.40s\"; GET /alerts lists them",
                 id);
        return error_body(ret, 404, "not_found", message);
    }
    if (r != -EALREADY)
        return r;
    snprintf(message, sizeof(message),
             "the alert %s does not fire: there is nothing to acknowledge", id);
    return error_body(ret, 422, "not_firing", message);
}

static void cleanup_json(cJSON **json)
{
    cJSON_Delete(*json);
}

static int body_alert_ack(const struct body_env *env, struct body *ret)
{
    __attribute__((cleanup(cleanup_json))) cJSON *json = NULL;
    char error[REQUEST_ERROR_BYTES];
    struct alert_view view;
    double seconds;
    int r;

    if (!env->facts->alerts)
        return error_body(ret, 503, "unavailable", "this agent has no alerts");
    r = request_parse(env, &alert_ack_table, &json, error);
    if (r < 0)
        return r == -EINVAL ? error_body(ret, 400, "bad_body", error) : r;
    seconds = request_number(json, "duration_seconds");
    if (!isnan(seconds) && !(seconds > 0 && seconds <= ACK_SECONDS_MAX))
        return error_body(
            ret, 400, "bad_body",
            "duration_seconds is not above 0 and up to a year (allowed: leave it out)");
    r = alert_manager_ack(env->facts->alerts, env->param, request_string(json, "by"),
                          request_string(json, "comment"), isnan(seconds) ? 0 : seconds);
    if (r < 0)
        return refuse_ack(r, env->param, ret);
    if (!alert_manager_find(env->facts->alerts, env->param, &view))
        return refuse_ack(-ENOENT, env->param, ret);
    return body_render(ret, 200, &alert_acked_table,
                       &(struct alert_acked_body){clock_realtime_ns(env->facts->clock), &view},
                       NULL);
}

const struct route route_alerts = {
    .method = "GET",
    .path = "/alerts",
    .role = ROLE_VIEWER,
    .body = body_alerts,
    .needs_sample = true,
    .queries = alert_queries,
    .type = ROUTE_JSON,
    .table = &alerts_table,
    .id = "alerts",
    .summary = "Alerts that fire or are about to, and those that are over",
    .answer = "The alerts that the query asks for",
};

const struct route route_alert_ack = {
    .method = "POST",
    .path = "/admin/alerts/{id}/ack",
    .role = ROLE_ADMIN,
    .body = body_alert_ack,
    .acts = true,
    .finds = true,
    .takes = &alert_ack_table,
    .type = ROUTE_JSON,
    .table = &alert_acked_table,
    .id = "alertAck",
    .summary = "Says that somebody takes care of a firing alert: no repeats, no escalation",
    .answer = "The alert as it is now",
};
