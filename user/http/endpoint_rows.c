#include "http/endpoint_rows.h"
#include "base/clock.h"
#include "http/body.h"
#include "http/breakers.h"
#include "http/tables.h"
#include <errno.h>
#include <stdlib.h>

static const char *const roles[] = {"service", "upstream", "fallback", NULL};
static const char *const types[] = {"http", "tcp", "postgres", "redis", NULL};
static const char *const statuses[] = {"unknown", "ok", "failed", NULL};

static const char not_asked[] = "it was not asked yet";

#define TYPE struct connections_entry
static const struct field connections_fields[] = {
    ROW("open", FIELD_U64, open, .about = "of all clients, as the server counts them"),
    WHOLE("limit", limit, .about = "the most that the server takes"),
    PERCENT("used_percent", used_percent, .about = "open ones, of the limit"),
    WHOLE("active", active, .about = "at work on a statement"),
    WHOLE("idle", idle),
    WHOLE("idle_in_transaction", idle_in_transaction),
    WHOLE("other", other),
    WHOLE("blocked", blocked, .about = "waiting for a lock, or in a blocking command"),
};
static const struct field_table connections_table =
    FIELD_TABLE("DatabaseConnections", connections_fields, "A database's client connections.");
#undef TYPE

#define TYPE struct endpoint_row
static const struct field row_fields[] = {
    ROW("name", FIELD_STRING, view.name, .about = "of the service or upstream"),
    ROW("role", FIELD_STRING, role, .choices = roles,
        .about = "fallback: an alternative endpoint of the upstream"),
    ROW("type", FIELD_STRING, type, .choices = types),
    ROW("url", FIELD_STRING, view.url),
    ROW("status", FIELD_STRING, status, .choices = statuses),
    ROW("failure", FIELD_STRING, failure, .unknown = "the last answer was as expected"),
    ROW("since", FIELD_TIME, since_realtime_ns, .unknown = not_asked),
    ROW("consecutive", FIELD_U32, view.consecutive, .about = "results in a row that said so"),
    ROW("checked_at", FIELD_TIME, checked_realtime_ns, .unknown = not_asked),
    ROW("next_at", FIELD_TIME, next_realtime_ns, .unknown = "it is being asked"),
    ROW("latency_seconds", FIELD_READING, latency_seconds, .decimals = 6,
        .about = "of the last success"),
    WHOLE("http_status", http_status),
    WHOLE("certificate_days_left", certificate_days_left, .about = "negative: it has expired"),
    ROW("runs_total", FIELD_U64, view.runs_total),
    ROW("failed_total", FIELD_U64, view.failed_total),
    ROW("connections", FIELD_OBJECT, connections, .table = &connections_table,
        .missing_at = MISSING_AT(TYPE, connections.missing)),
};
const struct field_table endpoint_row_table =
    FIELD_TABLE("CheckResult", row_fields, "What came of an active check.");
#undef TYPE

static struct reading count_of(bool known, unsigned count, const char *why)
{
    return known ? reading_of(count) : reading_missing(why);
}

static void fill_connections(struct connections_entry *ret, const struct endpoint_check_view *view)
{
    const struct endpoint_connections *c = &view->connections;
    const char *why = *c->reason ? c->reason : "the server does not tell";
    bool by_state = c->states_known && view->type == CHECK_POSTGRES;

    *ret = (struct connections_entry){
        .open = c->total,
        .limit = count_of(c->limit_known, c->limit, why),
        .used_percent = reading_missing(c->limit_known ? "the server has no limit" : why),
        .active = count_of(by_state, c->active, why),
        .idle = count_of(by_state, c->idle, why),
        .idle_in_transaction = count_of(by_state, c->idle_in_transaction, why),
        .other = count_of(by_state, c->other, why),
        .blocked = count_of(c->states_known, c->blocked, why),
    };
    if (c->limit_known && c->limit)
        ret->used_percent = reading_of(100.0 * c->total / c->limit);
    if (view->type != CHECK_POSTGRES && view->type != CHECK_REDIS)
        ret->missing = "not a check of a database";
    else if (!c->known)
        ret->missing = *c->reason ? c->reason : "the server did not tell its connections";
}

void endpoint_row_fill(struct endpoint_row *ret, const struct endpoint_checks *checks, size_t index)
{
    const struct endpoint_check_view *view = &ret->view;

    *ret = (struct endpoint_row){0};
    endpoint_check_view(checks, index, &ret->view);
    ret->role = roles[view->owner];
    ret->type = types[view->type];
    ret->status = endpoint_status_name(view->status);
    ret->failure = view->status == ENDPOINT_OK ? NULL : view->reason;
    ret->latency_seconds = view->latency_ns
                               ? reading_of((double)view->latency_ns / NS_PER_SECOND)
                               : reading_missing(view->last_ns ? "it never succeeded" : not_asked);
    ret->http_status =
        count_of(view->http_status != 0, view->http_status,
                 view->type == CHECK_HTTP ? "there was no answer" : "not a check over HTTP");
    ret->certificate_days_left = view->certificate_days == HTTP_CERTIFICATE_DAYS_UNKNOWN
                                     ? reading_missing("no certificate was shown")
                                     : reading_of(view->certificate_days);
    fill_connections(&ret->connections, view);
}

int endpoint_rows_gather(const struct body_env *env, struct endpoint_row **ret, size_t *ret_count)
{
    const struct endpoint_checks *checks = env->sources->checks;
    size_t count = checks ? endpoint_check_count(checks) : 0;
    struct endpoint_row *rows = calloc(count + 1, sizeof(*rows));

    if (!rows)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        uint64_t now_ns = clock_monotonic_ns(env->sources->clock);

        endpoint_row_fill(&rows[i], checks, i);
        rows[i].since_realtime_ns = realtime_of(env, rows[i].view.since_ns);
        rows[i].checked_realtime_ns = realtime_of(env, rows[i].view.last_ns);
        if (rows[i].view.next_ns > now_ns)
            rows[i].next_realtime_ns = realtime_of(env, rows[i].view.next_ns);
    }
    *ret = rows;
    *ret_count = count;
    return 0;
}

const char *endpoint_rows_missing(const struct body_env *env, size_t count)
{
    if (!env->sources->checks)
        return "this agent makes no checks";
    return count ? NULL : "no checks are configured";
}
