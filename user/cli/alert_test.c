/* moonwatch alert test: what the rules would have said over a recording. */
#include "cli/alert_test.h"
#include "alert/alert.h"
#include "alert/recording.h"
#include "base/array.h"
#include "base/clock.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "facts/alert_check.h"
#include "health/health.h"
#include "model/metric.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* As in the agent, timers run every second; behind a gap of the recording nothing is known. */
#define TICK_NS NS_PER_SECOND
#define HELD_NS (300 * NS_PER_SECOND)
/* As for one who fetches it from another host. */
#define INPUT_WAIT_MS 30000

struct seen {
    char id[ALERT_ID_BYTES];
    enum alert_state state;
    enum suppression suppressed;
    uint64_t starts_realtime_ns;
};

struct timeline {
    struct alert_manager *manager;
    uint64_t now_ns;
    size_t seen_count, seen_capacity;
    struct seen *seen;
};

static const char *const severity_words[] = {"INFO", "WARNING", "ERROR", "CRITICAL"};

static void print_time(uint64_t realtime_ns)
{
    char text[CLOCK_RFC3339_BYTES];

    clock_format_rfc3339(realtime_ns, text);
    printf("%.19sZ", text);
}

static void print_labels(const struct labels *labels, bool with_name)
{
    const char *before = "{";

    if (with_name)
        fputs(labels_get(labels, "alertname"), stdout);
    for (size_t i = 0; i < labels_count(labels); i++) {
        struct label pair = labels_at(labels, i);

        if (with_name && strcmp(pair.name, "alertname") == 0)
            continue;
        printf("%s%s=\"%s\"", before, pair.name, pair.value);
        before = ",";
    }
    if (*before == ',')
        putchar('}');
}

static void on_notification(void *ctx, const struct notification *n)
{
    const struct timeline *timeline = ctx;

    (void)timeline;
    print_time(n->realtime_ns);
    printf("  notify    %-10s %s", notice_kind_text(n->kind), n->channel->name);
    if (n->kind == NOTICE_DIGEST) {
        printf(": %" PRIu64 " held back", n->held_back);
        for (size_t i = 0; i < n->row_count; i++)
            printf(", %" PRIu64 " %s", n->rows[i].count, n->rows[i].rule);
    } else {
        printf(": %zu alert%s in group ", n->count + n->omitted,
               n->count + n->omitted == 1 ? "" : "s");
        print_labels(n->group, false);
        if (labels_count(n->group) == 0)
            fputs("{}", stdout);
    }
    putchar('\n');
}

static struct seen *find_seen(struct timeline *timeline, const struct alert_view *view)
{
    struct seen *seen;

    for (size_t i = 0; i < timeline->seen_count; i++)
        if (strcmp(timeline->seen[i].id, view->id) == 0)
            return &timeline->seen[i];
    if (!ARRAY_GROW(timeline->seen, timeline->seen_capacity, timeline->seen_count + 1))
        return NULL;
    seen = &timeline->seen[timeline->seen_count++];
    *seen = (struct seen){.state = ALERT_STATE_COUNT};
    memcpy(seen->id, view->id, sizeof(seen->id));
    return seen;
}

/* What the configuration keeps from being told; what only comes later is none of it. */
static bool is_kept_back(enum suppression suppressed)
{
    const unsigned reasons = 1u << SUPPRESSED_UNROUTED | 1u << SUPPRESSED_OFF |
                             1u << SUPPRESSED_SILENCE | 1u << SUPPRESSED_MUTE |
                             1u << SUPPRESSED_INHIBIT | 1u << SUPPRESSED_COOLDOWN |
                             1u << SUPPRESSED_FLAPPING | 1u << SUPPRESSED_CHANNEL;

    return reasons >> suppressed & 1;
}

static void print_suppression(const struct timeline *timeline, struct seen *seen,
                              const struct alert_view *view)
{
    if (view->state == ALERT_FIRING && view->suppressed != seen->suppressed &&
        is_kept_back(view->suppressed)) {
        print_time(timeline->now_ns);
        printf("  not told  %-10s ", suppression_text(view->suppressed));
        print_labels(view->labels, true);
        putchar('\n');
    }
    seen->suppressed = view->suppressed;
}

static void print_change(void *ctx, const struct alert_view *view)
{
    struct timeline *timeline = ctx;
    struct seen *seen = find_seen(timeline, view);

    if (!seen)
        return;
    if (seen->state == view->state && seen->starts_realtime_ns == view->starts_realtime_ns) {
        print_suppression(timeline, seen, view);
        return;
    }
    /* What was pending after it had been resolved, and is not any more, is no news. */
    if (seen->state != ALERT_STATE_COUNT || view->state != ALERT_RESOLVED) {
        print_time(timeline->now_ns);
        printf("  %-9s %-10s ", alert_state_text(view->state), severity_words[view->severity]);
        print_labels(view->labels, true);
        if (view->state == ALERT_FIRING && *view->summary)
            printf(": %s", view->summary);
        putchar('\n');
    }
    seen->state = view->state;
    seen->starts_realtime_ns = view->starts_realtime_ns;
    print_suppression(timeline, seen, view);
}

static void tick(struct timeline *timeline, const struct alert_input *input)
{
    timeline->now_ns = input->realtime_ns;
    alert_manager_tick(timeline->manager, input);
    alert_manager_each(timeline->manager, print_change, timeline);
}

/* The values of a row hold until the next one; what happened does not happen again. */
static void run_between(struct timeline *timeline, struct alert_input row, uint64_t until_ns)
{
    uint64_t from_ns = row.monotonic_ns;

    row.event_count = 0;
    while (row.monotonic_ns + TICK_NS < until_ns) {
        row.monotonic_ns += TICK_NS;
        row.realtime_ns += TICK_NS;
        if (row.monotonic_ns - from_ns >= HELD_NS)
            row.sample_count = row.condition_count = 0;
        tick(timeline, &row);
    }
}

static int run(struct timeline *timeline, struct recording *recording, const char *file)
{
    char error[RECORDING_ERROR_BYTES] = "";
    struct alert_input row = {0}, previous = {0};
    uint64_t rows = 0;
    int r;

    while ((r = recording_next(recording, &row, error)) > 0) {
        if (rows++ > 0)
            run_between(timeline, previous, row.monotonic_ns);
        tick(timeline, &row);
        previous = row;
    }
    if (r < 0) {
        cli_error("%s: %s", file, *error ? error : strerror(-r));
        return r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
    }
    return EXIT_DONE;
}

static void print_summary(const struct timeline *timeline)
{
    struct alert_counters c;
    uint64_t sent = 0;

    alert_manager_counters(timeline->manager, &c);
    for (int kind = 0; kind < NOTICE_KIND_COUNT; kind++)
        sent += c.notifications[kind];
    printf("%" PRIu64 " fired, %" PRIu64 " resolved, %" PRIu64 " notifications, %" PRIu64
           " held back\n",
           c.fired, c.resolved, sent, c.held_back);
}

static int load(struct config **ret, const char *config_path, const char *rules_path)
{
    struct config_errors errors = {0};
    const char *file = config_path ? config_path : "built-in";
    struct config *config = NULL;
    int r = config_load(&config, config_path, config_path ? environ : NULL, &errors);

    if (r == 0 && rules_path) {
        r = config_add_rules(config, rules_path, &errors);
        file = r == 0 ? rules_path : NULL;
    }
    if (r == 0)
        r = facts_alert_check(config, &errors);
    cli_print_config_errors(file, &errors);
    if (r < 0) {
        config_destroy(config);
        return r;
    }
    *ret = config;
    return 0;
}

/* Other programs' metrics may be in a recording too. */
static void doubt_columns(const struct recording *recording, const char *file)
{
    char nearest[METRIC_NAME_BYTES];
    size_t cursor = 0;
    const char *name;

    while ((name = recording_unknown_metric(recording, &cursor))) {
        metric_nearest(name, nearest);
        cli_error("%s: warning: there is no metric \"%.120s\"%s%s", file, name,
                  *nearest ? ", the nearest is " : "", nearest);
    }
}

int cli_alert_test(const char *config_path, const char *rules_path, const char *input_path)
{
    char error[RECORDING_ERROR_BYTES];
    struct timeline timeline = {0};
    const struct alert_ops ops = {.notify = on_notification, .ctx = &timeline};
    struct recording *recording = NULL;
    struct config_errors errors = {0};
    struct config *config;
    int r;

    if (load(&config, config_path, rules_path) < 0)
        return EXIT_USAGE;
    r = recording_open(&recording, input_path, INPUT_WAIT_MS, health_check_name, error);
    if (r < 0) {
        cli_error("%s: %s%s", input_path, error,
                  r == -EINVAL ? "" : " (allowed: a readable CSV file)");
        config_destroy(config);
        return r == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
    }
    doubt_columns(recording, input_path);
    r = alert_manager_create(&timeline.manager, config, &ops, &errors);
    if (r == 0) {
        r = run(&timeline, recording, input_path);
        if (r == EXIT_DONE)
            print_summary(&timeline);
    } else {
        cli_error("%s", strerror(-r));
        r = EXIT_FAILED;
    }
    alert_manager_destroy(timeline.manager);
    recording_close(recording);
    config_destroy(config);
    free(timeline.seen);
    return r;
}
