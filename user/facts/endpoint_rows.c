#include "facts/endpoint_rows.h"
#include "base/array.h"
#include "base/clock.h"
#include "config/choices.h"
#include "facts/tables.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SECONDS_PER_DAY 86400

static const char not_asked[] = "it was not asked yet";

#define TYPE struct connections_entry
#define STATE(name)                                                                                \
    GAUGE("moonwatch_database_connections",                                                        \
          "A database's client connections by state, as the server counts them.",                  \
          .labels = "role name url state "),                                                       \
        .label = {"state", (name)}
static const struct field connections_fields[] = {
    ROW("open", FIELD_U64, open, .about = "of all clients, as the server counts them",
        GAUGE("moonwatch_database_connections_open",
              "A database's client connections, as the server counts them."),
        AFTER("blocked"), LIMIT_AT(limit)),
    WHOLE("limit", limit, .about = "the most that the server takes",
          GAUGE("moonwatch_database_connections_limit", "The most that the server takes."),
          AFTER("open")),
    PERCENT("used_percent", used_percent, .about = "open ones, of the limit"),
    WHOLE("active", active, STATE("active"), .about = "at work on a statement"),
    WHOLE("idle", idle, STATE("idle")),
    WHOLE("idle_in_transaction", idle_in_transaction, STATE("idle_in_transaction")),
    WHOLE("other", other, STATE("other")),
    WHOLE("blocked", blocked, STATE("blocked"),
          .about = "waiting for a lock, or in a blocking command"),
};
FIELD_METRICS(connections_fields, "role name url ", NEED_CHECKS);
static const struct field_table connections_table =
    FIELD_TABLE("DatabaseConnections", connections_fields, "A database's client connections.");
#undef TYPE

static void label_endpoint(const void *row, struct row_labels *ret)
{
    const struct endpoint_row *r = row;

    row_label(ret, "role", r->role);
    row_label(ret, "name", r->view.name);
    row_label(ret, "url", r->view.url);
}

#define TYPE struct endpoint_row
static const struct field row_fields[] = {
    ROW("name", FIELD_STRING, view.name, .about = "of the service or upstream"),
    ROW("role", FIELD_STRING, role, .choices = endpoint_owner_names,
        .about = "fallback: an alternative endpoint of the upstream"),
    ROW("type", FIELD_STRING, type, .choices = check_type_names),
    ROW("url", FIELD_STRING, view.url),
    ROW("status", FIELD_STRING, status, .choices = endpoint_status_names),
    FIGURE(FIELD_READING, up,
           GAUGE("moonwatch_endpoint_up",
                 "1 when the last active check was answered as expected, 0 when not.")),
    ROW("failure", FIELD_STRING, failure, .unknown = "the last answer was as expected"),
    ROW("since", FIELD_TIME, since_realtime_ns, .unknown = not_asked),
    ROW("consecutive", FIELD_U32, view.consecutive, .about = "results in a row that said so"),
    ROW("checked_at", FIELD_TIME, checked_realtime_ns, .unknown = not_asked),
    ROW("next_at", FIELD_TIME, next_realtime_ns, .unknown = "it is being asked"),
    ROW("latency_seconds", FIELD_READING, latency_seconds, .decimals = 6,
        .about = "of the last success",
        GAUGE("moonwatch_endpoint_check_latency_seconds",
              "How long the last successful check took."),
        WATCHED),
    WHOLE("http_status", http_status),
    WHOLE("certificate_days_left", certificate_days_left, .about = "negative: it has expired",
          GAUGE("moonwatch_endpoint_certificate_seconds",
                "Time left of the server's certificate, in whole days."),
          AFTER("failed_total"), .divisor = 1.0 / SECONDS_PER_DAY, RUNS_OUT),
    ROW("runs_total", FIELD_U64, view.runs_total,
        COUNTER("moonwatch_endpoint_checks", "Checks that were made.")),
    ROW("failed_total", FIELD_U64, view.failed_total,
        COUNTER("moonwatch_endpoint_checks_failed", "Checks that failed.")),
    ROW("connections", FIELD_OBJECT, connections, .table = &connections_table,
        .missing_at = MISSING_AT(TYPE, connections.missing)),
};
FIELD_METRICS(row_fields, "role name url ", NEED_CHECKS);
const struct field_table endpoint_row_table = FIELD_TABLE(
    "CheckResult", row_fields, "What came of an active check.", .label = label_endpoint);
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

static void fill(struct endpoint_row *ret, const struct endpoint_checks *checks, size_t index)
{
    const struct endpoint_check_view *view = &ret->view;

    *ret = (struct endpoint_row){0};
    endpoint_check_view(checks, index, &ret->view);
    snprintf(ret->reason, sizeof(ret->reason), "%s", view->reason);
    ret->view.reason = ret->reason;
    ret->role = endpoint_owner_names[view->owner];
    ret->type = check_type_names[view->type];
    ret->status = endpoint_status_name(view->status);
    ret->up = view->status == ENDPOINT_UNKNOWN ? reading_missing(not_asked)
                                               : reading_of(view->status == ENDPOINT_OK);
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

static void tell_times(struct endpoint_row *row, const struct facts *facts)
{
    row->since_realtime_ns = facts_realtime_ns(facts, row->view.since_ns);
    row->checked_realtime_ns = facts_realtime_ns(facts, row->view.last_ns);
    if (row->view.next_ns > facts->taken_monotonic_ns)
        row->next_realtime_ns = facts_realtime_ns(facts, row->view.next_ns);
}

void endpoint_rows_take(struct facts *facts)
{
    size_t count = facts->checks ? endpoint_check_count(facts->checks) : 0;

    facts->endpoint_count = 0;
    if (!ARRAY_GROW(facts->endpoints, facts->endpoint_capacity, count))
        return;
    for (size_t i = 0; i < count; i++) {
        fill(&facts->endpoints[i], facts->checks, i);
        tell_times(&facts->endpoints[i], facts);
    }
    facts->endpoint_count = count;
}

const char *endpoint_rows_missing(const struct facts *facts)
{
    if (!facts->checks)
        return "this agent makes no checks";
    if (facts->endpoint_count)
        return NULL;
    return endpoint_check_count(facts->checks) ? "there was no memory for them"
                                               : "no checks are configured";
}
