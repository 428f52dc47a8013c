/* A host with one webhook and nothing else configured, on a virtual clock, and storms of crashes.
 */
#ifndef TEST_PACE_FIXTURE_H
#define TEST_PACE_FIXTURE_H

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
    uint64_t at_ns[1024];          /* each webhook */
    uint64_t last_ns;              /* when the webhook was told last */
    struct text log;               /* of the webhook's: when, what, how many */
    size_t uncounted;              /* alerts that it was told the number of only */
    bool listed[PROGRAMS];         /* its crash was */
    bool told[PROGRAMS];           /* of its crash loop */
    uint64_t late_ns;              /* the longest that a crash loop was told later than it fired */
    uint64_t looped[PROGRAMS];     /* when it was the third crash */
    uint64_t crashed[PROGRAMS][2]; /* the last two */
    uint64_t disk_ns, oom_ns;      /* when it was told of these last */
    char last[256];
    void (*after_tick)(void); /* in a storm; may be NULL */
};

static struct host h;

static inline void count(void *ctx, const struct notification *n)
{
    struct host *host = ctx;

    if (n->channel->type == CHANNEL_LOG) {
        host->logged += n->count;
        return;
    }
    text_printf(&host->log, "%.1f %s %zu+%zu\n", (double)host->now_ns / 1e9,
                notice_kind_text(n->kind), n->count, n->omitted);
    host->uncounted += n->omitted + n->held_back;
    if (host->webhooks < sizeof(host->at_ns) / sizeof(host->at_ns[0]))
        host->at_ns[host->webhooks] = host->now_ns;
    host->webhooks++;
    host->last_ns = host->now_ns;
    snprintf(host->last, sizeof(host->last), "%s", n->count ? n->alerts[0].summary : "");
    for (size_t i = 0; i < n->count; i++) {
        const char *comm = labels_get(n->alerts[i].labels, "comm");
        unsigned program = (unsigned)strtoul(comm[0] == 'p' ? comm + 1 : comm, NULL, 10);

        if (strcmp(labels_get(n->alerts[i].labels, "alertname"), "HostDisk") == 0)
            host->disk_ns = host->now_ns;
        if (strcmp(labels_get(n->alerts[i].labels, "alertname"), "OomKill") == 0)
            host->oom_ns = host->now_ns;
        if (n->alerts[i].state != ALERT_FIRING || program >= PROGRAMS)
            continue;
        host->listed[program] |=
            strcmp(labels_get(n->alerts[i].labels, "alertname"), "ProcessCrash") == 0;
        if (strcmp(labels_get(n->alerts[i].labels, "alertname"), "CrashLoop") != 0 ||
            host->told[program])
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

static inline void open_host(const char *more)
{
    const struct alert_ops ops = {.notify = count, .ctx = &h};
    struct config_errors errors = {0};
    char text[1024];

    snprintf(text, sizeof(text),
             "{\"alert_manager\":{\"rules\":[" LOOP "],\"channels\":[{\"name\":\"hook\","
             "\"type\":\"webhook\",\"url\":\"http://h/\"}%s]}}",
             more);
    memset(&h, 0, sizeof(h));
    text_init(&h.log, 1 << 20);
    h.config = load_valid(text, NULL);
    h.now_ns = 1000 * NS_PER_SECOND;
    assert_int_equal(alert_manager_create(&h.manager, h.config, &ops, &errors), 0);
}

static inline int close_host(void **state)
{
    alert_manager_destroy(h.manager);
    config_destroy(h.config);
    text_free(&h.log);
    return 0;
}

struct happening {
    struct alert_event events[128];
    struct label labels[128][2];
    char names[128][16], cgroups[128][64];
    size_t count;
};

/* Each metric is there, so that nothing is unknown. */
static inline void tick(const struct happening *happening)
{
    const struct sample samples[] = {
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

static inline void add_event(struct happening *now, enum rule_event event, const char *reason,
                             const char *comm, const char *cgroup)
{
    size_t i = now->count++;

    assert_true(i < 128);
    snprintf(now->names[i], sizeof(now->names[i]), "%s", comm);
    snprintf(now->cgroups[i], sizeof(now->cgroups[i]), "%s", cgroup);
    now->labels[i][0] = (struct label){"comm", now->names[i]};
    now->labels[i][1] = (struct label){"cgroup", now->cgroups[i]};
    now->events[i] = (struct alert_event){event, now->labels[i], 2, NAN, reason};
}

static inline void crash(struct happening *now, const char *comm, const char *cgroup)
{
    add_event(now, RULE_EVENT_CRASH, "crashed", comm, cgroup);
}

struct storm {
    double seconds;
    unsigned crashes;
    bool in_turn;   /* one program after the other, else all of them mixed */
    bool one_group; /* all in one cgroup, else a service each */
};

static inline void happen(struct happening *now, const struct storm *storm, unsigned number,
                          unsigned crashes[PROGRAMS])
{
    unsigned program =
        storm->in_turn ? number / (storm->crashes / PROGRAMS) % PROGRAMS : number % PROGRAMS;
    char comm[16], cgroup[64];

    snprintf(comm, sizeof(comm), "p%u", program);
    if (storm->one_group)
        snprintf(cgroup, sizeof(cgroup), "/user.slice/user-65534.slice/session-%u.scope", program);
    else
        snprintf(cgroup, sizeof(cgroup), "/system.slice/%u.service", program);
    crash(now, comm, cgroup);
    if (++crashes[program] > 2 && !h.looped[program] &&
        h.now_ns - h.crashed[program][crashes[program] % 2] < 300 * NS_PER_SECOND)
        h.looped[program] = h.now_ns;
    h.crashed[program][crashes[program] % 2] = h.now_ns;
}

/* Up to that second of it. `number` and `crashes` are how far it is. */
static inline void blow_until(const struct storm *storm, double second, unsigned *number,
                              unsigned crashes[PROGRAMS], uint64_t began_ns)
{
    while ((double)(h.now_ns - began_ns) / 1e9 < second) {
        struct happening now = {0};
        double part = (double)(h.now_ns - began_ns) / 1e9 / storm->seconds;

        while (*number < storm->crashes && *number <= part * storm->crashes && now.count < 128)
            happen(&now, storm, (*number)++, crashes);
        tick(&now);
        if (h.after_tick)
            h.after_tick();
        h.now_ns += *number < storm->crashes ? TICK_NS : NS_PER_SECOND;
    }
}

static inline void blow(const struct storm *storm)
{
    unsigned crashes[PROGRAMS] = {0}, number = 0;

    blow_until(storm, storm->seconds + SETTLED_SECONDS, &number, crashes, h.now_ns);
    assert_int_equal(number, storm->crashes);
}

#endif
