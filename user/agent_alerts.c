#include "agent_alerts.h"
#include "alert/source.h"
#include "alert/state_file.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "http/metric_samples.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ages of what only goes on, a firing alert for one, are no change; after a kill they are no older
 * than this. */
#define SAVE_ANYWAY_NS (60 * NS_PER_SECOND)
/* A change is on its way to the disk within a tick, unless the state is so large that making a
 * document of it takes more than this part of the loop's time. */
#define SAVE_SHARE 50
/* A failed write is tried again, and said once. */
#define SAVE_RETRY_NS (10 * NS_PER_SECOND)
#define BOOT_ID_BYTES 64

struct agent_alerts {
    struct agent_alerts_sources sources;
    struct alert_manager *manager;
    struct alert_source *source;
    struct metric_samples *samples; /* NULL: no rule wanted more than the source has, ever */
    bool wants_samples, ticked;
    struct state_file *file;
    uint64_t started_realtime_ns;
    char boot_id[BOOT_ID_BYTES]; /* "": not known */
    uint64_t saved_revision, attempted_revision;
    uint64_t next_save_ns, save_anyway_ns;
    uint64_t failures; /* of writes, that were looked after */
    bool failing;      /* and said */
};

static void on_notification(void *ctx, const struct notification *notification)
{
    (void)ctx;
    (void)notification;
}

static void read_boot_id(struct agent_alerts *a)
{
    CLEANUP_FREE char *text = NULL;
    size_t len;

    if (file_read_all(a->sources.host->proc, "sys/kernel/random/boot_id", BOOT_ID_BYTES - 1, &text,
                      &len) < 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    snprintf(a->boot_id, sizeof(a->boot_id), "%s", text);
}

static const char *boot_id(const struct agent_alerts *a)
{
    return *a->boot_id ? a->boot_id : NULL;
}

static void move_aside(struct agent_alerts *a, const char *why)
{
    int r = state_file_move_aside(a->file);

    LOG_ERROR(a->sources.log, "alert_manager",
              r < 0 ? "The saved alerts are damaged and cannot be moved aside"
                    : "The saved alerts are damaged; moved aside, beginning anew",
              LOG_STRING("path", state_file_path(a->file)), LOG_STRING("reason", why),
              LOG_STRING("moved_to", r < 0 ? NULL : "alerts.json.damaged"));
}

static void load_state(struct agent_alerts *a)
{
    const struct clock *clock = a->sources.clock;
    cJSON *json = NULL;
    int r = state_file_read(a->file, &json);

    if (r == 0)
        r = alert_manager_import(a->manager, json, boot_id(a), clock_monotonic_ns(clock),
                                 clock_realtime_ns(clock));
    cJSON_Delete(json);
    if (r == -EBADMSG || r == -EINVAL)
        move_aside(a, r == -EBADMSG ? "it is no JSON document" : "it is of another version");
    else if (r < 0 && r != -ENOENT)
        LOG_ERROR(a->sources.log, "alert_manager", "The saved alerts cannot be read",
                  LOG_STRING("path", state_file_path(a->file)), LOG_STRING("error", strerror(-r)));
    else if (r == 0)
        LOG_INFO(a->sources.log, "alert_manager", "Alerts go on where they were",
                 LOG_U64("alerts", alert_manager_count(a->manager)),
                 LOG_U64("silences", alert_manager_silence_count(a->manager)));
}

/* Samples of the page cost a walk over it, which nobody pays for whose rules need none. */
static void find_wants(struct agent_alerts *a)
{
    a->wants_samples = alert_manager_wants_more(a->manager, alert_source_has);
    if (a->wants_samples && !a->samples && metric_samples_create(&a->samples, a->sources.host) < 0)
        a->wants_samples = false;
}

int agent_alerts_create(struct agent_alerts **ret, const struct agent_alerts_sources *sources,
                        const struct config *config)
{
    struct agent_alerts *a = calloc(1, sizeof(*a));
    const struct alert_ops ops = {on_notification, a};
    struct config_errors errors = {0};
    int r;

    if (!a)
        return -ENOMEM;
    a->sources = *sources;
    a->started_realtime_ns = clock_realtime_ns(sources->clock);
    r = state_file_create(&a->file, sources->state_directory);
    if (r == 0)
        r = alert_source_create(&a->source);
    if (r == 0)
        r = alert_manager_create(&a->manager, config, &ops, &errors);
    if (r < 0) {
        alert_source_destroy(a->source);
        state_file_destroy(a->file);
        free(a);
        return r;
    }
    read_boot_id(a);
    load_state(a);
    a->saved_revision = alert_manager_revision(a->manager);
    find_wants(a);
    *ret = a;
    return 0;
}

static void save(struct agent_alerts *a, uint64_t now_ns)
{
    uint64_t took_ns;

    a->attempted_revision = alert_manager_revision(a->manager);
    if (state_file_write(a->file, alert_manager_export(a->manager, boot_id(a))) < 0) {
        a->next_save_ns = now_ns + SAVE_RETRY_NS;
        return;
    }
    took_ns = clock_monotonic_ns(a->sources.clock) - now_ns;
    a->saved_revision = a->attempted_revision;
    a->next_save_ns = now_ns + SAVE_SHARE * took_ns;
    a->save_anyway_ns = now_ns + SAVE_ANYWAY_NS;
}

/* What failed is to be written again; said once until it works again. */
static void look_after_writes(struct agent_alerts *a, uint64_t now_ns)
{
    struct state_file_view view;

    state_file_view(a->file, &view);
    if (view.failures_total == a->failures) {
        a->failing = a->failing && view.error;
        return;
    }
    if (!a->failing)
        LOG_ERROR(a->sources.log, "alert_manager", "The alerts cannot be saved",
                  LOG_STRING("error", view.error));
    a->failing = true;
    a->failures = view.failures_total;
    a->saved_revision = a->attempted_revision - 1;
    a->next_save_ns = now_ns + SAVE_RETRY_NS;
}

static void save_when_due(struct agent_alerts *a)
{
    uint64_t now_ns = clock_monotonic_ns(a->sources.clock);
    bool changed;

    if (state_file_busy(a->file))
        return;
    look_after_writes(a, now_ns);
    changed = alert_manager_revision(a->manager) != a->saved_revision;
    if ((changed && now_ns >= a->next_save_ns) ||
        (alert_manager_count(a->manager) > 0 && now_ns >= a->save_anyway_ns &&
         now_ns >= a->next_save_ns))
        save(a, now_ns);
}

void agent_alerts_destroy(struct agent_alerts *a)
{
    if (!a)
        return;
    state_file_wait(a->file);
    /* An agent that could not start has nothing to say, and another may be running. */
    if (a->ticked && (alert_manager_count(a->manager) > 0 ||
                      alert_manager_revision(a->manager) != a->saved_revision))
        save(a, clock_monotonic_ns(a->sources.clock));
    state_file_wait(a->file);
    look_after_writes(a, 0);
    alert_manager_destroy(a->manager);
    alert_source_destroy(a->source);
    metric_samples_destroy(a->samples);
    state_file_destroy(a->file);
    free(a);
}

int agent_alerts_configure(struct agent_alerts *a, const struct config *config)
{
    struct config_errors errors = {0};
    int r = alert_manager_configure(a->manager, config, &errors);

    if (r < 0) {
        LOG_ERROR(a->sources.log, "alert_manager", "The alerts keep their old configuration",
                  LOG_STRING("error", errors.count > 0 ? errors.list[0].message : strerror(-r)));
        return r;
    }
    find_wants(a);
    alert_manager_note_change(a->manager, "the configuration was reloaded");
    return 0;
}

static bool wants(void *ctx, const char *metric)
{
    const struct agent_alerts *a = ctx;

    return !alert_source_has(metric) && alert_manager_wants(a->manager, metric);
}

/* Out of memory: the next tick tries again. */
static void judge(struct agent_alerts *a, const struct metrics_sources *facts)
{
    struct alert_facts alert_facts = {
        .snapshot = facts->snapshot,
        .health = facts->health,
        .probe = facts->probe,
        .loop = facts->loop,
        .services = facts->services,
    };
    struct alert_input input;

    if (a->wants_samples && metric_samples_take(a->samples, facts, wants, a, &alert_facts.samples,
                                                &alert_facts.sample_count) < 0)
        return;
    if (alert_source_fill(a->source, &alert_facts, &input) == 0)
        alert_manager_tick(a->manager, &input);
}

void agent_alerts_tick(struct agent_alerts *a, const struct server *server)
{
    const struct agent_alerts_sources *s = &a->sources;
    struct loop_view loop;
    struct server_view server_figures;
    const struct metrics_sources facts = {
        .clock = s->clock,
        .snapshot = collectors_snapshot(s->collectors),
        .health = s->health,
        .services = s->services,
        .alerts = a->manager,
        .alert_state = a->file,
        .probe = s->probe,
        .collectors = s->collectors,
        .loop = &loop,
        .server = &server_figures,
        .started_realtime_ns = a->started_realtime_ns,
    };

    loop_view(s->loop, &loop);
    server_view(server, &server_figures);
    judge(a, &facts);
    a->ticked = true;
    save_when_due(a);
}

void agent_alerts_breaker(struct agent_alerts *a, const char *upstream,
                          const struct breaker_transition *t)
{
    char change[128];

    snprintf(change, sizeof(change), "breaker %.60s went from %s to %s", upstream,
             breaker_state_name(t->from), breaker_state_name(t->to));
    alert_manager_note_change(a->manager, change);
    alert_source_note_breaker(a->source, upstream, t);
}

struct alert_manager *agent_alerts_manager(struct agent_alerts *a)
{
    return a->manager;
}

const struct state_file *agent_alerts_state(const struct agent_alerts *a)
{
    return a->file;
}
