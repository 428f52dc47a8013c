#include "agent/agent_log.h"
#include "base/text.h"
#include <stdio.h>
#include <string.h>

/* NULL, which is shown as null, when there is none. */
static const char *unit_in(const char *cgroup, char buffer[CGROUP_PATH_BYTES])
{
    size_t bytes;
    const char *unit = unit_of(cgroup, &bytes);

    snprintf(buffer, CGROUP_PATH_BYTES, "%.*s", (int)bytes, unit);
    return bytes ? buffer : NULL;
}

void agent_log_exit(struct log *log, const struct record_exit *record, const char *cgroup)
{
    bool crashed = exit_kind_of(record) == ENDED_CRASHED;
    char unit[CGROUP_PATH_BYTES];

    LOG_AT(log, crashed ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "health_monitor",
           crashed ? "Process crashed" : "Service failed", LOG_STRING("comm", record->comm),
           LOG_U64("pid", record->pid),
           LOG_STRING("unit", unit_in(*cgroup ? cgroup : record->cgroup_name, unit)),
           LOG_STRING("cgroup", *cgroup ? cgroup : NULL),
           LOG_STRING("signal", record->signal ? strsignal((int)record->signal) : NULL),
           LOG_U64("exit_status", record->status),
           LOG_DOUBLE("age_seconds", (double)record->age_ns / NS_PER_SECOND));
}

void agent_log_oom(struct log *log, const struct record_oom *record, const char *cgroup)
{
    char unit[CGROUP_PATH_BYTES];

    LOG_CRITICAL(log, "health_monitor", "Out of memory: process killed",
                 LOG_STRING("comm", record->comm), LOG_U64("pid", record->pid),
                 LOG_STRING("unit", unit_in(cgroup, unit)),
                 LOG_STRING("cgroup", *cgroup ? cgroup : NULL),
                 LOG_STRING("scope", record->limit_cgroup_id ? "cgroup" : "host"),
                 LOG_U64("limit_bytes", record->limit_bytes),
                 LOG_U64("anon_rss_bytes", record->anon_rss_bytes));
}

static bool cause_differs(const struct program_view *a, const struct program_view *b)
{
    return b->state != PROGRAM_UNSUPPORTED || b->partner_refused ||
           strcmp(a->reason, b->reason) != 0;
}

/* One line for each cause, where program `first` is the first that it keeps from running. */
static void log_unsupported(struct log *log, const struct probe *probe, size_t first)
{
    struct program_view cause, view;
    struct text programs;

    probe_program_view(probe, first, &cause);
    for (size_t i = 0; i < first; i++) {
        probe_program_view(probe, i, &view);
        if (!cause_differs(&cause, &view))
            return;
    }
    text_init(&programs, 1024);
    for (size_t i = first; i < probe_program_count(probe); i++) {
        probe_program_view(probe, i, &view);
        if (cause_differs(&cause, &view))
            continue;
        if (i > first)
            text_add(&programs, ", ");
        text_add(&programs, view.name);
    }
    LOG_WARNING(log, "probe", "BPF programs not attached",
                LOG_STRING("programs", programs.len > 0 ? programs.data : cause.name),
                LOG_STRING("reason", cause.reason));
    text_free(&programs);
}

/* Only where programs run: without them there is nothing to pin or to measure. */
static void log_restrictions(struct log *log, const struct probe *probe)
{
    struct probe_view view;

    probe_view(probe, &view);
    if (view.unpinned_reason)
        LOG_WARNING(log, "probe", "Maps not pinned: bpftool finds them by id only",
                    LOG_STRING("reason", view.unpinned_reason));
    if (view.stats_missing)
        LOG_WARNING(log, "probe", "Cost of the programs not known: no overhead budget is kept",
                    LOG_STRING("reason", view.stats_missing));
    if (view.pins_taken_over)
        LOG_INFO(log, "probe", "Took over from an agent that was killed",
                 LOG_STRING("pin_directory", view.pin_directory),
                 LOG_U64("pins", view.pins_taken_over));
}

void agent_log_pins(struct log *log, bool lost, const char *what)
{
    LOG_WARNING(log, "probe", lost ? "Pins are lost" : "Pins are made again",
                LOG_STRING("reason", what));
}

void agent_log_start(struct log *log, const char *address, const struct config *config,
                     const struct probe *probe)
{
    size_t count = probe ? probe_program_count(probe) : 0;
    uint64_t attached = 0;

    for (size_t i = 0; i < count; i++) {
        struct program_view view;

        probe_program_view(probe, i, &view);
        attached += view.state == PROGRAM_ATTACHED;
        if (view.state == PROGRAM_UNSUPPORTED && !view.partner_refused)
            log_unsupported(log, probe, i);
    }
    if (attached)
        log_restrictions(log, probe);
    LOG_INFO(log, "agent", "Agent started", LOG_STRING("version", MOONWATCH_VERSION),
             LOG_STRING("listen", address), LOG_U64("programs_attached", attached),
             LOG_BOOL("dry_run", config->dry_run));
    if (config->dry_run)
        LOG_WARNING(log, "agent",
                    "Dry run: breakers decide and say so, and nothing acts on the host");
}

void agent_log_unseen(struct log *log, const char *what, const char *why)
{
    LOG_AT(log, why ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "agent",
           why ? "A part of the host is not seen" : "All of this part of the host is seen again",
           LOG_STRING("what", what), LOG_STRING("reason", why));
}

static struct reading fullest(const struct disk_snapshot *disk)
{
    struct reading worst = reading_missing("no filesystem");

    for (size_t i = 0; i < disk->filesystem_count; i++) {
        const struct filesystem *fs = &disk->filesystems[i];

        if (fs->read_only || !reading_known(fs->usage_percent))
            continue;
        if (!reading_known(worst) || fs->usage_percent.value > worst.value)
            worst = fs->usage_percent;
    }
    return worst;
}

/* One decimal is what people compare thresholds with. */
static double rounded(struct reading r)
{
    return reading_known(r) ? round(r.value * 10) / 10 : NAN;
}

static void join_reasons(struct text *out, const struct health *health)
{
    for (int c = 0; c < COMPONENT_COUNT; c++) {
        struct component_view view;

        health_component(health, (enum component)c, &view);
        if (view.status == STATUS_HEALTHY)
            continue;
        for (size_t i = 0; i < view.reasons->count; i++) {
            if (out->len > 0)
                text_add(out, "; ");
            text_add(out, view.reasons->text[i]);
        }
    }
}

void agent_log_health(struct log *log, const struct snapshot *snapshot, const struct health *health,
                      bool has_samples)
{
    static const enum log_level levels[STATUS_COUNT] = {
        [STATUS_HEALTHY] = LOG_LEVEL_INFO,
        [STATUS_UNKNOWN] = LOG_LEVEL_WARNING,
        [STATUS_DEGRADED] = LOG_LEVEL_WARNING,
        [STATUS_UNHEALTHY] = LOG_LEVEL_ERROR,
    };
    enum status status = health_status(health);
    enum log_level level = levels[status];
    struct text reasons;

    if (status == STATUS_UNKNOWN && !has_samples)
        level = LOG_LEVEL_INFO;

    text_init(&reasons, 4096);
    join_reasons(&reasons, health);
    LOG_AT(log, level, "health_monitor", "System health check completed",
           LOG_DOUBLE("cpu_usage", rounded(snapshot->cpu.total.usage_percent)),
           LOG_DOUBLE("memory_usage", rounded(snapshot->memory.usage_percent)),
           LOG_DOUBLE("disk_usage", rounded(fullest(&snapshot->disk))),
           LOG_STRING("status", status_name(status)),
           LOG_STRING("reasons", reasons.len > 0 ? reasons.data : ""));
    text_free(&reasons);
}

void agent_log_breaker(struct log *log, const char *upstream, const struct breaker_transition *t)
{
    bool bad = t->to == BREAKER_OPEN || t->to == BREAKER_FORCED_OPEN;
    char reason[REASON_BYTES];

    breaker_say(t, t->at_ns, reason, sizeof(reason));
    LOG_AT(log, bad ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "circuit_breaker",
           "Circuit breaker changed", LOG_STRING("upstream", upstream),
           LOG_STRING("address", t->address), LOG_STRING("from", breaker_state_name(t->from)),
           LOG_STRING("to", breaker_state_name(t->to)),
           LOG_STRING("cause", breaker_cause_name(t->cause)), LOG_STRING("reason", reason),
           LOG_U64("epoch", t->epoch), LOG_BOOL("by_kernel", t->by_kernel),
           LOG_U64("consecutive_failures", t->figures.consecutive_failures),
           LOG_U64("window_calls", t->figures.window.count),
           LOG_DOUBLE("failed_percent", t->figures.failure_percent),
           LOG_DOUBLE("slow_percent", t->figures.slow_percent),
           LOG_DOUBLE("threshold", t->figures.threshold),
           LOG_DOUBLE("retry_seconds",
                      t->retry_ns ? (double)(t->retry_ns - t->at_ns) / NS_PER_SECOND : NAN));
}

void agent_log_enforcement(struct log *log, const char *upstream, enum enforcement enforcement,
                           const char *why)
{
    bool active = enforcement == ENFORCEMENT_ACTIVE;

    LOG_AT(log, active ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "circuit_breaker",
           active ? "Circuit breaker is enforced again" : "Circuit breaker is not enforced",
           LOG_STRING("upstream", upstream), LOG_STRING("reason", why));
}

void agent_log_fallback(struct log *log, const char *upstream, const struct fallback_switch *s)
{
    char text[REASON_BYTES];

    fallback_say(s, text, sizeof(text));
    LOG_AT(log, s->to.offer == FALLBACK_OFFERS_NOTHING ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
           "circuit_breaker", "Fallback switched", LOG_STRING("upstream", upstream),
           LOG_STRING("to", fallback_offer_name(s->to.offer)), LOG_STRING("switch", text));
}

void agent_log_retry_storm(struct log *log, const char *upstream,
                           const struct retry_client_view *client, bool begun)
{
    LOG_AT(log, begun ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "circuit_breaker",
           begun ? "Retry storm" : "Retry storm ended", LOG_STRING("upstream", upstream),
           LOG_STRING("comm", client->comm), LOG_U64("pid", client->pid),
           LOG_STRING("cgroup", *client->cgroup ? client->cgroup : NULL),
           LOG_DOUBLE("attempts_per_second", client->attempts_per_second),
           LOG_DOUBLE("usual_per_second", client->usual_per_second));
}

void agent_log_check(struct log *log, const struct endpoint_check_view *view)
{
    bool failed = view->status == ENDPOINT_FAILED;

    LOG_AT(log, failed ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "health_monitor",
           failed ? "Check failed" : "Check succeeded", LOG_STRING("name", view->name),
           LOG_STRING("url", view->url), LOG_STRING("reason", view->reason),
           LOG_DOUBLE("latency_seconds",
                      failed ? NAN : (double)view->latency_ns / (double)NS_PER_SECOND));
}

void agent_log_config_errors(struct log *log, const char *path, const struct config_errors *errors)
{
    for (size_t i = 0; i < errors->count && i < sizeof(errors->list) / sizeof(*errors->list); i++)
        LOG_ERROR(log, "config", "Configuration rejected, the old one stays",
                  LOG_STRING("path", path), LOG_STRING("pointer", errors->list[i].pointer),
                  LOG_STRING("error", errors->list[i].message));
}

void agent_log_config_warnings(struct log *log, const char *path,
                               const struct config_errors *errors)
{
    for (size_t i = 0; i < errors->warning_count && i < CONFIG_ERRORS_KEPT; i++)
        LOG_WARNING(log, "config", "Doubt about the configuration", LOG_STRING("path", path),
                    LOG_STRING("pointer", errors->warnings[i].pointer),
                    LOG_STRING("reason", errors->warnings[i].message));
    if (errors->warning_count > CONFIG_ERRORS_KEPT)
        LOG_WARNING(log, "config", "And more doubts about the configuration",
                    LOG_STRING("path", path), LOG_U64("in_all", errors->warning_count));
}

static void log_restart_key(void *ctx, const char *pointer)
{
    LOG_WARNING((struct log *)ctx, "config", "Changed key takes effect at the next start",
                LOG_STRING("pointer", pointer));
}

void agent_log_restart_keys(struct log *log, const struct config *before,
                            const struct config *after)
{
    config_changed_at_start(before, after, log_restart_key, log);
}
