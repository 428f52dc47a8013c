#include "http/server.h"
#include "facts/metrics.h"
#include "http/admission.h"
#include "http/certificate.h"
#include "http/connections.h"
#include "http/listen.h"
#include "http/site.h"
#include "http/upload.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* From so many connections on their memory is given back once all are gone: it is more than the
 * agent's own. */
#define CROWD 64
/* Rounds in one wake-up before the rest of the agent gets its turn. */
#define RUNS_PER_WAKEUP 8
#define ACCEPT_PAUSE_NS (100 * NS_PER_MS)

struct server {
    struct site site;
    struct connections connections;
    bool crowded; /* memory of many connections may be lying idle */
    struct MHD_Daemon *daemon;
    struct certificate certificate; /* borrowed by the daemon */
    int listen_fd;                  /* belongs to the daemon */
    struct loop *loop;
    struct loop_source *readable; /* NULL: nobody is accepted for a while */
    struct loop_source *timeout, *report;
    struct listen_address address;
    char name[LISTEN_TEXT_BYTES];
    char admin_error[TOKEN_ERROR_BYTES];
    bool staged;
    struct tokens *next_tokens;
    struct auth_hosts next_hosts;
};

_Static_assert(TOKEN_ERROR_BYTES <= SERVER_ERROR_BYTES, "token errors are passed on");

static void give_back_memory(struct server *server)
{
    if (server->connections.count >= CROWD)
        server->crowded = true;
    if (!server->crowded || server->connections.count > 0)
        return;
    server->crowded = false;
    malloc_trim(0);
}

static bool callers_wait(const struct server *server)
{
    struct pollfd listener = {.fd = server->listen_fd, .events = POLLIN};

    return poll(&listener, 1, 0) != 0;
}

/* The process or the host can open no more files, and no connection is left that could end: who
 * calls stands at the door for ever, and the loop would do nothing but look. */
static void pause_accepting(struct server *server)
{
    server->site.view.accept_pauses_total++;
    loop_remove(server->readable);
    server->readable = NULL;
}

/* A caller can come between the looks of two turns, too. */
static bool has_room(const struct server *server)
{
    int fd = fcntl(server->listen_fd, F_DUPFD_CLOEXEC, 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0 && server->connections.count < server->connections.limit;
}

/* Of one call of MHD_run(). */
struct turn {
    bool wait;    /* callers do, and nobody was taken */
    bool refused; /* nor the turn before, and there is no room for anybody */
    bool ended;   /* a connection did: only the next call looks for callers again */
};

static void take_turn(struct server *server, struct turn *turn)
{
    uint64_t accepted = server->connections.accepted_total;
    uint64_t ended = server->connections.ended_total;
    bool waited = turn->wait;

    MHD_run(server->daemon);
    give_back_memory(server);
    turn->ended = server->connections.ended_total != ended;
    turn->wait = server->connections.accepted_total == accepted && callers_wait(server);
    turn->refused = turn->wait && waited && !turn->ended && !has_room(server);
    if (turn->refused)
        connections_evict(&server->connections);
}

static void run(struct server *server)
{
    uint64_t now_ns = clock_monotonic_ns(server->site.sources.facts->clock), alarm_ns = 0;
    unsigned long long timeout_ms = 0;
    bool again = true, timed = false;
    struct turn turn = {0};

    for (int i = 0; i < RUNS_PER_WAKEUP && again; i++) {
        take_turn(server, &turn);
        timed = MHD_get_timeout(server->daemon, &timeout_ms) == MHD_YES;
        /* A timeout of 0: there is more to do that no fd will announce. */
        again = (timed && timeout_ms == 0) || turn.wait || turn.ended;
    }
    if (turn.refused && server->connections.count == 0)
        pause_accepting(server);
    if (timed || turn.ended)
        alarm_ns = now_ns + (turn.ended ? 0 : timeout_ms * NS_PER_MS) + 1;
    if (turn.wait && (alarm_ns == 0 || alarm_ns > now_ns + ACCEPT_PAUSE_NS))
        alarm_ns = now_ns + ACCEPT_PAUSE_NS;
    loop_set_alarm(server->timeout, alarm_ns);
}

static void on_readable(void *ctx, uint32_t epoll_events)
{
    (void)epoll_events;
    run(ctx);
}

static int watch_daemon(struct server *server)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);

    return info ? loop_add_fd(server->loop, &server->readable, info->epoll_fd, EPOLLIN, on_readable,
                              server)
                : -EIO;
}

static void on_timeout(void *ctx, uint64_t now_ns)
{
    struct server *server = ctx;

    if (!server->readable && watch_daemon(server) < 0) {
        loop_set_alarm(server->timeout, now_ns + ACCEPT_PAUSE_NS);
        return;
    }
    run(server);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server *server = cls;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

        *socket_context = info ? connections_add(&server->connections, info->connect_fd) : NULL;
    } else {
        connections_remove(&server->connections, *socket_context);
        *socket_context = NULL;
    }
    server->site.view.connections = server->connections.count;
    server->site.view.connections_evicted_total = server->connections.evicted_total;
}

/* NULL: there was no memory for it. */
static struct connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

/* Before libmicrohttpd takes the target apart. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *mhd)
{
    (void)cls;
    (void)mhd;
    return upload_create(target);
}

static void on_completed(void *cls, struct MHD_Connection *mhd, void **request,
                         enum MHD_RequestTerminationCode code)
{
    (void)cls;
    if (code == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED)
        connections_give_up(connection_of(mhd));
    upload_destroy(*request);
    *request = NULL;
}

static enum MHD_Result begin(struct server *server, struct MHD_Connection *mhd, const char *version,
                             struct upload *upload)
{
    const struct head_refusal *refusal;

    if (upload_begin(upload, mhd, version, &refusal) < 0)
        return MHD_NO;
    if (!refusal)
        return MHD_YES;
    server->site.view.requests_total++;
    return site_refuse(mhd, refusal->status, refusal->code, refusal->message);
}

/* Called once with the headers, then with each part of a body, then once at its end. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **request)
{
    struct server *server = cls;
    struct upload *upload = *request;
    struct connection *connection = connection_of(mhd);
    uint64_t due_ns = server->site.guess_report_ns;
    struct request whole;
    enum MHD_Result r;

    if (!upload)
        return MHD_NO; /* there was no memory for it */
    if (!upload_has_begun(upload))
        return begin(server, mhd, version, upload);
    if (*size) {
        upload_add(upload, data, *size);
        *size = 0;
        return MHD_YES;
    }
    server->site.view.requests_total++;
    if (connection)
        connections_touch(&server->connections, connection);
    whole = upload_request(upload, method, url);
    r = site_answer(&server->site, mhd, &whole);
    if (server->site.guess_report_ns != due_ns)
        loop_set_alarm(server->report, server->site.guess_report_ns);
    return r;
}

/* TLS 1.2 and 1.3, forward secrecy and authenticated ciphers only: no CBC, no key exchange by the
 * certificate's RSA key. */
#define TLS_PRIORITIES                                                                             \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-GCM:+CHACHA20-POLY1305:"      \
    "+AES-128-GCM:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE"

/* What 0.9 makes stricter, a head without Host, it answers with two heads; head_check() sees
 * to it. */
#define STRICT (MHD_VERSION >= 0x01000000)

static unsigned idle_seconds(const struct config *config)
{
    double idle = ceil(config->server.idle_timeout_seconds);

    return idle > 1 ? (unsigned)idle : 1u;
}

static int start_daemon(struct server *server, const struct config *config, int listen_fd)
{
    const struct MHD_OptionItem https[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, server->certificate.chain},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, server->certificate.key},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    bool plain = !server->certificate.chain;

    server->listen_fd = listen_fd;
    server->connections.limit = listen_fit_connections(config->server.max_connections);
    server->site.view.connection_limit = server->connections.limit;
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | (plain ? 0 : MHD_USE_TLS), 0, NULL, NULL, on_request, server,
        MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_ARRAY, plain ? &https[3] : https,
        MHD_OPTION_CONNECTION_LIMIT, server->connections.limit, MHD_OPTION_CONNECTION_TIMEOUT,
        idle_seconds(config), MHD_OPTION_CONNECTION_MEMORY_LIMIT, HEAD_MEMORY_BYTES,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_URI_LOG_CALLBACK, on_target,
        NULL, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_STRICT_FOR_CLIENT, STRICT,
        MHD_OPTION_END);
    if (server->daemon)
        return 0;
    close(listen_fd);
    return -EIO;
}

static void on_report(void *ctx, uint64_t now_ns)
{
    struct server *server = ctx;

    (void)now_ns;
    admission_report(&server->site);
    loop_set_alarm(server->report, server->site.guess_report_ns);
}

static int join_loop(struct server *server)
{
    int r = loop_add_alarm(server->loop, &server->timeout, on_timeout, server);

    if (r == 0)
        r = loop_add_alarm(server->loop, &server->report, on_report, server);
    return r < 0 ? r : watch_daemon(server);
}

int server_stage(struct server *server, const struct config *config, char error[SERVER_ERROR_BYTES])
{
    struct tokens *tokens = NULL;
    int r = config->auth.tokens_file ? tokens_load(&tokens, config->auth.tokens_file, error) : 0;

    server_unstage(server);
    if (r < 0)
        return r;
    if (!tokens && !listen_is_loopback(&server->address)) {
        snprintf(error, SERVER_ERROR_BYTES,
                 "cannot listen on %s: not a loopback address, and no tokens are configured (set "
                 "auth.tokens_file, or listen on 127.0.0.1)",
                 *server->name ? server->name : config->server.listen);
        return -EACCES;
    }
    r = auth_hosts_set(&server->next_hosts, config->server.allowed_hosts.items,
                       config->server.allowed_hosts.count);
    if (r < 0) {
        tokens_destroy(tokens);
        snprintf(error, SERVER_ERROR_BYTES, "server.allowed_hosts: %s", strerror(-r));
        return r;
    }
    server->next_tokens = tokens;
    server->staged = true;
    return 0;
}

void server_unstage(struct server *server)
{
    tokens_destroy(server->next_tokens);
    auth_hosts_free(&server->next_hosts);
    server->next_tokens = NULL;
    server->staged = false;
}

void server_commit(struct server *server)
{
    if (!server->staged)
        return;
    tokens_destroy(server->site.auth.tokens);
    server->site.auth.tokens = server->next_tokens;
    auth_hosts_take(&server->site.auth.hosts, &server->next_hosts);
    server->next_tokens = NULL;
    server->staged = false;
    site_forget_rendered(&server->site);
}

/* Without the local token everything is served but /admin, which says why. */
static void make_admin_token(struct server *server)
{
    const char *directory = server->site.sources.runtime_directory;

    if (!directory)
        server->site.view.admin_missing = "there is no runtime directory";
    else if (token_write_local(directory, &server->site.auth.local, server->admin_error) < 0)
        server->site.view.admin_missing = server->admin_error;
    else
        server->site.auth.has_local = true;
}

static int open_server(struct server *server, const struct config *config,
                       char error[SERVER_ERROR_BYTES])
{
    const char *listen_text = config->server.listen;
    int fd, r = listen_parse(listen_text, &server->address);

    if (r < 0) {
        snprintf(error, SERVER_ERROR_BYTES,
                 "server.listen \"%s\" is not an address (allowed: 127.0.0.1:8000, [::1]:8000)",
                 listen_text);
        return r;
    }
    r = server_stage(server, config, error);
    if (r < 0)
        return r;
    server_commit(server);
    /* The programs were loaded with it, and keep it until the next start. */
    server->site.slow_wait_seconds = config->performance_tracker.slow_wait_ms > 0
                                         ? config->performance_tracker.slow_wait_ms / 1000
                                         : NAN;
    server->site.metrics_series_max = config->server.metrics_series_max;
    if (config->server.tls_certificate_file)
        r = certificate_load(&server->certificate, config->server.tls_certificate_file,
                             config->server.tls_key_file, error, SERVER_ERROR_BYTES);
    if (r < 0)
        return r;
    r = listen_open(&server->address, idle_seconds(config), &fd, server->name);
    if (r < 0) {
        snprintf(error, SERVER_ERROR_BYTES, "cannot listen on %s: %s%s", listen_text, strerror(-r),
                 r == -EADDRINUSE ? " (another agent or program has the port: stop it, or set "
                                    "server.listen)"
                                  : "");
        return r;
    }
    r = start_daemon(server, config, fd);
    if (r == 0)
        r = join_loop(server);
    if (r == 0)
        r = metrics_create(&server->site.metrics, server->site.sources.facts->host);
    if (r < 0)
        snprintf(error, SERVER_ERROR_BYTES, "cannot serve HTTP: %s", strerror(-r));
    return r;
}

int server_create(struct server **ret, struct loop *loop, const struct config *config,
                  const struct server_sources *sources, char error[SERVER_ERROR_BYTES])
{
    struct server *server = calloc(1, sizeof(*server));
    int r;

    if (!server)
        return -ENOMEM;
    server->loop = loop;
    server->connections.loop = loop;
    server->site.sources = *sources;
    auth_hosts_name_machine(&server->site.auth.hosts);
    r = guesses_create(&server->site.guesses);
    if (r == 0)
        r = open_server(server, config, error);
    if (r < 0) {
        server_destroy(server);
        return r;
    }
    make_admin_token(server);
    sources->facts->server = &server->site.view;
    *ret = server;
    return 0;
}

void server_destroy(struct server *server)
{
    if (!server)
        return;
    server->site.sources.facts->server = NULL;
    loop_remove(server->readable);
    loop_remove(server->timeout);
    loop_remove(server->report);
    site_forget_rendered(&server->site);
    connections_release(&server->connections);
    if (server->daemon)
        MHD_stop_daemon(server->daemon);
    if (server->site.auth.has_local)
        token_remove_local(server->site.sources.runtime_directory);
    certificate_free(&server->certificate);
    metrics_destroy(server->site.metrics);
    server_unstage(server);
    tokens_destroy(server->site.auth.tokens);
    auth_hosts_free(&server->site.auth.hosts);
    guesses_destroy(server->site.guesses);
    free(server);
}

const char *server_address(const struct server *server)
{
    return server->name;
}
