#include "agent/agent_alerts.h"
#include "alert/matcher.h"
#include "alert/state_keeper.h"
#include "facts/alert_source.h"
#include "facts/metric_samples.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTBOX_NAME "outbox.sqlite"
#define HOST_NAME_BYTES 256

struct agent_alerts {
    struct facts *facts;
    struct loop *loop;
    const char *state_directory;
    struct alert_manager *manager;
    struct alert_source *source;
    struct metric_samples *samples; /* NULL: no rule wanted more than the source has, ever */
    bool wants_samples, ticked, undecided_said;
    struct notify *notify;
    struct alert_keeper *state;
    /* The log up to the mark may be written once this revision is on the disk. */
    bool log_waits;
    uint64_t log_mark, log_revision;
};

static void on_notification(void *ctx, const struct notification *notification)
{
    const struct agent_alerts *a = ctx;

    log_hold(a->facts->log);
    notify_send(a->notify, notification);
}

static bool on_waits(void *ctx, const struct config_channel *channel, uint64_t told_realtime_ns)
{
    const struct agent_alerts *a = ctx;

    return a->notify && notify_waits(a->notify, channel, told_realtime_ns);
}

/* Samples of the page cost a walk over it, which nobody pays for whose rules need none. */
static void find_wants(struct agent_alerts *a)
{
    a->wants_samples = alert_manager_wants_more(a->manager, alert_source_has);
    if (a->wants_samples && !a->samples && metric_samples_create(&a->samples, a->facts->host) < 0)
        a->wants_samples = false;
}

static void on_noted(void *ctx, const char *note, size_t bytes)
{
    const struct agent_alerts *a = ctx;

    if (a->state)
        alert_keeper_recall(a->state, note, bytes);
}

static int create_notify(struct agent_alerts *a, const struct config *config)
{
    char path[PATH_MAX], host[HOST_NAME_BYTES] = "";
    const struct notify_config notify = {
        .config = config, .outbox_path = path, .host = host, .noted = on_noted, .ctx = a};

    gethostname(host, sizeof(host) - 1);
    if (snprintf(path, sizeof(path), "%s/" OUTBOX_NAME, a->state_directory) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    return notify_create(&a->notify, &notify, a->loop, a->facts->clock, a->facts->log);
}

static void release_log(struct agent_alerts *a)
{
    if (!a->log_waits || !a->state || alert_keeper_kept(a->state) < a->log_revision)
        return;
    log_release(a->facts->log, a->log_mark);
    a->log_waits = false;
}

static void on_saved(void *ctx, uint64_t note)
{
    struct agent_alerts *a = ctx;

    if (a->notify)
        notify_forget_notes(a->notify, note);
    release_log(a);
}

/* What the log tells until now was judged. One mark at a time: of a newer one the revision might
 * never be caught up with. */
static void mark_log(struct agent_alerts *a)
{
    release_log(a);
    if (a->log_waits)
        return;
    a->log_mark = log_mark(a->facts->log);
    a->log_revision = alert_manager_revision(a->manager);
    a->log_waits = true;
    release_log(a);
}

static int create_state(struct agent_alerts *a)
{
    const struct alert_keeper_sources sources = {
        .log = a->facts->log,
        .loop = a->loop,
        .clock = a->facts->clock,
        .host = a->facts->host,
        .directory = a->state_directory,
        .outbox = notify_outbox(a->notify),
        .manager = a->manager,
        .saved = on_saved,
        .ctx = a,
    };

    return alert_keeper_create(&a->state, &sources);
}

int agent_alerts_create(struct agent_alerts **ret, struct facts *facts, struct loop *loop,
                        const char *state_directory, const struct config *config)
{
    struct agent_alerts *a = calloc(1, sizeof(*a));
    const struct alert_ops ops = {.notify = on_notification, .waits = on_waits, .ctx = a};
    struct config_errors errors = {0};
    int r;

    if (!a)
        return -ENOMEM;
    a->facts = facts;
    a->loop = loop;
    a->state_directory = state_directory;
    r = alert_source_create(&a->source);
    if (r == 0)
        r = alert_manager_create(&a->manager, config, &ops, &errors);
    if (r == 0)
        r = create_notify(a, config);
    if (r == 0)
        r = create_state(a);
    if (r < 0) {
        agent_alerts_destroy(a);
        return r;
    }
    notify_recover(a->notify);
    find_wants(a);
    facts->alerts = a->manager;
    facts->alert_state = alert_keeper_file(a->state);
    facts->notify = a->notify;
    *ret = a;
    return 0;
}

/* The state gets to the outbox behind what was said, and needs it. An agent that could not start
 * has nothing to save, and another may be running. */
void agent_alerts_destroy(struct agent_alerts *a)
{
    if (!a)
        return;
    a->facts->alerts = NULL;
    a->facts->alert_state = NULL;
    a->facts->notify = NULL;
    alert_keeper_destroy(a->state, a->ticked);
    notify_destroy(a->notify);
    alert_manager_destroy(a->manager);
    alert_source_destroy(a->source);
    metric_samples_destroy(a->samples);
    free(a);
}

int agent_alerts_stage(struct agent_alerts *a, const struct config *config,
                       char error[RELOAD_ERROR_BYTES])
{
    struct config_errors errors = {0};
    int r = alert_manager_stage(a->manager, config, &errors);

    if (r < 0 && errors.count > 0)
        snprintf(error, RELOAD_ERROR_BYTES, "%s: %s", errors.list[0].pointer,
                 errors.list[0].message);
    return r < 0 ? r : notify_stage(a->notify, config);
}

void agent_alerts_unstage(struct agent_alerts *a)
{
    alert_manager_unstage(a->manager);
    notify_unstage(a->notify);
}

void agent_alerts_commit(struct agent_alerts *a)
{
    alert_manager_commit(a->manager);
    notify_commit(a->notify);
}

void agent_alerts_tell(struct agent_alerts *a)
{
    notify_tell(a->notify);
    find_wants(a);
    alert_manager_note_change(a->manager, "the configuration was reloaded");
}

static bool wants(void *ctx, const char *metric)
{
    const struct agent_alerts *a = ctx;

    return !alert_source_has(metric) && alert_manager_wants(a->manager, metric);
}

/* What hides took these for no match, what tells for a match: somebody may wonder about both. */
static void tick(struct agent_alerts *a, const struct alert_input *input)
{
    uint64_t before = matchers_undecided_total();

    alert_manager_tick(a->manager, input);
    if (matchers_undecided_total() > before && !a->undecided_said)
        LOG_WARNING(a->facts->log, "alert_manager",
                    "A regular expression of a rule, route, silence or mute window takes too long "
                    "over a value: nothing is kept from being told by it",
                    LOG_U64("values", matchers_undecided_total() - before));
    a->undecided_said = matchers_undecided_total() > before;
}

/* What was told is on the disk before it is sent. */
static void tell(struct agent_alerts *a, const struct alert_input *input)
{
    uint64_t number;
    char *note;

    notify_begin(a->notify);
    tick(a, input);
    note = notify_has_said(a->notify) ? alert_keeper_note(a->state, &number) : NULL;
    if (note)
        notify_note(a->notify, number, note, strlen(note));
    notify_end(a->notify);
    free(note);
}

/* Out of memory: the next tick tries again. */
static void judge(struct agent_alerts *a)
{
    const struct sample *samples = NULL;
    size_t sample_count = 0;
    struct alert_input input;

    if (a->wants_samples &&
        metric_samples_take(a->samples, a->facts, wants, a, &samples, &sample_count) < 0)
        return;
    if (alert_source_fill(a->source, a->facts, samples, sample_count, &input) == 0)
        tell(a, &input);
}

void agent_alerts_judge(struct agent_alerts *a)
{
    judge(a);
    a->ticked = true;
    mark_log(a);
}

void agent_alerts_tick(struct agent_alerts *a)
{
    agent_alerts_judge(a);
    notify_tick(a->notify, a->manager, clock_monotonic_ns(a->facts->clock));
    alert_keeper_changed(a->state);
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

void agent_alerts_changed(struct agent_alerts *a)
{
    alert_keeper_changed(a->state);
}
