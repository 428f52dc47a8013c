/* What happened since the tick before, by the totals: the newest so many of each list. */
#include "alert/rule.h"
#include "alert/source_row.h"
#include "health/phrase.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct source_row *add(struct alert_source *source, enum rule_event event)
{
    struct source_row *row = source_row_add(source);

    if (row) {
        row->event = event;
        source_row_label(row, "event", "%s", rule_event_text(event));
    }
    return row;
}

/* How many of a list are new; the list may have lost the oldest of them. */
static size_t news(double total, double before, size_t kept)
{
    double more = total - before;

    return more <= 0 ? 0 : more < (double)kept ? (size_t)more : kept;
}

static const char *path_or(const char *path, const char *otherwise)
{
    return path[0] ? path : otherwise;
}

static bool add_oom(struct alert_source *source, const struct oom_capsule *oom)
{
    struct source_row *row = add(source, RULE_EVENT_OOM);
    struct phrase p;

    if (!row)
        return false;
    source_row_label(row, "comm", "%.*s", COMM_BYTES, oom->record.comm);
    source_row_label(row, "cgroup", "%s",
                     oom->global ? "" : path_or(oom->limit_path, oom->cgroup_path));
    phrase_init(&p, row->reason, sizeof(row->reason));
    phrase_add(&p, "%.*s (pid %u, ", COMM_BYTES, oom->record.comm, oom->record.pid);
    phrase_bytes(&p, (double)(oom->record.anon_rss_bytes + oom->record.file_rss_bytes));
    phrase_add(&p, ") was killed: ");
    if (oom->global) {
        phrase_add(&p, "the host ran out of memory");
    } else {
        phrase_add(&p, "cgroup ");
        phrase_path(&p, path_or(oom->limit_path, "(gone)"));
        phrase_add(&p, " reached its limit of ");
        phrase_bytes(&p, (double)oom->record.limit_bytes);
    }
    return true;
}

static bool add_crash(struct alert_source *source, const struct crash *crash)
{
    const char *abbreviation = sigabbrev_np((int)crash->record.signal);
    struct source_row *row;
    struct phrase p;

    if (!signal_is_crash(crash->record.signal))
        return true;
    row = add(source, RULE_EVENT_CRASH);
    if (!row)
        return false;
    source_row_label(row, "comm", "%.*s", COMM_BYTES, crash->record.comm);
    source_row_label(row, "cgroup", "%s", crash->cgroup_path);
    source_row_label(row, "signal", "SIG%s", abbreviation ? abbreviation : "?");
    phrase_init(&p, row->reason, sizeof(row->reason));
    phrase_add(&p, "%.*s (pid %u) was ended by SIG%s after ", COMM_BYTES, crash->record.comm,
               crash->record.pid, abbreviation ? abbreviation : "?");
    phrase_duration(&p, (double)crash->record.age_ns / NS_PER_SECOND);
    if (crash->cgroup_path[0]) {
        phrase_add(&p, " in cgroup ");
        phrase_path(&p, crash->cgroup_path);
    }
    return true;
}

static bool add_stall(struct alert_source *source, const struct stall *stall)
{
    struct source_row *row = add(source, RULE_EVENT_STALL);
    struct phrase p;

    if (!row)
        return false;
    source_row_label(row, "comm", "%.*s", COMM_BYTES, stall->record.comm);
    source_row_label(row, "cgroup", "%s", stall->cgroup_path);
    phrase_init(&p, row->reason, sizeof(row->reason));
    phrase_add(&p, "%.*s (pid %u) stood still in memory reclaim for ", COMM_BYTES,
               stall->record.comm, stall->record.pid);
    phrase_wait(&p, (double)stall->record.stall_ns / NS_PER_SECOND);
    return true;
}

static bool add_shed(struct alert_source *source, const struct program_view *program)
{
    struct source_row *row = add(source, RULE_EVENT_PROBE_SHED);

    if (!row)
        return false;
    source_row_label(row, "program", "%s", program->name);
    source_row_label(row, "concern", "%s", probe_concern_name(program->concern));
    snprintf(row->reason, sizeof(row->reason), "probe %s is shed: %s", program->name,
             program->reason);
    return true;
}

static bool add_lost(struct alert_source *source, int type)
{
    struct source_row *row = add(source, RULE_EVENT_RECORDS_LOST);

    if (!row)
        return false;
    source_row_label(row, "type", "%s", record_type_name((enum record_type)type));
    snprintf(row->reason, sizeof(row->reason),
             "%llu records of type %s were lost: the ring buffer was full; raise "
             "overhead.ring_bytes",
             (unsigned long long)(source->now.dropped[type] - source->before.dropped[type]),
             record_type_name((enum record_type)type));
    return true;
}

static bool add_probe(struct alert_source *source, const struct probe *probe)
{
    struct probe_view view;
    bool ok = true;

    probe_view(probe, &view);
    for (int t = 0; t < RECORD_TYPE_COUNT && ok; t++) {
        source->now.dropped[t] = view.records[t].dropped;
        if (source->filled && source->now.dropped[t] > source->before.dropped[t])
            ok = add_lost(source, t);
    }
    for (size_t i = 0; i < probe_program_count(probe) && i < PROGRAMS_MAX && ok; i++) {
        struct program_view program;

        probe_program_view(probe, i, &program);
        source->now.shed[i] = program.shed_total;
        if (source->filled && source->now.shed[i] > source->before.shed[i])
            ok = add_shed(source, &program);
    }
    return ok;
}

/* Kept apart from the rows, which are of one tick: it comes at any time between two. */
void alert_source_note_breaker(struct alert_source *source, const char *upstream,
                               const struct breaker_transition *t)
{
    char said[REASON_BYTES];
    struct source_row *row;
    void *grown;

    if (source->transition_count == SOURCE_TRANSITIONS_MAX)
        return;
    grown = realloc(source->transitions, (source->transition_count + 1) * sizeof(*row));
    if (!grown)
        return;
    source->transitions = grown;
    row = &source->transitions[source->transition_count++];
    *row = (struct source_row){.event = RULE_EVENT_BREAKER};
    breaker_say(t, t->at_ns, said, sizeof(said));
    source_row_label(row, "event", "%s", rule_event_text(RULE_EVENT_BREAKER));
    source_row_label(row, "upstream", "%s", upstream);
    source_row_label(row, "state", "%s", breaker_state_name(t->to));
    snprintf(row->reason, sizeof(row->reason), "breaker %s %s", upstream, said);
}

static bool add_transitions(struct alert_source *source)
{
    for (size_t i = 0; i < source->transition_count; i++) {
        struct source_row *row = source_row_add(source);

        if (!row)
            return false;
        *row = source->transitions[i];
    }
    return true;
}

bool source_add_events(struct alert_source *source, const struct alert_facts *facts)
{
    const struct event_snapshot *events = &facts->snapshot->events;
    const struct source_totals *before = &source->before;
    bool ok = true;

    source->now.ooms = events->ooms_total;
    source->now.abnormal_exits = events->abnormal_exits_total;
    source->now.stalls = events->stalls_total;
    /* The totals begin at 0 with the agent, so what is there in its first tick is news too. Oldest
     * first. */
    for (size_t i = news(events->ooms_total, before->ooms, events->oom_count); i > 0 && ok; i--)
        ok = add_oom(source, &events->ooms[i - 1]);
    for (size_t i = news(events->abnormal_exits_total, before->abnormal_exits, events->crash_count);
         i > 0 && ok; i--)
        ok = add_crash(source, &events->crashes[i - 1]);
    for (size_t i = news(events->stalls_total, before->stalls, events->stall_count); i > 0 && ok;
         i--)
        ok = add_stall(source, &events->stalls[i - 1]);
    if (ok && facts->probe)
        ok = add_probe(source, facts->probe);
    return ok && add_transitions(source);
}
