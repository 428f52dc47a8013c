/* One webhook and nothing else configured: the first is told in the tick it happens in, and a storm
 * of a thousand crashes of fifty programs is ten notifications at most, whatever its shape. */
#include "alert/alert.h"
#include "base/clock.h"
#include "config_text.h"
#include <math.h>
#include <stdlib.h>

#define PROGRAMS 50
#define CRASHES 1000
#define TICK_NS (100 * NS_PER_MS)
#define SETTLED_SECONDS 1200

struct host {
    struct alert_manager *manager;
    struct config *config;
    uint64_t now_ns;
    size_t webhooks, logged;
    uint64_t last_ns;          /* when the webhook was told last */
    bool told[PROGRAMS];       /* of its crash loop */
    uint64_t late_ns;          /* the longest that a crash loop was told later than it fired */
    uint64_t looped[PROGRAMS]; /* when it was the third crash */
    char last[256];
};

static struct host h;

static void count(void *ctx, const struct notification *n)
{
    struct host *host = ctx;

    if (n->channel->type == CHANNEL_LOG) {
        host->logged += n->count;
        return;
    }
    host->webhooks++;
    host->last_ns = host->now_ns;
    snprintf(host->last, sizeof(host->last), "%s", n->count ? n->alerts[0].summary : "");
    for (size_t i = 0; i < n->count; i++) {
        const char *comm = labels_get(n->alerts[i].labels, "comm");
        unsigned program = (unsigned)strtoul(comm[0] == 'p' ? comm + 1 : comm, NULL, 10);

        if (strcmp(labels_get(n->alerts[i].labels, "alertname"), "CrashLoop") != 0 ||
            n->alerts[i].state != ALERT_FIRING || program >= PROGRAMS || host->told[program])
            continue;
        host->told[program] = true;
        if (host->now_ns - host->looped[program] > host->late_ns)
            host->late_ns = host->now_ns - host->looped[program];
    }
}

/* The built-in rule, but fed with crashes as they are. */
#define LOOP                                                                                       \
    "{\"name\":\"CrashLoop\",\"kind\":\"event\",\"event\":\"crash\",\"count\":3,\"within\":300,"   \
    "\"severity\":\"critical\",\"keep_firing_for\":300,\"summary\":\"{{ $reason }}\"}"

static void open_host(const char *more)
{
    const struct alert_ops ops = {.notify = count, .ctx = &h};
    struct config_errors errors = {0};
    char text[1024];

    snprintf(text, sizeof(text),
             "{\"alert_manager\":{\"channels\":[{\"name\":\"hook\",\"type\":\"webhook\","
             "\"url\":\"http://h/\"}%s],\"rules\":[" LOOP "]}}",
             more);
    memset(&h, 0, sizeof(h));
    h.config = load_valid(text, NULL);
    h.now_ns = 1000 * NS_PER_SECOND;
    assert_int_equal(alert_manager_create(&h.manager, h.config, &ops, &errors), 0);
}

static int close_host(void **state)
{
    alert_manager_destroy(h.manager);
    config_destroy(h.config);
    return 0;
}

struct happening {
    struct alert_event events[128];
    struct label_pair labels[128][2];
    char names[128][16], cgroups[128][64];
    size_t count;
};

/* Each metric is there, so that nothing is unknown. */
static void tick(const struct happening *happening)
{
    const struct alert_sample samples[] = {
        {"moonwatch_cpu_usage_ratio", NULL, 0, 0.1},
        {"moonwatch_memory_usage_ratio", NULL, 0, 0.1},
    };
    struct alert_input input = {
        .monotonic_ns = h.now_ns,
        .realtime_ns = 1767225600ULL * NS_PER_SECOND + h.now_ns,
        .samples = samples,
        .sample_count = 2,
        .events = happening ? happening->events : NULL,
        .event_count = happening ? happening->count : 0,
    };

    alert_manager_tick(h.manager, &input);
}

static void add_event(struct happening *now, enum rule_event event, const char *reason,
                      const char *comm, const char *cgroup)
{
    size_t i = now->count++;

    assert_true(i < 128);
    snprintf(now->names[i], sizeof(now->names[i]), "%s", comm);
    snprintf(now->cgroups[i], sizeof(now->cgroups[i]), "%s", cgroup);
    now->labels[i][0] = (struct label_pair){"comm", now->names[i]};
    now->labels[i][1] = (struct label_pair){"cgroup", now->cgroups[i]};
    now->events[i] = (struct alert_event){event, now->labels[i], 2, NAN, reason};
}

static void crash(struct happening *now, const char *comm, const char *cgroup)
{
    add_event(now, RULE_EVENT_CRASH, "crashed", comm, cgroup);
}

static void what_is_quiet_is_told_in_its_tick(void **state)
{
    struct happening now = {0};

    open_host("");
    crash(&now, "web", "/system.slice/web.service");
    tick(&now);
    assert_int_equal(h.webhooks, 1);
    /* Another one, of another kind, of a third service. */
    now.count = 0;
    add_event(&now, RULE_EVENT_OOM, "was killed", "db", "/system.slice/db.service");
    h.now_ns += NS_PER_SECOND;
    tick(&now);
    assert_int_equal(h.webhooks, 2);
    now.count = 0;
    crash(&now, "mail", "/system.slice/mail.service");
    h.now_ns += NS_PER_SECOND;
    tick(&now);
    assert_int_equal(h.webhooks, 3);
    /* The first becomes a loop. */
    for (unsigned i = 0; i < 2; i++) {
        now.count = 0;
        crash(&now, "web", "/system.slice/web.service");
        h.now_ns += NS_PER_SECOND;
        tick(&now);
    }
    assert_int_equal(h.webhooks, 4);
}

struct storm {
    double seconds;
    bool in_turn;   /* one program after the other, else all of them mixed */
    bool one_group; /* all in one cgroup, else a service each */
};

static void happen(struct happening *now, const struct storm *storm, unsigned number,
                   unsigned crashes[PROGRAMS])
{
    unsigned program = storm->in_turn ? number / (CRASHES / PROGRAMS) : number % PROGRAMS;
    char comm[16], cgroup[64];

    snprintf(comm, sizeof(comm), "p%u", program);
    if (storm->one_group)
        snprintf(cgroup, sizeof(cgroup), "/user.slice/user-65534.slice/session-%u.scope", program);
    else
        snprintf(cgroup, sizeof(cgroup), "/system.slice/%u.service", program);
    crash(now, comm, cgroup);
    if (++crashes[program] == 3)
        h.looped[program] = h.now_ns;
}

static void blow(const struct storm *storm)
{
    uint64_t began_ns = h.now_ns, end_ns;
    unsigned crashes[PROGRAMS] = {0}, number = 0;

    end_ns = began_ns + (uint64_t)((storm->seconds + SETTLED_SECONDS) * 1e9);
    while (h.now_ns < end_ns) {
        struct happening now = {0};
        double part = (double)(h.now_ns - began_ns) / 1e9 / storm->seconds;

        while (number < CRASHES && number <= part * CRASHES && now.count < 128)
            happen(&now, storm, number++, crashes);
        tick(&now);
        h.now_ns += number < CRASHES ? TICK_NS : NS_PER_SECOND;
    }
    assert_int_equal(number, CRASHES);
}

static void a_storm_is_ten_notifications(void **state)
{
    static const double lengths[] = {1, 3, 10, 20, 30, 45, 60, 90, 120};

    for (unsigned shape = 0; shape < 4 * sizeof(lengths) / sizeof(lengths[0]); shape++) {
        const struct storm storm = {lengths[shape / 4], shape & 1, shape & 2};

        open_host("");
        blow(&storm);
        if (h.webhooks > 10)
            fail_msg("%.0f s, %s, %s: %zu notifications", storm.seconds,
                     storm.in_turn ? "in turn" : "mixed",
                     storm.one_group ? "one user" : "a service each", h.webhooks);
        /* Every CRITICAL is told, and soon. */
        for (unsigned program = 0; program < PROGRAMS; program++)
            assert_true(h.told[program]);
        assert_in_range(h.late_ns, 0, 61 * NS_PER_SECOND);
        close_host(NULL);
    }
    open_host("");
}

/* What has nothing to do with the storm is told at once within it. */
static void a_storm_does_not_delay_what_is_critical(void **state)
{
    static const struct label_pair disk[] = {{"check", "disk"}, {"subject", "/"}};
    const struct storm storm = {20, false, false};
    unsigned crashes[PROGRAMS] = {0};
    struct alert_condition condition = {RULE_STATUS, disk, 2, STATUS_UNHEALTHY, 98, "disk is full"};
    struct alert_input input = {.conditions = &condition, .condition_count = 1};

    open_host("");
    for (unsigned i = 0; i < 500; i++) {
        struct happening now = {0};

        happen(&now, &storm, i, crashes);
        tick(&now);
        h.now_ns += TICK_NS;
    }
    input.monotonic_ns = h.now_ns;
    input.realtime_ns = 1767225600ULL * NS_PER_SECOND + h.now_ns;
    alert_manager_tick(h.manager, &input);
    assert_int_equal(h.last_ns, h.now_ns);
    assert_string_equal(h.last, "disk is full");
}

static void the_log_never_waits(void **state)
{
    struct happening now = {0};

    open_host(",{\"name\":\"log\",\"type\":\"log\"}");
    for (unsigned i = 0; i < PROGRAMS; i++) {
        char comm[16];

        snprintf(comm, sizeof(comm), "p%u", i);
        crash(&now, comm, "/system.slice/x.service");
    }
    tick(&now);
    assert_int_equal(h.logged, PROGRAMS);
    assert_in_range(h.webhooks, 1, 4);
    /* And hears once that it is over. */
    for (unsigned second = 0; second < 310; second++) {
        h.now_ns += NS_PER_SECOND;
        tick(NULL);
    }
    assert_int_equal(h.logged, 2 * PROGRAMS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, close_host)
    const struct CMUnitTest tests[] = {
        TEST(what_is_quiet_is_told_in_its_tick),
        TEST(a_storm_is_ten_notifications),
        TEST(a_storm_does_not_delay_what_is_critical),
        TEST(the_log_never_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
