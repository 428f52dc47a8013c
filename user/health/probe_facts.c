#include "health/probe_facts.h"
#include "health/phrase.h"
#include <stdio.h>

/* Long enough to be read by somebody who comes to look. */
#define LOST_HOLD_NS (300 * NS_PER_SECOND)

/* What is missing without a concern, and where an operator looks for it. */
#define CONCERN_MISSING(id, name, component, figures, ...) {COMPONENT_##component, figures},
static const struct {
    enum component component;
    const char *figures; /* NULL: the component's checks are unknown and say so themselves */
} concerns[] = {CONCERN_ROWS(CONCERN_MISSING)};
#undef CONCERN_MISSING

#define RECORD_LOST(id, name, component, what) {COMPONENT_##component, what},
static const struct {
    enum component component;
    const char *what;
} records[] = {RECORD_ROWS(RECORD_LOST)};
#undef RECORD_LOST

void probe_facts_gather(struct probe_facts *ret, const struct probe *probe, uint64_t now_ns)
{
    struct probe_view view;

    *ret = (struct probe_facts){.present = probe != NULL};
    if (!probe)
        return;
    for (int c = 0; c < CONCERN_COUNT; c++) {
        const char *reason = "";

        if (!probe_concern_active(probe, (enum probe_concern)c, &reason))
            ret->inactive[c] = reason;
    }
    for (size_t i = 0; i < probe_program_count(probe) && ret->shed_count < SHED_MAX; i++) {
        struct program_view program;

        probe_program_view(probe, i, &program);
        if (program.state != PROGRAM_SHED)
            continue;
        ret->shed[ret->shed_count].concern = program.concern;
        ret->shed[ret->shed_count].program = program.name;
        ret->shed[ret->shed_count++].retry_in_seconds =
            program.retry_at_ns > now_ns ? (double)(program.retry_at_ns - now_ns) / NS_PER_SECOND
                                         : 0;
    }
    probe_view(probe, &view);
    ret->pins_lost = view.pins_lost;
    for (int t = 0; t < RECORD_TYPE_COUNT; t++)
        ret->dropped[t] = view.records[t].dropped;
}

static void note_absent(struct findings *ret)
{
    static const enum component without[] = {COMPONENT_RESOURCES, COMPONENT_PERFORMANCE};

    for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
        struct finding *finding = findings_add(ret, without[i], STATUS_HEALTHY);

        if (finding)
            snprintf(finding->text, sizeof(finding->text),
                     "no kernel probe runs, so only /proc is judged; `moonwatch doctor` says why");
    }
}

static bool is_shed(const struct probe_facts *facts, enum probe_concern concern)
{
    for (size_t i = 0; i < facts->shed_count; i++) {
        if (facts->shed[i].concern == concern)
            return true;
    }
    return false;
}

static void note_inactive(const struct probe_facts *facts, enum probe_concern concern,
                          struct findings *ret)
{
    struct finding *finding;

    if (!facts->inactive[concern] || !concerns[concern].figures || is_shed(facts, concern))
        return;
    finding = findings_add(ret, concerns[concern].component, STATUS_HEALTHY);
    if (finding)
        snprintf(finding->text, sizeof(finding->text), "no figures of %s: %s",
                 concerns[concern].figures, facts->inactive[concern]);
}

static void note_shed(const struct probe_facts *facts, size_t index, struct findings *ret)
{
    struct finding *finding =
        findings_add(ret, concerns[facts->shed[index].concern].component, STATUS_HEALTHY);
    struct phrase p;

    if (!finding)
        return;
    phrase_init(&p, finding->text, sizeof(finding->text));
    phrase_add(&p, "probe %s is shed: the probes were over overhead.budget_percent; retried in ",
               facts->shed[index].program);
    phrase_duration(&p, facts->shed[index].retry_in_seconds);
}

static void note_lost(const struct probe_facts *facts, struct probe_watch *watch, int type,
                      uint64_t now_ns, struct findings *ret)
{
    struct finding *finding;

    if (facts->dropped[type] > watch->dropped[type]) {
        watch->lost[type] += facts->dropped[type] - watch->dropped[type];
        watch->lost_ns[type] = now_ns;
    }
    watch->dropped[type] = facts->dropped[type];
    if (watch->lost[type] == 0)
        return;
    if (now_ns - watch->lost_ns[type] >= LOST_HOLD_NS) {
        watch->lost[type] = 0;
        return;
    }
    finding = findings_add(ret, records[type].component, STATUS_HEALTHY);
    if (finding)
        snprintf(
            finding->text, sizeof(finding->text),
            "%llu records of %s were lost: the ring buffer was full; raise overhead.ring_bytes",
            (unsigned long long)watch->lost[type], records[type].what);
}

static void note_pins(const struct probe_facts *facts, struct findings *ret)
{
    struct finding *finding =
        facts->pins_lost ? findings_add(ret, COMPONENT_PERFORMANCE, STATUS_HEALTHY) : NULL;

    if (finding)
        snprintf(finding->text, sizeof(finding->text), "%s", facts->pins_lost);
}

void probe_facts_judge(const struct probe_facts *facts, struct probe_watch *watch, uint64_t now_ns,
                       struct findings *ret)
{
    if (!facts->present) {
        note_absent(ret);
        return;
    }
    for (int c = 0; c < CONCERN_COUNT; c++)
        note_inactive(facts, (enum probe_concern)c, ret);
    note_pins(facts, ret);
    for (size_t i = 0; i < facts->shed_count; i++)
        note_shed(facts, i, ret);
    for (int t = 0; t < RECORD_TYPE_COUNT; t++)
        note_lost(facts, watch, t, now_ns, ret);
}
