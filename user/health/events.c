#include "health/finding.h"
#include "health/phrase.h"
#include <string.h>

/* As long as a person who is paged needs to come and read the reason, and the default cooldown of
 * an alert; afterwards the event is still in /events. */
#define HOLD_NS (300 * NS_PER_SECOND)
struct finding *findings_add(struct findings *findings, enum component component,
                             enum status status)
{
    struct finding *finding;

    if (findings->count == FINDINGS_MAX)
        return NULL;
    finding = &findings->list[findings->count++];
    finding->component = component;
    finding->status = status;
    finding->text[0] = '\0';
    return finding;
}

static bool is_recent(const struct snapshot *snapshot, const struct record_head *head)
{
    /* A record can be younger than the sample it is judged with. */
    return head->time_ns > snapshot->monotonic_ns ||
           snapshot->monotonic_ns - head->time_ns < HOLD_NS;
}

static double age_seconds(const struct snapshot *snapshot, const struct record_head *head)
{
    if (head->time_ns > snapshot->monotonic_ns)
        return 0;
    return (double)(snapshot->monotonic_ns - head->time_ns) / NS_PER_SECOND;
}

static void say_oom(const struct snapshot *snapshot, const struct oom_capsule *oom, size_t count,
                    struct finding *finding)
{
    const struct record_oom *record = &oom->record;
    struct phrase p;

    phrase_init(&p, finding->text, sizeof(finding->text));
    if (oom->global) {
        phrase_add(&p, "the host ran out of memory: ");
    } else {
        const char *path = oom->limit_path[0] ? oom->limit_path : oom->cgroup_path;

        phrase_add(&p, "cgroup ");
        phrase_path(&p, path[0] ? path : "(gone)");
        phrase_add(&p, " reached its memory limit of ");
        phrase_bytes(&p, (double)record->limit_bytes);
        phrase_add(&p, ": ");
    }
    phrase_add(&p, "%.*s (pid %u, ", COMM_BYTES, record->comm, record->pid);
    phrase_bytes(&p, (double)(record->anon_rss_bytes + record->file_rss_bytes));
    phrase_add(&p, ") was killed ");
    phrase_duration(&p, age_seconds(snapshot, &record->head));
    phrase_add(&p, " ago");
    if (count > 1)
        phrase_add(&p, ", %zu kills in 5 min", count);
}

static void judge_ooms(const struct snapshot *snapshot, struct findings *ret)
{
    const struct event_snapshot *events = &snapshot->events;
    struct finding *finding;
    size_t count = 0;

    while (count < events->oom_count && is_recent(snapshot, &events->ooms[count].record.head))
        count++;
    if (count == 0)
        return;
    finding = findings_add(ret, COMPONENT_RESOURCES, STATUS_DEGRADED);
    if (finding)
        say_oom(snapshot, &events->ooms[0], count, finding);
}

static void say_crash_loop(const struct snapshot *snapshot, const struct crash_loop *loop,
                           struct finding *finding)
{
    const struct crash *crash = &loop->last;
    const struct record_exit *record = &crash->record;
    char cause[EXIT_CAUSE_BYTES];
    struct phrase p;

    phrase_init(&p, finding->text, sizeof(finding->text));
    phrase_add(&p, "crash loop: %.*s", COMM_BYTES, record->comm);
    if (crash->cgroup_path[0]) {
        phrase_add(&p, " in cgroup ");
        phrase_path(&p, crash->cgroup_path);
    }
    phrase_add(&p, " %s %u times in 5 min, last ",
               crash->kind == ENDED_FAILED   ? "failed"
               : crash->kind == ENDED_KILLED ? "was killed"
                                             : "crashed",
               loop->count);
    phrase_add(&p, "%s ", exit_cause(record, cause));
    phrase_duration(&p, age_seconds(snapshot, &record->head));
    phrase_add(&p, " ago (pid %u)", record->pid);
}

static void judge_crashes(const struct snapshot *snapshot, struct findings *ret)
{
    const struct event_snapshot *events = &snapshot->events;

    for (size_t i = 0; i < events->crash_loop_count; i++) {
        struct finding *finding = findings_add(ret, COMPONENT_PERFORMANCE, STATUS_DEGRADED);

        if (finding)
            say_crash_loop(snapshot, &events->crash_loops[i], finding);
    }
}

void events_judge(const struct snapshot *snapshot, struct findings *ret)
{
    judge_ooms(snapshot, ret);
    judge_crashes(snapshot, ret);
}
