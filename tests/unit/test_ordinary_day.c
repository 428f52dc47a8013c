/* A day of ordinary work, second by second, through the checks and the alerts: nobody is paged. And
 * what must page does. */
#include "abi/exit.h"
#include "alert/alert.h"
#include "collect/collector.h"
#include "config_text.h"
#include "facts/alert_source.h"
#include "health_fixture.h"

#define MINUTE 60
#define HOUR 3600
#define DAY 86400

static const struct host nowhere = {
    .root = "/", .proc = "/nonexistent", .sys = "/nonexistent", .own_proc = "/nonexistent"};

struct day {
    struct fixture *f;
    struct config *config;
    struct alert_manager *manager;
    struct alert_source *source;
    struct clock clock;
    struct collector_env env;
    void *events; /* of event_collector */
    unsigned pages, warnings, unhealthy_seconds;
    char last[256]; /* what the last page said */
};

static uint64_t host_now(void *ctx)
{
    return ((const struct day *)ctx)->f->snapshot.monotonic_ns;
}

static void events_open(struct day *host)
{
    host->clock = (struct clock){.monotonic_ns = host_now, .realtime_ns = host_now, .ctx = host};
    host->env.clock = &host->clock;
    assert_int_equal(cgroup_paths_create(&host->env.cgroups, &nowhere, CGROUP_UNIFIED), 0);
    host->events = calloc(1, event_collector.state_size);
    assert_non_null(host->events);
    assert_int_equal(event_collector.open(host->events, &host->env), 0);
}

static void events_close(struct day *host)
{
    event_collector.close(host->events);
    free(host->events);
    cgroup_paths_destroy(host->env.cgroups);
}

/* What ended in one second, and how. */
struct end {
    const char *comm, *parent, *cgroup;
    uint32_t signal, status, facts;
    unsigned seconds; /* its age */
};

static void end_now(struct day *host, const struct end *end, uint32_t pid)
{
    struct record_exit record = {
        .head = {.type = RECORD_EXIT, .time_ns = host_now(host)},
        .pid = pid,
        .signal = end->signal,
        .status = end->status,
        .facts = end->facts,
        .age_ns = end->seconds * SECOND,
        .cgroup_id = pid, /* systemd makes a new one each time */
    };

    snprintf(record.comm, sizeof(record.comm), "%s", end->comm);
    snprintf(record.parent_comm, sizeof(record.parent_comm), "%s", end->parent);
    snprintf(record.cgroup_name, sizeof(record.cgroup_name), "%s", end->cgroup);
    event_collector.on_record(host->events, &record.head, record.head.time_ns);
}

static void on_notification(void *ctx, const struct notification *n)
{
    struct day *host = ctx;

    if (n->kind != NOTICE_FIRING)
        return;
    for (size_t i = 0; i < n->count; i++) {
        const struct alert_view *alert = &n->alerts[i];

        if (alert->state != ALERT_FIRING)
            continue;
        if (alert->severity < SEVERITY_ERROR) {
            host->warnings++;
            snprintf(host->last, sizeof(host->last), "%s: %s",
                     labels_get(alert->labels, "alertname"), alert->reason);
            continue;
        }
        host->pages++;
        snprintf(host->last, sizeof(host->last), "%s: %s", labels_get(alert->labels, "alertname"),
                 alert->reason);
    }
}

static void host_open(struct day *host, struct fixture *f)
{
    const struct alert_ops ops = {.notify = on_notification, .ctx = host};
    struct config_errors errors = {0};

    *host = (struct day){.f = f};
    host->config = load_valid("{\"alert_manager\":{"
                              "\"channels\":[{\"name\":\"pager\",\"type\":\"log\"}],"
                              "\"routes\":[{\"channels\":[\"pager\"],\"group_wait\":0,"
                              "\"group_interval\":1}]}}",
                              NULL);
    health_configure(f->health, host->config);
    assert_int_equal(alert_manager_create(&host->manager, host->config, &ops, &errors), 0);
    assert_int_equal(alert_source_create(&host->source), 0);
    events_open(host);
    f->snapshot.cpu.runnable = reading_of(1);
}

static void host_close(struct day *host)
{
    events_close(host);
    health_configure(host->f->health, &host->f->config);
    alert_manager_destroy(host->manager);
    alert_source_destroy(host->source);
    config_destroy(host->config);
}

static void host_tick(struct day *host)
{
    const struct loop_view loop = {.lag_ns = NS_PER_MS};
    const struct facts facts = {
        .snapshot = &host->f->snapshot, .health = host->f->health, .loop = &loop};
    struct alert_input input;

    event_collector.sample(host->events, host_now(host), &host->f->snapshot);
    fixture_ticks(host->f, 1);
    host->f->snapshot.realtime_ns = host->f->snapshot.monotonic_ns;
    host->unhealthy_seconds += health_status(host->f->health) == STATUS_UNHEALTHY;
    assert_int_equal(alert_source_fill(host->source, &facts, NULL, 0, &input), 0);
    alert_manager_tick(host->manager, &input);
}

/* What a kind of work does to the figures of one second. */
struct work {
    double cpu;        /* percent of all CPUs, of normal priority */
    double background; /* likewise, of low and idle */
    double cpu_pressure, io_some, io_full, memory;
    unsigned wait_ms, low_wait_ms; /* p99 */
    const char *burner;            /* by short children */
    unsigned blocked;              /* user processes that stand still for I/O */
};

static void add_work(struct work *to, const struct work *w)
{
    to->cpu += w->cpu;
    to->background += w->background;
    to->cpu_pressure = fmax(to->cpu_pressure, w->cpu_pressure);
    to->io_some = fmax(to->io_some, w->io_some);
    to->io_full = fmax(to->io_full, w->io_full);
    to->memory += w->memory;
    to->wait_ms = w->wait_ms > to->wait_ms ? w->wait_ms : to->wait_ms;
    to->low_wait_ms = w->low_wait_ms > to->low_wait_ms ? w->low_wait_ms : to->low_wait_ms;
    to->blocked += w->blocked;
    if (w->burner)
        to->burner = w->burner;
}

static void show(struct fixture *f, const struct work *w, unsigned second)
{
    struct snapshot *s = &f->snapshot;
    struct process_row *top = &s->process.top[TOP_CPU][0];
    double cpu = fmin(w->cpu, 100), background = fmin(w->background, 100 - cpu);

    s->cpu.total.usage_percent = reading_of(cpu + background);
    /* A task counts when it leaves the CPU, some after seconds. */
    s->scheduler.background_cpu_percent = reading_of(second % 3 == 0 ? 3 * background : 0);
    s->memory.usage_percent = reading_of(30 + w->memory);
    s->pressure.resource[PRESSURE_CPU].some.avg10_percent = reading_of(w->cpu_pressure);
    s->pressure.resource[PRESSURE_IO].some.avg10_percent = reading_of(w->io_some);
    s->pressure.resource[PRESSURE_IO].full.avg10_percent = reading_of(w->io_full);
    fixture_waits(&s->scheduler.recent_foreground, w->wait_ms * NS_PER_MS, 10000);
    s->scheduler.recent_classes[PRIORITY_NORMAL] = s->scheduler.recent_foreground;
    fixture_waits(&s->scheduler.recent_classes[PRIORITY_LOW], w->low_wait_ms * NS_PER_MS, 5000);
    s->scheduler.recent = s->scheduler.recent_foreground;
    s->process.top_count[TOP_CPU] = w->burner ? 1 : 0;
    *top = (struct process_row){.pid = 7, .cpu_percent = reading_of(0)};
    top->short_children_cpu_percent = reading_of(2 * cpu);
    snprintf(top->comm, sizeof(top->comm), "%s", w->burner ? w->burner : "");
    s->process.top_count[TOP_BLOCKED] = w->blocked;
    for (unsigned i = 0; i < w->blocked; i++)
        s->process.top[TOP_BLOCKED][i] = (struct process_row){
            .pid = 20 + i, .rss_bytes = 1 << 20, .blocked_percent = reading_of(90), .comm = "tar"};
}

static const struct work idle = {.cpu = 6, .wait_ms = 1};
static const struct work compile = {
    .cpu = 94, .cpu_pressure = 99, .wait_ms = 12, .memory = 20, .burner = "make"};
static const struct work niced_compile = {
    .background = 97, .cpu_pressure = 99, .wait_ms = 3, .low_wait_ms = 900, .burner = "make"};
static const struct work update_index = {.background = 80, .cpu_pressure = 60, .io_some = 60};
static const struct work backup = {.cpu = 25, .io_some = 98, .io_full = 96, .blocked = 1};
static const struct work upgrade = {
    .cpu = 75, .cpu_pressure = 50, .io_some = 75, .io_full = 55, .wait_ms = 8, .blocked = 2};
static const struct work tests = {.cpu = 90, .cpu_pressure = 95, .wait_ms = 30, .burner = "ctest"};
/* One job for each CPU, for an hour, that leaves nobody waiting. */
static const struct work long_compile = {
    .cpu = 97, .cpu_pressure = 60, .wait_ms = 4, .memory = 20, .burner = "make"};
/* Restores, copies and a database's own dump at once, with what waits behind them. */
static const struct work dump = {
    .cpu = 30, .io_some = 99, .io_full = 90, .wait_ms = 6, .blocked = 2};
static const struct work cron = {.cpu = 90, .cpu_pressure = 90, .wait_ms = 40, .burner = "cron"};

static const struct {
    const struct work *work;
    unsigned from, until, every, lasts; /* seconds of the day; each time so long */
} plan[] = {
    {&idle, 0, DAY, DAY, DAY},
    {&cron, 0, DAY, 10 * MINUTE, 20},
    {&backup, 2 * HOUR, 4 * HOUR, 2 * HOUR, 2 * HOUR},
    {&update_index, 4 * HOUR, 5 * HOUR, HOUR, 50 * MINUTE},
    {&dump, 5 * HOUR, 6 * HOUR, HOUR, 20 * MINUTE},
    {&upgrade, 6 * HOUR, 7 * HOUR, HOUR, 6 * MINUTE},
    {&niced_compile, 7 * HOUR, 8 * HOUR, HOUR, 55 * MINUTE},
    {&compile, 9 * HOUR, 18 * HOUR, 20 * MINUTE, 4 * MINUTE + 50},
    {&tests, 9 * HOUR + 10 * MINUTE, 18 * HOUR, 30 * MINUTE, 3 * MINUTE},
    {&niced_compile, 12 * HOUR, 16 * HOUR, 2 * HOUR, 110 * MINUTE},
    {&niced_compile, 20 * HOUR, 24 * HOUR, 4 * HOUR, 4 * HOUR},
};

/* `every` second a process ends so. */
static const struct {
    struct end end;
    unsigned from, until, every;
} ends[] = {
    /* A developer's tests, in a session of ssh and one of tmux: they abort on purpose. */
    {{"unit_test_store", "ctest", "session-3.scope", .signal = 6}, 9 * HOUR, 18 * HOUR, 7},
    {{"unit_test_store", "unit_test_store", "session-3.scope", .signal = 6},
     9 * HOUR,
     18 * HOUR,
     13},
    {{"python3", "bash", "tmux-spawn-7f3a.scope", 6, 0, EXIT_ON_TERMINAL | EXIT_CHILD_OF_HEAD},
     10 * HOUR,
     11 * HOUR,
     5},
    /* The same under a build server. */
    {{"unit_test_store", "ctest", "ci-runner.service", .signal = 6}, 9 * HOUR, 18 * HOUR, 11},
    {{"death_test", "death_test", "ci-runner.service", .signal = 11}, 12 * HOUR, 13 * HOUR, 3},
    {{"sh", "make", "ci-runner.service", .status = 2}, 9 * HOUR, 18 * HOUR, 4},
    {{"grep", "sh", "session-3.scope", .status = 1}, 0, DAY, 3},
    /* Jobs that fail each time: of cron, and of a timer. */
    {{"sync-mail", "sh", "cron.service", .status = 1}, 0, DAY, 5 * MINUTE},
    {{"fetch.sh", "systemd", "fetch.service", 0, 1, EXIT_HEADS_CGROUP, 4}, 30, DAY, 5 * MINUTE},
    {{"checks.sh", "systemd", "checks.service", 0, 1, EXIT_HEADS_CGROUP, 2}, 45, DAY, MINUTE},
};

/* An upgrade stops and starts these one after the other; some have no way to end well, and one is
 * too early for what it needs. */
#define RESTARTED 30

static void restart_services(struct day *host, unsigned second)
{
    unsigned since = second - 6 * HOUR - 2 * MINUTE;
    char name[32];
    struct end stopped = {.comm = "daemon",
                          .parent = "systemd",
                          .cgroup = name,
                          .facts = EXIT_HEADS_CGROUP,
                          .seconds = 40000};

    if (second < 6 * HOUR + 2 * MINUTE || since >= 4 * RESTARTED || since % 2)
        return;
    snprintf(name, sizeof(name), "unit%u.service", since / 4);
    if (since % 4 == 0) {
        stopped.signal = since % 3 == 0 ? 15 : 0;
        stopped.status = since % 3 == 1 ? 143 : 0;
        end_now(host, &stopped, 1000 + since);
    } else if (since / 4 % 10 == 0) {
        stopped.status = 1;
        stopped.seconds = 1;
        end_now(host, &stopped, 1000 + since);
    }
}

static void end_processes(struct day *host, unsigned second)
{
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (second >= ends[i].from && second < ends[i].until &&
            (second - ends[i].from) % ends[i].every == 0)
            end_now(host, &ends[i].end, 10000 + second);
    restart_services(host, second);
}

static void expect_page(struct day *host, const struct work *w, unsigned within, const char *said);

/* What must page does, as if there had been nothing before. */
static void expect_outages_told(struct day *host)
{
    const struct work starved = {
        .cpu = 100, .cpu_pressure = 100, .wait_ms = 400, .burner = "spawner"};
    const struct end crash = {"api", "systemd", "api.service", 6, 0, EXIT_HEADS_CGROUP, 9},
                     worker = {"worker", "web", "web.service", 11, 0, EXIT_CHILD_OF_HEAD, 9};

    for (unsigned i = 0; i < 3; i++) {
        end_now(host, &crash, 1 + i);
        for (int second = 0; second < 10; second++)
            host_tick(host);
    }
    assert_int_equal(host->pages, 1);
    assert_non_null(strstr(host->last, "CrashLoop: 3 crashes in 5 min: api"));
    for (unsigned i = 0; i < 3; i++) {
        end_now(host, &worker, 10 + i);
        host_tick(host);
    }
    assert_int_equal(host->pages, 2);
    assert_non_null(strstr(host->last, "CrashLoop: 3 crashes in 5 min: worker"));
    host->pages = 0;
    expect_page(host, &starved, 6 * MINUTE, "tasks wait");
}

static void a_day_of_ordinary_work_pages_nobody(void **state)
{
    struct day host;

    host_open(&host, *state);
    for (unsigned second = 0; second < DAY; second++) {
        struct work now = {0};

        for (size_t i = 0; i < sizeof(plan) / sizeof(plan[0]); i++)
            if (second >= plan[i].from && second < plan[i].until &&
                (second - plan[i].from) % plan[i].every < plan[i].lasts)
                add_work(&now, plan[i].work);
        show(host.f, &now, second);
        end_processes(&host, second);
        host_tick(&host);
        if (host.pages > 0 || host.unhealthy_seconds > 0)
            fail_msg("at %02u:%02u: %s", second / HOUR, second % HOUR / MINUTE, host.last);
    }
    /* Of each kind of work the first, not of each time. */
    print_message("%u warnings\n", host.warnings);
    assert_in_range(host.warnings, 1, 2 * DAY / HOUR);
    expect_outages_told(&host);
    host_close(&host);
}

static void niced_work_alone_tells_nobody_anything(void **state)
{
    struct day host;

    host_open(&host, *state);
    for (unsigned second = 0; second < 4 * HOUR; second++) {
        show(host.f, &niced_compile, second);
        host_tick(&host);
        assert_int_equal(health_status(host.f->health), STATUS_HEALTHY);
    }
    if (host.pages + host.warnings > 0)
        fail_msg("%s", host.last);
    host_close(&host);
}

static void expect_page(struct day *host, const struct work *w, unsigned within, const char *said)
{
    for (unsigned second = 0; second < within && host->pages == 0; second++) {
        show(host->f, w, second);
        host_tick(host);
    }
    if (host->pages == 0 || !strstr(host->last, said))
        fail_msg("%u pages, the last: %s", host->pages, host->last);
    assert_true(host->unhealthy_seconds > 0);
}

static void work_that_waits_for_minutes_pages(void **state)
{
    const struct work outage = {
        .cpu = 100, .cpu_pressure = 100, .wait_ms = 400, .burner = "spawner"};
    struct day host;

    host_open(&host, *state);
    expect_page(&host, &outage, 2 * MINUTE, "tasks wait");
    host_close(&host);
}

/* Somebody's niced build goes on meanwhile: it neither hides the outage nor makes one. */
static void an_outage_beside_niced_work_pages(void **state)
{
    struct work outage = {.cpu = 70, .cpu_pressure = 100, .wait_ms = 400, .burner = "spawner"};
    struct day host;

    host_open(&host, *state);
    add_work(&outage, &niced_compile);
    expect_page(&host, &outage, 2 * MINUTE, "tasks wait");
    host_close(&host);
}

static void a_cpu_that_stays_busy_pages_after_five_minutes(void **state)
{
    const struct work loop = {.cpu = 100, .cpu_pressure = 99, .wait_ms = 12, .burner = "loop"};
    struct day host;

    host_open(&host, *state);
    expect_page(&host, &loop, 5 * MINUTE + 2,
                "HostCpu: cpu 100.0 % busy, critical at 85 %; most: many short processes of loop "
                "(pid 7) 100 % of 2 CPUs");
    host_close(&host);
}

/* That long at full load is critical as configured, though nobody waits: it is told once, with the
 * name of who does it. Who builds so for hours says so. */
static void a_long_build_pages_once_or_not_at_all_when_it_is_expected(void **state)
{
    struct fixture *f = *state;
    struct day host;

    host_open(&host, f);
    for (unsigned second = 0; second < HOUR; second++) {
        show(f, &long_compile, second);
        host_tick(&host);
        assert_true(host.pages == 0 || second >= 5 * MINUTE);
    }
    assert_int_equal(host.pages, 1);
    assert_non_null(strstr(host.last, "many short processes of make (pid 7)"));
    for (unsigned second = 0; second < 5 * MINUTE; second++) {
        show(f, &idle, second);
        host_tick(&host);
    }
    assert_int_equal(health_status(f->health), STATUS_HEALTHY);
    host.pages = host.unhealthy_seconds = 0;
    host.config->health_monitor.cpu_critical_after_seconds = 2.0 * HOUR;
    health_configure(f->health, host.config);
    for (unsigned second = 0; second < HOUR; second++) {
        show(f, &long_compile, second);
        host_tick(&host);
    }
    if (host.pages > 0 || host.unhealthy_seconds > 0)
        fail_msg("%s", host.last);
    host_close(&host);
}

static void io_that_stands_still_for_several_pages(void **state)
{
    const struct work hung = {.cpu = 3, .io_some = 100, .io_full = 97, .blocked = 4};
    struct day host;

    host_open(&host, *state);
    expect_page(&host, &hung, 6 * MINUTE, "HostStalled");
    host_close(&host);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        FIXTURE_TEST(a_day_of_ordinary_work_pages_nobody),
        FIXTURE_TEST(niced_work_alone_tells_nobody_anything),
        FIXTURE_TEST(work_that_waits_for_minutes_pages),
        FIXTURE_TEST(an_outage_beside_niced_work_pages),
        FIXTURE_TEST(a_cpu_that_stays_busy_pages_after_five_minutes),
        FIXTURE_TEST(a_long_build_pages_once_or_not_at_all_when_it_is_expected),
        FIXTURE_TEST(io_that_stands_still_for_several_pages),
    };

    return cmocka_run_group_tests(all, NULL, NULL);
}
