#include "agent/agent_said.h"
#include "agent/agent_log.h"
#include "base/clock.h"
#include "base/hash.h"

/* Shares of an interval take two samples, and the second may come early, for an event. */
static bool has_samples(const struct agent_said *said, const struct config *config,
                        const struct snapshot *snapshot, uint64_t now_ns)
{
    return snapshot->sequence >= 2 &&
           now_ns - said->begun_ns >= 2 * config->overhead.sample_interval_ms * NS_PER_MS;
}

static void say_unseen(struct agent_said *said, struct log *log,
                       const struct visibility_part parts[VISIBILITY_PARTS])
{
    for (size_t i = 0; i < VISIBILITY_PARTS; i++) {
        uint64_t now = parts[i].why ? fnv_string(FNV_START, parts[i].why) : 0;

        if (now == said->unseen[i])
            continue;
        said->unseen[i] = now;
        agent_log_unseen(log, parts[i].name, parts[i].why);
    }
}

void agent_say(struct agent_said *said, struct log *log, const struct config *config,
               const struct collectors *collectors, const struct health *health, uint64_t now_ns)
{
    const struct snapshot *snapshot = collectors_snapshot(collectors);
    enum status status = health_status(health);
    bool first = !said->begun_ns;

    if (first)
        said->begun_ns = now_ns;
    say_unseen(said, log, collectors_visibility(collectors));
    if (!first && status == said->status && now_ns < said->next_check_ns)
        return;
    agent_log_health(log, snapshot, health, has_samples(said, config, snapshot, now_ns));
    said->status = status;
    said->next_check_ns =
        now_ns + clock_ns_of_seconds(config->health_monitor.check_interval_seconds);
}
