/* An alert manager on a virtual clock, whose notifications become lines of text:
 *
 *   "90 firing ops +A +B/x -C\n"
 *
 * at second 90 channel "ops" gets a notification of the kind, with A firing, B of subject x firing
 * and C resolved. A "*" follows the kind when the limit is reached by it, "#2/3" is the part, and
 * "&5" the number left out.
 */
#ifndef TEST_ALERT_FIXTURE_H
#define TEST_ALERT_FIXTURE_H

#include "alert/alert.h"
#include "alert/rule.h"
#include "base/clock.h"
#include "config_text.h"
#include <math.h>
#include <stdlib.h>

#define INPUTS_MAX 64
#define WORLD_EPOCH 1767225600ULL /* 2026-01-01 00:00:00 UTC, a Thursday */

struct input_row {
    const char *name, *subject; /* of a metric, a check, an event; subject may be NULL */
    double value;
    enum status status;
    const char *reason;
    const char *cgroup; /* of an event; may be NULL */
};

struct world {
    struct config *config;
    struct alert_manager *manager;
    unsigned now;            /* seconds of monotonic time */
    int64_t realtime_offset; /* seconds to add to WORLD_EPOCH + now */
    unsigned booted;         /* the second at which the monotonic clock began */
    size_t metric_count, check_count, event_count;
    struct input_row metrics[INPUTS_MAX], checks[INPUTS_MAX], events[INPUTS_MAX];
    const char *upstream; /* a label of all metrics; may be NULL */
    bool receivers_fail;  /* all of them */
    bool no_rates_yet;
    struct text log;
    char summary[128], changed[512]; /* of the first alert of the last notification */
    uint64_t keys[256];              /* of all notifications, to see that they differ */
    size_t key_count;
};

static inline void world_log(void *ctx, const struct notification *n)
{
    struct world *world = ctx;
    struct text *log = &world->log;

    text_printf(log, "%u %s", world->now, notice_kind_text(n->kind));
    if (n->limit_reached)
        text_add_char(log, '*');
    text_printf(log, " %s", n->channel->name);
    if (n->parts > 1)
        text_printf(log, " #%u/%u", n->part, n->parts);
    for (size_t i = 0; i < n->count; i++) {
        const struct alert_view *a = &n->alerts[i];
        const char *subject = labels_get(a->labels, "subject");

        text_printf(log, " %c%s%s%s", a->state == ALERT_RESOLVED ? '-' : '+',
                    labels_get(a->labels, "alertname"), *subject ? "/" : "", subject);
        if (n->kind == NOTICE_ESCALATION)
            text_printf(log, "(%u,%d)", a->escalation_step, a->severity);
    }
    if (n->count) {
        snprintf(world->summary, sizeof(world->summary), "%s", n->alerts[0].summary);
        snprintf(world->changed, sizeof(world->changed), "%s", n->alerts[0].changed);
    }
    if (n->omitted)
        text_printf(log, " &%zu", n->omitted);
    for (size_t i = 0; i < n->row_count; i++)
        text_printf(log, " %s=%llu", n->rows[i].rule, (unsigned long long)n->rows[i].count);
    if (n->kind == NOTICE_DIGEST)
        text_printf(log, " of %llu", (unsigned long long)n->held_back);
    text_add_char(log, '\n');
    if (world->key_count < sizeof(world->keys) / sizeof(world->keys[0]))
        world->keys[world->key_count++] = strtoull(n->key + 3, NULL, 16);
}

static inline bool world_waits(void *ctx, const struct config_channel *channel,
                               uint64_t told_realtime_ns)
{
    const struct world *world = ctx;

    (void)channel;
    return world->receivers_fail && told_realtime_ns <= (WORLD_EPOCH + world->now) * NS_PER_SECOND;
}

static inline void world_open(struct world *world, const char *text)
{
    const struct alert_ops ops = {.notify = world_log, .waits = world_waits, .ctx = world};
    struct config_errors errors = {0};

    memset(world, 0, sizeof(*world));
    text_init(&world->log, 1 << 20);
    world->config = load_valid(text, NULL);
    world->now = 1000;
    if (alert_manager_create(&world->manager, world->config, &ops, &errors) < 0)
        fail_msg("%s: %s", errors.list[0].pointer, errors.list[0].message);
}

static inline void world_close(struct world *world)
{
    alert_manager_destroy(world->manager);
    config_destroy(world->config);
    text_free(&world->log);
}

static inline struct input_row *world_row(struct input_row *rows, size_t *count, const char *name,
                                          const char *subject)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(rows[i].name, name) == 0 && rows[i].subject == subject)
            return &rows[i];
    assert_true(*count < INPUTS_MAX);
    rows[*count] = (struct input_row){.name = name, .subject = subject, .value = NAN};
    return &rows[(*count)++];
}

/* The series is there with this value from now on. `subject` is compared as a pointer. */
static inline void set_metric(struct world *w, const char *name, const char *subject, double value)
{
    world_row(w->metrics, &w->metric_count, name, subject)->value = value;
}

static inline void set_check(struct world *w, const char *name, const char *subject,
                             enum status status, const char *reason)
{
    struct input_row *row = world_row(w->checks, &w->check_count, name, subject);

    row->status = status;
    row->reason = reason;
}

static inline void drop_inputs(struct world *w)
{
    w->metric_count = w->check_count = 0;
}

/* In the next tick. */
static inline void add_event(struct world *w, const char *name, const char *subject,
                             const char *reason)
{
    assert_true(w->event_count < INPUTS_MAX);
    w->events[w->event_count++] =
        (struct input_row){.name = name, .subject = subject, .value = NAN, .reason = reason};
}

static inline void world_explain(void *ctx, const struct labels *alert, struct text *out)
{
    text_printf(out, "behind %s", labels_get(alert, "alertname"));
}

static inline enum rule_event event_of(const char *name)
{
    for (int e = 0; e < RULE_EVENT_COUNT; e++)
        if (strcmp(rule_event_text((enum rule_event)e), name) == 0)
            return (enum rule_event)e;
    fail_msg("no event %s", name);
    return RULE_EVENT_CRASH;
}

/* One tick at the current second. */
static inline void world_tick(struct world *w)
{
    struct sample samples[INPUTS_MAX];
    struct alert_condition conditions[INPUTS_MAX];
    struct alert_event events[INPUTS_MAX];
    struct label labels[3][INPUTS_MAX][2];
    struct alert_input input = {
        .monotonic_ns = (w->now - w->booted) * NS_PER_SECOND,
        .realtime_ns =
            (uint64_t)((int64_t)(WORLD_EPOCH + w->now) + w->realtime_offset) * NS_PER_SECOND,
        .samples = samples,
        .sample_count = w->metric_count,
        .conditions = conditions,
        .condition_count = w->check_count,
        .events = events,
        .event_count = w->event_count,
        .no_rates_yet = w->no_rates_yet,
        .explain = world_explain,
    };

    for (size_t i = 0; i < w->metric_count; i++) {
        labels[0][i][0] = (struct label){"subject", w->metrics[i].subject};
        labels[0][i][1] = (struct label){"upstream", w->upstream};
        samples[i] = (struct sample){w->metrics[i].name, labels[0][i], 2, w->metrics[i].value};
    }
    for (size_t i = 0; i < w->check_count; i++) {
        labels[1][i][0] = (struct label){"check", w->checks[i].name};
        labels[1][i][1] = (struct label){"subject", w->checks[i].subject};
        conditions[i] = (struct alert_condition){
            RULE_STATUS, labels[1][i], 2, w->checks[i].status, NAN, w->checks[i].reason};
    }
    for (size_t i = 0; i < w->event_count; i++) {
        labels[2][i][0] = (struct label){"subject", w->events[i].subject};
        labels[2][i][1] = (struct label){"cgroup", w->events[i].cgroup};
        events[i] = (struct alert_event){event_of(w->events[i].name), labels[2][i], 2, NAN,
                                         w->events[i].reason};
    }
    alert_manager_tick(w->manager, &input);
    w->event_count = 0;
}

/* Ticks every second up to and including `second`. */
static inline void run_until(struct world *w, unsigned second)
{
    assert_true(second > w->now);
    while (w->now < second) {
        w->now++;
        world_tick(w);
    }
}

/* What was sent since the last call. */
static inline void expect_log(struct world *w, const char *expected)
{
    if (strcmp(w->log.data ? w->log.data : "", expected) != 0)
        fail_msg("sent:\n%sexpected:\n%s", w->log.data ? w->log.data : "", expected);
    text_reset(&w->log);
}

struct world_found {
    const char *name, *subject;
    struct alert_view view;
    size_t count;
};

static inline void world_match(void *ctx, const struct alert_view *view)
{
    struct world_found *found = ctx;

    if (strcmp(labels_get(view->labels, "alertname"), found->name) != 0 ||
        strcmp(labels_get(view->labels, "subject"), found->subject) != 0)
        return;
    found->view = *view;
    found->count++;
}

/* False when there is no such alert. The subject may be "". */
static inline bool find_view(const struct world *w, const char *name, const char *subject,
                             struct alert_view *ret)
{
    struct world_found found = {.name = name, .subject = subject};

    alert_manager_each(w->manager, world_match, &found);
    assert_true(found.count <= 1);
    *ret = found.view;
    return found.count == 1;
}

/* Built-in rules that would be in the way. */
#define NO_BUILT_IN                                                                                \
    "{\"name\":\"CpuUnknown\",\"kind\":\"absent\",\"metric\":\"x\",\"enabled\":false},"            \
    "{\"name\":\"MemoryUnknown\",\"kind\":\"absent\",\"metric\":\"x\",\"enabled\":false},"         \
    "{\"name\":\"CrashLoop\",\"kind\":\"event\",\"event\":\"crash\",\"enabled\":false},"           \
    "{\"name\":\"ProcessCrash\",\"kind\":\"event\",\"event\":\"crash\",\"enabled\":false}"

#define AT_ONCE                                                                                    \
    "\"channels\":[{\"name\":\"ops\",\"type\":\"webhook\",\"url\":\"http://h/\"}],"                \
    "\"routes\":[{\"channels\":[\"ops\"],\"group_by\":[\"alertname\",\"subject\"],"                \
    "\"group_wait\":0,\"group_interval\":1}],"

#endif
