/* What the agent answers on every route, byte for byte, against what it answered when that was
 * recorded in tests/unit/recorded/WORLD: a figure that is declared anew elsewhere reads as before.
 *
 * A JSON body is laid out for git and keeps the order of its keys. MOONWATCH_RECORD=1 in the
 * environment records the answers instead; the difference is then for git to show. */
#include "http/routes.h"
#include "model/metric.h"
#include "recorded_answer.h"
#include "recorded_rules.h"
#include "recorded_world.h"

#define ALERT_ID "ALERT" /* in a path: that of an alert */

struct question {
    const char *file;
    const char *method, *path;
    const char *request;        /* the body; NULL: none */
    const char *const *queries; /* name, value, ...; NULL at the end */
    enum recorded_world last;   /* it is asked in the worlds up to this one */
    bool reduced, openmetrics;
};

static const char *const firing[] = {"state", "firing", "limit", "1", NULL};
static const char *const wrong[] = {"limit", "many", NULL};

static const struct question questions[] = {
    {"index.html", "GET", "/"},
    {"health.json", "GET", "/health", .last = WORLD_STALE},
    {"health.reduced.json", "GET", "/health", .reduced = true},
    {"resources.json", "GET", "/health/resources", .last = WORLD_STALE},
    {"scheduler.json", "GET", "/health/scheduler", .last = WORLD_STALE},
    {"performance.json", "GET", "/health/performance", .last = WORLD_STALE},
    {"priority.json", "GET", "/health/priority", .last = WORLD_STALE},
    {"services.json", "GET", "/services", .last = WORLD_STALE},
    {"breakers.json", "GET", "/breakers", .last = WORLD_STALE},
    {"breaker.json", "GET", "/breakers/pay", .last = WORLD_STALE},
    {"breaker.unknown.json", "GET", "/breakers/nobody"},
    {"alerts.json", "GET", "/alerts", .last = WORLD_MISSING},
    {"alerts.query.json", "GET", "/alerts", .queries = firing},
    {"alerts.wrong.json", "GET", "/alerts", .queries = wrong},
    {"silences.json", "GET", "/silences"},
    {"metrics.txt", "GET", "/metrics", .last = WORLD_STALE},
    {"metrics.openmetrics.txt", "GET", "/metrics", .openmetrics = true},
    {"openapi.json", "GET", "/openapi.json"},
    {"reload.json", "POST", "/admin/reload", .last = WORLD_MISSING},
    {"breaker.open.json", "POST", "/admin/circuit-breaker/pay/open", .last = WORLD_MISSING},
    {"breaker.close.json", "POST", "/admin/circuit-breaker/pay/close", .last = WORLD_MISSING},
    {"breaker.reset.json", "POST", "/admin/circuit-breaker/reset", "{\"name\":\"pay\"}",
     .last = WORLD_MISSING},
    {"ack.json", "POST", "/admin/alerts/" ALERT_ID "/ack",
     "{\"by\":\"carl\",\"comment\":\"mine\",\"duration_seconds\":600}", .last = WORLD_MISSING},
    {"ack.unknown.json", "POST", "/admin/alerts/none/ack"},
    {"silence.json", "POST", "/admin/silences",
     "{\"matchers\":[\"alertname=Fires\"],\"duration_seconds\":60,\"creator\":\"carl\"}",
     .last = WORLD_MISSING},
    {"silence.wrong.json", "POST", "/admin/silences", "{}"},
    {"unsilence.json", "DELETE", "/admin/silences", "{\"id\":\"s2\"}", .last = WORLD_MISSING},
    {"unsilence.by_id.json", "DELETE", "/admin/silences/s1", .last = WORLD_MISSING},
};

static const char *query_value(void *ctx, const char *name)
{
    const char *const *queries = ctx;

    for (; queries && *queries; queries += 2)
        if (strcmp(queries[0], name) == 0)
            return queries[1];
    return NULL;
}

/* The answer, and its route in `ret_route`. */
static struct body ask(struct recorded *r, const struct question *q, const struct route **ret_route)
{
    char allow[64], param[ROUTE_PARAM_BYTES];
    struct body_env env = r->env;
    struct body body;

    assert_int_equal(route_find(q->method, q->path, ret_route, allow, param), ROUTE_FOUND);
    env.param = strcmp(param, ALERT_ID) == 0 ? r->alert_id : param;
    env.request = q->request;
    env.request_len = q->request ? strlen(q->request) : 0;
    env.query = query_value;
    env.query_ctx = (void *)q->queries;
    env.reduced = q->reduced;
    env.openmetrics = q->openmetrics;
    assert_int_equal((*ret_route)->body(&env, &body), 0);
    assert_int_equal(body.len, strlen(body.data));
    return body;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

static bool is_as_recorded(const char *world, const struct question *q, const struct body *body)
{
    struct text text;
    bool same;

    text_init(&text, ANSWER_BYTES_MAX);
    if (ends_with(q->file, ".json"))
        answer_add_json(&text, body->data);
    else
        text_add(&text, body->data);
    assert_false(text.failed);
    same = answer_is_recorded(world, q->file, text.data);
    text_free(&text);
    return same;
}

static void answers_are_as_recorded(enum recorded_world which)
{
    struct recorded *r = recorded_create(which);
    bool asked[ROUTE_COUNT] = {false};
    struct text statuses;
    unsigned differ = 0;

    text_init(&statuses, ANSWER_BYTES_MAX);
    for (size_t i = 0; i < ROWS(questions); i++) {
        const struct question *q = &questions[i];
        const struct route *route;
        struct body body;

        if (q->last < which)
            continue;
        body = ask(r, q, &route);
        asked[route_place(route)] = true;
        text_printf(&statuses, "%s %u\n", q->file, body.status);
        differ += !is_as_recorded(world_names[which], q, &body);
        free(body.data);
    }
    differ += !answer_is_recorded(world_names[which], "statuses.txt", statuses.data);
    text_free(&statuses);
    for (size_t i = 0; which == WORLD_KNOWN && i < ROUTE_COUNT; i++)
        if (!asked[i])
            fail_msg("nobody asks %s %s here", routes[i]->method, routes[i]->path);
    recorded_destroy(r);
    if (differ)
        fail_msg("%u answers are not as recorded", differ);
}

static void all_is_known(void **state)
{
    (void)state;
    answers_are_as_recorded(WORLD_KNOWN);
}

static void nothing_is_known(void **state)
{
    (void)state;
    answers_are_as_recorded(WORLD_MISSING);
}

static void it_was_known_some_time_ago(void **state)
{
    (void)state;
    answers_are_as_recorded(WORLD_STALE);
}

/* What is alerted on is what is shown. */
static void rules_are_given_as_recorded(void **state)
{
    struct recorded *r = recorded_create(WORLD_KNOWN);
    char *input = recorded_rule_input(r);
    bool same = answer_is_recorded(world_names[WORLD_KNOWN], "rules.txt", input);

    (void)state;
    free(input);
    recorded_destroy(r);
    assert_true(same);
}

/* Returns whether the page holds a sample of the metric. */
static bool has_sample(const char *page, const char *metric)
{
    size_t len = strlen(metric);

    for (const char *at = page; (at = strstr(at, metric)); at += len)
        if ((at == page || at[-1] == '\n') && strchr("{ ", at[len]))
            return true;
    return false;
}

struct pages {
    char *known, *known_later, *missing;
    unsigned without;
};

static void find_sample(void *ctx, const struct metric *metric)
{
    struct pages *pages = ctx;

    if (has_sample(pages->known, metric->name) || has_sample(pages->known_later, metric->name) ||
        has_sample(pages->missing, metric->name))
        return;
    print_error("no page has a sample of %s\n", metric->name);
    pages->without++;
}

/* What is new has to be made up too, or nothing would hold it to what it was. */
static void every_metric_is_recorded(void **state)
{
    struct pages pages = {
        .known = answer_read(TEST_RECORDED "/known/metrics.txt"),
        .known_later = answer_read(TEST_RECORDED "/known/metrics.openmetrics.txt"),
        .missing = answer_read(TEST_RECORDED "/missing/metrics.txt"),
    };

    (void)state;
    metric_each(find_sample, &pages);
    free(pages.known);
    free(pages.known_later);
    free(pages.missing);
    assert_int_equal(pages.without, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_known),
        cmocka_unit_test(nothing_is_known),
        cmocka_unit_test(it_was_known_some_time_ago),
        cmocka_unit_test(rules_are_given_as_recorded),
        cmocka_unit_test(every_metric_is_recorded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
