/* What happened since the tick before, by the events' own numbers. */
#include "alert/rule.h"
#include "base/array.h"
#include "facts/alert_source_row.h"
#include "health/phrase.h"
#include <stdio.h>
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

static const char *path_or(const char *path, const char *otherwise)
{
    return path[0] ? path : otherwise;
}

/* `name` is the last part of the path where no more is known. */
static void label_cgroup(struct source_row *row, const char *path, const char *name)
{
    size_t bytes;
    const char *unit = unit_of(path_or(path, name), &bytes);

    source_row_label(row, "cgroup", "%s", path);
    source_row_label(row, "unit", "%.*s", (int)bytes, unit);
}

const char *oom_place(const struct oom_capsule *oom)
{
    return oom->global ? "" : path_or(oom->limit_path, oom->cgroup_path);
}

static bool add_oom(struct alert_source *source, const void *event)
{
    const struct oom_capsule *oom = event;
    struct source_row *row = add(source, RULE_EVENT_OOM);
    struct phrase p;

    if (!row)
        return false;
    source_row_label(row, "comm", "%.*s", COMM_BYTES, oom->record.comm);
    label_cgroup(row, oom_place(oom), "");
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

static void say_crash(struct phrase *p, const struct crash *crash)
{
    char cause[EXIT_CAUSE_BYTES];

    phrase_add(p, "%.*s (pid %u) %s %s after ", COMM_BYTES, crash->record.comm, crash->record.pid,
               crash->kind == ENDED_FAILED ? "ended" : "was ended",
               exit_cause(&crash->record, cause));
    phrase_duration(p, (double)crash->record.age_ns / NS_PER_SECOND);
    if (crash->cgroup_path[0]) {
        phrase_add(p, " in cgroup ");
        phrase_path(p, crash->cgroup_path);
    }
}

static struct source_row *add_of_service(struct alert_source *source, enum rule_event event,
                                         const struct crash *crash)
{
    struct source_row *row = add(source, event);

    if (!row)
        return NULL;
    source_row_label(row, "comm", "%.*s", COMM_BYTES, crash->record.comm);
    label_cgroup(row, crash->cgroup_path, crash->record.cgroup_name);
    return row;
}

/* The collector has counted, by the service's whole name and whatever the signal was. */
static bool add_crash_loop(struct alert_source *source, const struct crash *crash)
{
    struct source_row *row = add_of_service(source, RULE_EVENT_CRASH_LOOP, crash);
    struct phrase p;

    if (!row)
        return false;
    row->value = crash->repeats;
    phrase_init(&p, row->reason, sizeof(row->reason));
    phrase_add(&p, "%u %s in 5 min: ", crash->repeats,
               crash->kind == ENDED_FAILED   ? "failures"
               : crash->kind == ENDED_KILLED ? "kills"
                                             : "crashes");
    say_crash(&p, crash);
    return true;
}

static bool add_crash(struct alert_source *source, const void *event)
{
    const struct crash *crash = event;
    const char *abbreviation = sigabbrev_np((int)crash->record.signal);
    bool failed = crash->kind == ENDED_FAILED;
    struct source_row *row;
    struct phrase p;

    if (crash->kind == ENDED_KILLED)
        return add_crash_loop(source, crash);
    row = add_of_service(source, failed ? RULE_EVENT_SERVICE_FAILED : RULE_EVENT_CRASH, crash);
    if (!row)
        return false;
    if (failed)
        source_row_label(row, "status", "%u", crash->record.status);
    else
        source_row_label(row, "signal", "SIG%s", abbreviation ? abbreviation : "?");
    phrase_init(&p, row->reason, sizeof(row->reason));
    say_crash(&p, crash);
    return crash->repeats < crash_loop_min(crash->kind) || add_crash_loop(source, crash);
}

static bool add_stall(struct alert_source *source, const void *event)
{
    const struct stall *stall = event;
    struct source_row *row = add(source, RULE_EVENT_STALL);
    struct phrase p;

    if (!row)
        return false;
    source_row_label(row, "comm", "%.*s", COMM_BYTES, stall->record.comm);
    label_cgroup(row, stall->cgroup_path, "");
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

static bool add_lost(struct alert_source *source, int type, uint64_t count, const char *why)
{
    struct source_row *row = add(source, RULE_EVENT_RECORDS_LOST);

    if (!row)
        return false;
    source_row_label(row, "type", "%s", record_type_name((enum record_type)type));
    snprintf(row->reason, sizeof(row->reason), "%llu records of type %s were lost: %s",
             (unsigned long long)count, record_type_name((enum record_type)type), why);
    return true;
}

/* The rows of one list, newest first. */
struct news {
    const void *rows;
    size_t row_bytes, number_at;
    size_t count;
    int type; /* of the records they come from */
    bool (*add)(struct alert_source *source, const void *event);
};

static uint64_t number_of(const struct news *news, size_t index)
{
    uint64_t number;

    memcpy(&number, (const char *)news->rows + index * news->row_bytes + news->number_at,
           sizeof(number));
    return number;
}

/* Oldest first. Numbers begin at 1 with the agent, so what is there in its first tick is news too;
 * what could not be told for want of memory is news in the next. */
static bool add_news(struct alert_source *source, const struct news *news)
{
    uint64_t *told = &source->told[news->type];
    size_t fresh = 0;

    while (fresh < news->count && number_of(news, fresh) > *told)
        fresh++;
    if (fresh > 0 && number_of(news, fresh - 1) > *told + 1 &&
        !add_lost(source, news->type, number_of(news, fresh - 1) - *told - 1,
                  "too many came within one tick"))
        return false;
    for (size_t i = fresh; i > 0; i--)
        if (!news->add(source, (const char *)news->rows + (i - 1) * news->row_bytes))
            return false;
    if (fresh > 0)
        source->told_now[news->type] = number_of(news, 0);
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
            ok = add_lost(source, t, source->now.dropped[t] - source->before.dropped[t],
                          "the ring buffer was full; raise overhead.ring_bytes");
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

    if (source->transition_count == SOURCE_TRANSITIONS_MAX ||
        !ARRAY_GROW(source->transitions, source->transition_capacity, source->transition_count + 1))
        return;
    row = &source->transitions[source->transition_count++];
    *row = (struct source_row){.event = RULE_EVENT_BREAKER};
    breaker_say(t, t->at_ns, said, sizeof(said));
    source_row_label(row, "event", "%s", rule_event_text(RULE_EVENT_BREAKER));
    source_row_label(row, "upstream", "%s", upstream);
    source_row_label(row, "state", "%s", breaker_state_name(t->to));
    snprintf(row->reason, sizeof(row->reason), "breaker %s%s %s", upstream,
             t->not_enforced ? " (not enforced)" : "", said);
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

#define NEWS(list, count_, type_, add_)                                                            \
    {                                                                                              \
        .rows = (list), .row_bytes = sizeof(*(list)),                                              \
        .number_at = (size_t)((const char *)&(list)->number - (const char *)(list)),               \
        .count = (count_), .type = (type_), .add = (add_)                                          \
    }

bool source_add_events(struct alert_source *source, const struct facts *facts)
{
    const struct event_snapshot *events = &facts->snapshot->events;
    const struct news news[] = {
        NEWS(events->ooms, events->oom_rows, RECORD_OOM, add_oom),
        NEWS(events->crashes, events->crash_rows, RECORD_EXIT, add_crash),
        NEWS(events->stalls, events->stall_rows, RECORD_STALL, add_stall),
    };
    bool ok = true;

    memcpy(source->told_now, source->told, sizeof(source->told));
    for (size_t i = 0; i < sizeof(news) / sizeof(news[0]) && ok; i++)
        ok = add_news(source, &news[i]);
    if (ok && facts->probe)
        ok = add_probe(source, facts->probe);
    return ok && add_transitions(source);
}
