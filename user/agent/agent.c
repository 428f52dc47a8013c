#include "agent/agent.h"
#include "agent/agent_alerts.h"
#include "agent/agent_audit.h"
#include "agent/agent_config.h"
#include "agent/agent_files.h"
#include "agent/agent_log.h"
#include "agent/agent_reload.h"
#include "agent/agent_said.h"
#include "agent/agent_services.h"
#include "agent/agent_supervisor.h"
#include "agent/agent_takers.h"
#include "agent/agent_urgency.h"
#include "base/host.h"
#include "base/log.h"
#include "base/loop.h"
#include "cli/commands.h"
#include "collect/collectors.h"
#include "config/config.h"
#include "facts/facts.h"
#include "facts/last_known.h"
#include "health/health.h"
#include "http/listen.h"
#include "http/server.h"
#include "probe/probe.h"
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

struct agent {
    const struct run_options *options;
    const struct clock *clock;
    struct log *log;
    struct loop *loop;
    struct config *config;
    struct host *host;
    struct open_files_held held_files; /* while the probe is loaded */
    struct probe *probe; /* NULL: it goes on without BPF, for the reason in probe_error */
    char probe_error[PROBE_ERROR_BYTES];
    struct collectors *collectors;
    struct agent_services *services;
    struct live *live; /* of the services */
    struct health *health;
    struct facts facts;
    struct last_known *last_known;
    struct agent_alerts *alerts;
    struct server *server;
    struct loop_source *probe_alarm;
    struct agent_urgency urgency;
    struct agent_said said;
    bool ready_untold; /* the service manager did not take it yet */
};

/* What a part of the agent could not be made for, and the mend where it is known. */
static int say_failed(const char *part, int error)
{
    bool scarce = error == -ENOMEM || error == -EAGAIN; /* EAGAIN: of a thread and its stack */

    fprintf(stderr, "moonwatch: %s: %s%s\n", part, strerror(-error),
            scarce
                ? " (allow the agent more memory or tasks: LimitAS=, LimitDATA=, LimitNPROC= and "
                  "TasksMax= of the unit, ulimit -v, -d and -u)"
                : "");
    return EXIT_FAILED;
}

static void on_record(void *ctx, const struct record_head *record, size_t size)
{
    struct agent *agent = ctx;
    const struct agent_takers takers = {
        .log = agent->log,
        .config = agent->config,
        .collectors = agent->collectors,
        .live = agent->live,
    };

    if (agent_take_record(&takers, record, size))
        agent->urgency.pending = true;
}

static void tell_ready(struct agent *agent)
{
    agent->ready_untold = supervisor_tell("READY=1") < 0;
}

static void look(struct agent *agent, uint64_t now_ns)
{
    if (agent->probe)
        probe_drain(agent->probe);
    last_known_update(agent->last_known, collectors_sample(agent->collectors, now_ns), now_ns);
    live_tick(agent->live, collectors_snapshot(agent->collectors)->process.tasks, now_ns);
    health_tick(agent->health, agent->facts.snapshot, agent->probe);
    facts_take(&agent->facts);
}

static void tick(struct agent *agent, uint64_t now_ns)
{
    uint64_t probe_next_ns = 0;

    look(agent, now_ns);
    agent_alerts_tick(agent->alerts);
    agent->urgency.pending = false;
    agent_say(&agent->said, agent->log, agent->config, agent->collectors, agent->health, now_ns);
    if (agent->probe) {
        probe_tick(agent->probe, now_ns, &probe_next_ns);
        loop_set_alarm(agent->probe_alarm, probe_next_ns);
    }
    agent_urgency_pace(&agent->urgency, now_ns, clock_monotonic_ns(agent->clock));
    if (agent->ready_untold)
        tell_ready(agent);
    supervisor_tell("WATCHDOG=1");
}

static void on_tick(void *ctx, uint64_t now_ns)
{
    tick(ctx, now_ns);
}

static void on_probe_alarm(void *ctx, uint64_t now_ns)
{
    struct agent *agent = ctx;
    uint64_t next_ns = 0;

    probe_tick(agent->probe, now_ns, &next_ns);
    loop_set_alarm(agent->probe_alarm, next_ns);
}

static void on_event_alarm(void *ctx, uint64_t now_ns)
{
    struct agent *agent = ctx;

    if (agent->urgency.pending)
        tick(agent, now_ns);
}

static void on_ring(void *ctx, uint32_t events)
{
    struct agent *agent = ctx;

    (void)events;
    probe_drain(agent->probe);
    if (agent->urgency.pending)
        agent_urgency_tick_soon(&agent->urgency);
}

static int reload(struct agent *agent, char error[RELOAD_ERROR_BYTES])
{
    const struct agent_parts parts = {
        .server = agent->server,
        .alerts = agent->alerts,
        .live = agent->live,
        .health = agent->health,
        .log = agent->log,
        .said = &agent->said,
    };
    int r = agent_reload(&parts, agent->options, &agent->config, error);

    if (r == 0)
        facts_take(&agent->facts);
    return r;
}

static int on_admin_reload(void *ctx, char *error, size_t size)
{
    char why[RELOAD_ERROR_BYTES];
    int r = reload(ctx, why);

    if (r < 0)
        snprintf(error, size, "%s", why);
    return r;
}

static void on_admin_acted(void *ctx)
{
    struct agent *agent = ctx;

    agent_alerts_changed(agent->alerts);
}

static void on_reload_signal(void *ctx, int signo)
{
    struct agent *agent = ctx;
    char error[RELOAD_ERROR_BYTES];
    char reloading[64];

    (void)signo;
    snprintf(reloading, sizeof(reloading), "RELOADING=1\nMONOTONIC_USEC=%llu",
             (unsigned long long)(clock_monotonic_ns(agent->clock) / NS_PER_US));
    supervisor_tell(reloading);
    reload(agent, error);
    tell_ready(agent);
}

static void on_stop_signal(void *ctx, int signo)
{
    struct agent *agent = ctx;

    LOG_INFO(agent->log, "agent", "Stopping", LOG_STRING("signal", strsignal(signo)));
    supervisor_tell("STOPPING=1");
    loop_stop(agent->loop);
}

static void on_pins(void *ctx, bool lost, const char *what)
{
    const struct agent *agent = ctx;

    agent_log_pins(agent->log, lost, what);
}

static int load_config(struct agent *agent)
{
    return agent_config_read(agent->options, agent->log, &agent->config);
}

static int find_host(struct agent *agent)
{
    char error[HOST_ERROR_BYTES];

    if (host_create(&agent->host, agent->config->server.host_root, error) == 0)
        return EXIT_DONE;
    cli_error("server.host_root: %s", error);
    return EXIT_USAGE;
}

static int begin_files(struct agent *agent)
{
    return agent_files_begin(&agent->held_files) < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* BPF is optional: without it the agent serves what the kernel's files tell, and says why. */
static int create_probe(struct agent *agent)
{
    struct probe_config config;
    const struct probe_ops ops = {.on_record = on_record, .on_pins = on_pins, .ctx = agent};
    int r;

    probe_config_init(&config, agent->config);
    r = probe_create(&agent->probe, &config, agent->clock, &ops, agent->probe_error);
    open_files_release(&agent->held_files);
    /* Loading leaves the heap of parsed BTF and ELF behind, several times what the agent needs. */
    malloc_trim(0);
    /* Another agent's directory, or another program's. */
    if (r == -EBUSY || r == -ENOTEMPTY) {
        fprintf(stderr, "moonwatch: %s\n", agent->probe_error);
        return EXIT_FAILED;
    }
    if (r < 0)
        LOG_WARNING(agent->log, "agent", "Running without BPF",
                    LOG_STRING("reason", agent->probe_error));
    return EXIT_DONE;
}

static void on_breaker_moved(void *ctx, const char *upstream, const struct breaker_transition *t)
{
    struct agent *agent = ctx;

    if (!agent->alerts) /* a pinned breaker is taken over */
        return;
    agent_alerts_breaker(agent->alerts, upstream, t);
    agent_urgency_tick_soon(&agent->urgency);
}

static int create_services(struct agent *agent)
{
    const struct agent_services_sources sources = {
        .live =
            {
                .loop = agent->loop,
                .clock = agent->clock,
                .host = agent->host,
                .probe = agent->probe,
                .probe_missing = agent->probe_error,
                .state_directory = config_state_directory(environ),
            },
        .log = agent->log,
        .breaker_moved = on_breaker_moved,
        .ctx = agent,
    };
    int r = agent_services_create(&agent->services, &sources, agent->config);

    if (r < 0)
        return say_failed("services", r);
    agent->live = agent_services_live(agent->services);
    return EXIT_DONE;
}

static int create_parts(struct agent *agent)
{
    const struct collector_env env = {
        .host = agent->host,
        .clock = agent->clock,
        .loop = agent->loop,
        .probe = agent->probe,
    };
    int r = collectors_create(&agent->collectors, &env);

    if (r == 0)
        r = last_known_create(&agent->last_known);
    if (r < 0)
        return say_failed("collectors", r);
    r = health_create(&agent->health, agent->config);
    if (r < 0)
        return say_failed("health", r);
    health_set_services(agent->health, live_services(agent->live), live_checks(agent->live));
    return EXIT_DONE;
}

static void gather_facts(struct agent *agent)
{
    agent->facts = (struct facts){
        .clock = agent->clock,
        .host = agent->host,
        .log = agent->log,
        .loop = loop_view(agent->loop),
        .collectors = agent->collectors,
        .snapshot = collectors_snapshot(agent->collectors),
        .visibility = collectors_visibility(agent->collectors),
        .health = agent->health,
        .probe = agent->probe,
        .probe_missing = agent->probe_error,
        .services = live_services(agent->live),
        .checks = live_checks(agent->live),
        .started_monotonic_ns = clock_monotonic_ns(agent->clock),
        .started_realtime_ns = clock_realtime_ns(agent->clock),
    };
}

static int create_alerts(struct agent *agent)
{
    int r;

    gather_facts(agent);
    r = agent_alerts_create(&agent->alerts, &agent->facts, agent->loop,
                            config_state_directory(environ), agent->config);
    return r < 0 ? say_failed("alerts", r) : EXIT_DONE;
}

static int create_server(struct agent *agent)
{
    const struct server_sources sources = {
        .facts = &agent->facts,
        .runtime_directory = config_runtime_directory(environ),
        .reload = on_admin_reload,
        .audited = agent_audit_request,
        .login_failed = agent_audit_failed,
        .audit_ctx = agent->log,
        .acted = on_admin_acted,
        .ctx = agent,
    };
    char error[SERVER_ERROR_BYTES] = "";
    int r = server_create(&agent->server, agent->loop, agent->config, &sources, error);

    if (r < 0)
        fprintf(stderr, "moonwatch: %s\n", error);
    return r < 0 ? EXIT_FAILED : EXIT_DONE;
}

/* Taken before anything is loaded: whoever asks for an end or a reload while the agent starts gets
 * it when it has started. */
static int take_signals(struct agent *agent)
{
    static const struct {
        int signo;
        loop_signal_fn *fn;
    } signals[] = {
        {SIGTERM, on_stop_signal},
        {SIGINT, on_stop_signal},
        {SIGHUP, on_reload_signal},
    };
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof(signals) / sizeof(*signals); i++)
        r = loop_add_signal(agent->loop, NULL, signals[i].signo, signals[i].fn, agent);
    return r < 0 ? say_failed("signals", r) : EXIT_DONE;
}

static int add_sources(struct agent *agent)
{
    int r = 0;

    if (agent->probe && probe_ring_fd(agent->probe) >= 0)
        r = loop_add_fd(agent->loop, NULL, probe_ring_fd(agent->probe), EPOLLIN, on_ring, agent);
    if (r == 0 && agent->probe)
        r = loop_add_alarm(agent->loop, &agent->probe_alarm, on_probe_alarm, agent);
    if (r == 0)
        r = loop_add_alarm(agent->loop, &agent->urgency.alarm, on_event_alarm, agent);
    if (r == 0)
        /* It also bounds how long a lazy record waits. */
        r = loop_add_timer(agent->loop, NULL,
                           agent->config->overhead.sample_interval_ms * NS_PER_MS, on_tick, agent);
    return r < 0 ? say_failed("event loop", r) : EXIT_DONE;
}

static int create(struct agent *agent)
{
    static int (*const steps[])(struct agent *) = {
        load_config,     find_host,    take_signals,  begin_files,   create_probe,
        create_services, create_parts, create_alerts, create_server, add_sources};
    int exit_code = EXIT_DONE;
    int r;

    /* A peer that closes early must not end the agent; the write's error is enough. */
    signal(SIGPIPE, SIG_IGN);
    /* Nor a file that may not grow: as on a full disk. */
    signal(SIGXFSZ, SIG_IGN);
    agent->clock = clock_system();
    r = log_create(&agent->log, STDERR_FILENO, LOG_LEVEL_INFO, agent->clock);
    if (r == 0)
        r = log_adopt_stderr(agent->log);
    if (r == 0)
        r = loop_create(&agent->loop, agent->clock);
    if (r < 0)
        return say_failed("the log and the loop", r);
    for (size_t i = 0; exit_code == EXIT_DONE && i < sizeof(steps) / sizeof(*steps); i++)
        exit_code = steps[i](agent);
    return exit_code;
}

static void destroy(struct agent *agent)
{
    server_destroy(agent->server);
    agent_alerts_destroy(agent->alerts);
    agent->alerts = NULL;
    facts_release(&agent->facts);
    health_destroy(agent->health);
    agent_services_destroy(agent->services);
    last_known_destroy(agent->last_known);
    collectors_destroy(agent->collectors);
    loop_destroy(agent->loop);
    probe_destroy(agent->probe);
    host_destroy(agent->host);
    config_destroy(agent->config);
    log_destroy(agent->log);
}

int agent_run(const struct run_options *options)
{
    struct agent agent = {.options = options};
    int exit_code = create(&agent);

    if (exit_code == EXIT_DONE) {
        tick(&agent, clock_monotonic_ns(agent.clock));
        agent_log_start(agent.log, server_address(agent.server), agent.config, agent.probe);
        agent_files_log(agent.log, agent.config, agent.facts.server);
        tell_ready(&agent);
        if (loop_run(agent.loop) < 0)
            exit_code = EXIT_FAILED;
        /* What came in since the last tick is told by the next agent. */
        look(&agent, clock_monotonic_ns(agent.clock));
        agent_alerts_judge(agent.alerts);
    }
    destroy(&agent);
    return exit_code;
}
