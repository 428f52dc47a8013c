/* postgres: libpq, asynchronous. A connection and one query, which counts the connections. */
#include "endpoint/endpoint_driver.h"
#include "endpoint/pq_api.h"
#include "transfer/secret.h"
#include "transfer/watch.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define PORT_DEFAULT 5432
/* SQLSTATE classes that say what is wrong with the question, not with the server: 42 is syntax and
 * privileges, 0A and 22 what a server of another kind or age does not know. */
#define QUESTION_CLASSES "42", "0A", "22"

/* Who may not read the state of other sessions sees them without it: then nothing is counted. */
static const char query[] =
    "SELECT pg_has_role('pg_read_all_stats', 'USAGE'), current_setting('max_connections'),"
    " count(*), count(*) FILTER (WHERE state = 'active'), count(*) FILTER (WHERE state = 'idle'),"
    " count(*) FILTER (WHERE state LIKE 'idle in transaction%'), current_user"
    " FROM pg_stat_activity WHERE backend_type = 'client backend'";

struct postgres_run {
    const struct endpoint_check_sources *sources;
    const struct pq_api *api;
    PGconn *connection;
    struct watch watch;
    bool connected;
    uint64_t started_ns;
    endpoint_done_fn *fn;
    void *ctx;
    struct endpoint_report report;
};

static void on_ready(void *ctx, uint32_t epoll_events);

static void be_silent(void *ctx, const char *message)
{
    (void)ctx;
    (void)message;
}

/* libpq's messages have lines and end in one. */
static void take_message(char reason[ENDPOINT_REASON_BYTES], const char *message)
{
    size_t n = 0;

    for (; *message && n + 3 < ENDPOINT_REASON_BYTES; message++) {
        if (*message != '\n') {
            reason[n++] = *message == '\t' ? ' ' : *message;
        } else if (message[1]) {
            reason[n++] = ';';
            reason[n++] = ' ';
        }
    }
    reason[n] = '\0';
}

static void free_run(struct postgres_run *run)
{
    watch_end(&run->watch);
    run->api->PQfinish(run->connection);
    free(run);
}

static void finish(struct postgres_run *run, bool ok)
{
    run->report.ok = ok;
    run->report.outcome.class = ok ? OUTCOME_OK : OUTCOME_RETRYABLE;
    run->report.certificate_days = HTTP_CERTIFICATE_DAYS_UNKNOWN;
    run->fn(run->ctx, &run->report);
    free_run(run);
}

static void fail(struct postgres_run *run)
{
    take_message(run->report.reason, run->api->PQerrorMessage(run->connection));
    finish(run, false);
}

static bool watch(struct postgres_run *run, uint32_t epoll_events)
{
    return watch_set(&run->watch, run->sources->loop, run->api->PQsocket(run->connection),
                     epoll_events, on_ready, run) == 0;
}

static unsigned number(const struct postgres_run *run, const PGresult *result, int column)
{
    return (unsigned)strtoul(run->api->PQgetvalue(result, 0, column), NULL, 10);
}

static void take_connections(struct postgres_run *run, const PGresult *result)
{
    struct endpoint_connections *connections = &run->report.connections;
    unsigned known;

    if (run->api->PQntuples(result) != 1)
        return;
    connections->limit = number(run, result, 1);
    connections->limit_known = true;
    if (run->api->PQgetvalue(result, 0, 0)[0] != 't') {
        snprintf(connections->reason, sizeof(connections->reason),
                 "%.60s may not read other sessions' states (GRANT pg_read_all_stats TO %.60s)",
                 run->api->PQgetvalue(result, 0, 6), run->api->PQgetvalue(result, 0, 6));
        return;
    }
    connections->known = connections->states_known = true;
    connections->total = number(run, result, 2);
    connections->active = number(run, result, 3);
    connections->idle = number(run, result, 4);
    connections->idle_in_transaction = number(run, result, 5);
    known = connections->active + connections->idle + connections->idle_in_transaction;
    connections->other = connections->total > known ? connections->total - known : 0;
}

static bool is_about_the_question(const char *sqlstate)
{
    static const char *const classes[] = {QUESTION_CLASSES};

    for (size_t i = 0; sqlstate && i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strncmp(sqlstate, classes[i], 2) == 0)
            return true;
    return false;
}

/* Returns whether the run goes on. */
static bool take_result(struct postgres_run *run, PGresult *result)
{
    ExecStatusType status = run->api->PQresultStatus(result);
    bool goes_on = true;

    if (status == PGRES_TUPLES_OK) {
        take_connections(run, result);
    } else if (is_about_the_question(run->api->PQresultErrorField(result, PG_DIAG_SQLSTATE))) {
        take_message(run->report.connections.reason, run->api->PQresultErrorMessage(result));
    } else {
        take_message(run->report.reason, run->api->PQresultErrorMessage(result));
        goes_on = false;
    }
    run->api->PQclear(result);
    return goes_on;
}

static void read_answer(struct postgres_run *run)
{
    PGresult *result;

    if (!run->api->PQconsumeInput(run->connection)) {
        fail(run);
        return;
    }
    while (!run->api->PQisBusy(run->connection)) {
        result = run->api->PQgetResult(run->connection);
        if (!result) {
            run->report.latency_ns = clock_monotonic_ns(run->sources->clock) - run->started_ns;
            finish(run, true);
            return;
        }
        if (!take_result(run, result)) {
            finish(run, false);
            return;
        }
    }
}

/* Sends what is left of the query, and waits for what is next. */
static void go_on(struct postgres_run *run)
{
    int left = run->api->PQflush(run->connection);

    if (left < 0 || !watch(run, EPOLLIN | (left ? EPOLLOUT : 0)))
        fail(run);
}

static void go_on_connecting(struct postgres_run *run)
{
    uint32_t events = EPOLLIN;

    /* libpq may close the socket and open another of the same number. */
    watch_end(&run->watch);
    switch (run->api->PQconnectPoll(run->connection)) {
    case PGRES_POLLING_FAILED:
        fail(run);
        return;
    case PGRES_POLLING_OK:
        run->connected = true;
        if (run->api->PQsetnonblocking(run->connection, 1) < 0 ||
            !run->api->PQsendQuery(run->connection, query))
            fail(run);
        else
            go_on(run);
        return;
    case PGRES_POLLING_WRITING:
        events = EPOLLOUT;
        break;
    case PGRES_POLLING_READING:
    case PGRES_POLLING_ACTIVE:
        break;
    }
    if (!watch(run, events))
        fail(run);
}

static void on_ready(void *ctx, uint32_t epoll_events)
{
    struct postgres_run *run = ctx;

    if (!run->connected)
        go_on_connecting(run);
    else if (epoll_events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        read_answer(run);
    else
        go_on(run);
}

static const char *option(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val && *options->val ? options->val : NULL;
    return NULL;
}

static int take_host(const PQconninfoOption *options, char host[256], uint16_t *port, char *reason)
{
    const char *address = option(options, "hostaddr"), *name = option(options, "host");
    const char *text = option(options, "port");
    unsigned long number = text ? strtoul(text, NULL, 10) : PORT_DEFAULT;

    if ((name && strchr(name, ',')) || (address && strchr(address, ',')) ||
        (text && strchr(text, ','))) {
        snprintf(reason, ENDPOINT_REASON_BYTES, "the url has several hosts (allowed: one)");
        return -EINVAL;
    }
    if (number < 1 || number > UINT16_MAX) {
        snprintf(reason, ENDPOINT_REASON_BYTES, "the url's port is not from 1 to 65535");
        return -EINVAL;
    }
    *port = (uint16_t)number;
    /* None, or a directory: a local socket. */
    snprintf(host, 256, "%.255s", address ? address : name && name[0] != '/' ? name : "");
    return 0;
}

static int postgres_host(const struct config_check *config, char host[256], uint16_t *port,
                         char reason[ENDPOINT_REASON_BYTES])
{
    const struct pq_api *api = pq_api(reason);
    PQconninfoOption *options;
    char *error = NULL;
    int r;

    if (!api)
        return -ELIBACC;
    options = api->PQconninfoParse(config->url, &error);
    if (!options) {
        take_message(reason, error ? error : "out of memory");
        api->PQfreemem(error);
        return -EINVAL;
    }
    r = take_host(options, host, port, reason);
    api->PQconninfoFree(options);
    return r;
}

static PGconn *connect_to(const struct pq_api *api, const struct endpoint_target *target,
                          const char *password)
{
    char address[RESOLVED_TEXT_BYTES] = "";
    const char *ca = target->config->ca_file;
    /* What comes later wins over the url. Kerberos would look names up, and block. */
    const char *const keywords[] = {"sslmode",  "dbname",      "hostaddr",   "application_name",
                                    "password", "sslrootcert", "gssencmode", NULL};
    const char *const values[] = {ca ? "verify-full" : NULL,
                                  target->config->url,
                                  address,
                                  "moonwatch",
                                  password,
                                  ca,
                                  "disable",
                                  NULL};

    if (target->address)
        resolved_address_format(target->address, address);
    return api->PQconnectStartParams(keywords, values, 1);
}

static int postgres_start(void **ret, const struct endpoint_check_sources *sources,
                          const struct endpoint_target *target, endpoint_done_fn *fn, void *ctx,
                          char reason[ENDPOINT_REASON_BYTES])
{
    const struct pq_api *api = pq_api(reason);
    struct postgres_run *run;
    char *password = NULL;
    int r = api ? 0 : -ELIBACC;

    if (r == 0 && target->config->ca_file)
        r = secret_check_ca(target->config->ca_file, reason);
    if (r == 0)
        r = secret_read(target->config->password_file, &password, reason);
    if (r < 0)
        return r;
    run = calloc(1, sizeof(*run));
    if (run) {
        *run = (struct postgres_run){.sources = sources,
                                     .api = api,
                                     .started_ns = clock_monotonic_ns(sources->clock),
                                     .fn = fn,
                                     .ctx = ctx};
        run->connection = connect_to(api, target, password);
    }
    secret_free(password);
    if (!run || !run->connection) {
        free(run);
        snprintf(reason, ENDPOINT_REASON_BYTES, "out of memory");
        return -ENOMEM;
    }
    api->PQsetNoticeProcessor(run->connection, be_silent, NULL);
    if (api->PQstatus(run->connection) == CONNECTION_BAD || !watch(run, EPOLLOUT)) {
        take_message(reason, api->PQerrorMessage(run->connection));
        free_run(run);
        return -EIO;
    }
    *ret = run;
    return 0;
}

static void postgres_cancel(void *run)
{
    free_run(run);
}

const struct endpoint_driver endpoint_driver_postgres = {
    .host = postgres_host, .start = postgres_start, .cancel = postgres_cancel};
