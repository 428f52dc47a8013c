/* Services and upstreams as findings of the performance component. */
#include "health/service_findings.h"
#include "health/finding.h"
#include "health/phrase.h"
#include <stdio.h>

#define STORMS_SAID 3 /* per upstream */

static void say_performance(const struct performance_view *performance, struct findings *ret)
{
    struct finding *finding;
    struct phrase p;

    if (!performance->degraded)
        return;
    finding = findings_add(ret, COMPONENT_PERFORMANCE, STATUS_DEGRADED);
    if (!finding)
        return;
    phrase_init(&p, finding->text, sizeof(finding->text));
    phrase_add(&p, "%s", performance->reason);
}

static void say_breaker(const struct upstream_view *view, uint64_t now_ns, struct findings *ret)
{
    const struct breaker_view *breaker = &view->breaker;
    bool configured = breaker->mode == BREAKER_MODE_FORCED_OPEN;
    struct finding *finding;
    struct phrase p;
    char why[REASON_BYTES] = "";

    if (breaker->state == BREAKER_CLOSED || breaker->state == BREAKER_OFF)
        return;
    finding =
        findings_add(ret, COMPONENT_PERFORMANCE, configured ? STATUS_HEALTHY : STATUS_DEGRADED);
    if (!finding)
        return;
    if (breaker->transitions_total)
        breaker_say(&breaker->last, now_ns, why, sizeof(why));
    phrase_init(&p, finding->text, sizeof(finding->text));
    phrase_add(&p, "breaker %s%s ", view->config->name,
               !view->not_enforced ? ""
               : view->acts        ? " (not wholly enforced)"
                                   : " (not enforced)");
    phrase_add(&p, "%s", *why ? why : breaker_state_name(breaker->state));
    if (view->acts && view->fallback.choice.refusal && view->config->fallback.given)
        phrase_add(&p, "; connects are refused, %s", view->fallback.choice.refusal);
}

/* The breakers that are enforced one way, in one finding however many there are: a fault of the
 * host's concerns them all. */
struct enforced_so {
    size_t count;
    const char *name, *why; /* of the first */
};

static void say_enforcement(const struct enforced_so *so, enum status status, struct findings *ret)
{
    struct finding *finding = so->count ? findings_add(ret, COMPONENT_PERFORMANCE, status) : NULL;
    struct phrase p;

    if (!finding)
        return;
    phrase_init(&p, finding->text, sizeof(finding->text));
    phrase_add(&p, "breaker %s is not enforced: %s", so->name, so->why);
    if (so->count > 1)
        phrase_add(&p, " (and %zu more breaker%s)", so->count - 1, so->count > 2 ? "s" : "");
}

static void say_storms(const struct upstream_view *view, struct findings *ret)
{
    struct retry_client_view clients[STORMS_SAID];
    size_t count = retry_storms_view(view->retries, clients, STORMS_SAID);

    for (size_t i = 0; i < count && i < STORMS_SAID; i++) {
        const struct retry_client_view *c = &clients[i];
        struct finding *finding = findings_add(ret, COMPONENT_PERFORMANCE, STATUS_DEGRADED);
        struct phrase p;

        if (!finding)
            return;
        phrase_init(&p, finding->text, sizeof(finding->text));
        phrase_add(&p,
                   "retry storm on %s: %s (pid %u%s%s) connects %.1f times a second, usually %.3g",
                   view->config->name, c->comm, c->pid, *c->cgroup ? ", cgroup " : "", c->cgroup,
                   c->attempts_per_second, c->usual_per_second);
    }
}

static void note_enforcement(const struct upstream_view *view,
                             struct enforced_so so[ENFORCEMENT_COUNT])
{
    if (so[view->enforcement].count++ == 0) {
        so[view->enforcement].name = view->config->name;
        so[view->enforcement].why = view->not_enforced;
    }
}

static void append(struct findings *ret, const struct findings *findings)
{
    for (size_t i = 0; i < findings->count && ret->count < FINDINGS_MAX; i++)
        ret->list[ret->count++] = findings->list[i];
}

/* What is not enforced comes first, of whichever upstream it is: there is room for so many findings
 * only. */
static void judge_upstreams(const struct services *services, uint64_t now_ns, struct findings *ret)
{
    struct enforced_so so[ENFORCEMENT_COUNT] = {0};
    struct findings of_each;

    of_each.count = 0;
    for (size_t i = 0; i < services_upstream_count(services); i++) {
        struct upstream_view view;

        services_upstream(services, i, now_ns, &view);
        note_enforcement(&view, so);
        say_breaker(&view, now_ns, &of_each);
        say_storms(&view, &of_each);
        say_performance(&view.performance, &of_each);
    }
    say_enforcement(&so[ENFORCEMENT_FAILED], STATUS_DEGRADED, ret);
    /* No fault of the host: a service that is stopped has no cgroup. */
    say_enforcement(&so[ENFORCEMENT_IDLE], STATUS_HEALTHY, ret);
    append(ret, &of_each);
}

void services_judge(const struct services *services, uint64_t now_ns, struct findings *ret)
{
    size_t count = services ? services_count(services) + services_upstream_count(services) : 0;
    struct finding *finding;

    /* Nothing configured is nothing that could be ill; unknown would pull the whole host to unknown
     * for a feature that nobody asked for. */
    if (!count) {
        finding = findings_add(ret, COMPONENT_PERFORMANCE, STATUS_HEALTHY);
        if (finding)
            snprintf(finding->text, sizeof(finding->text), "no services or upstreams configured");
        return;
    }
    judge_upstreams(services, now_ns, ret);
    for (size_t i = 0; i < services_count(services); i++) {
        struct service_view view;

        services_service(services, i, &view);
        say_performance(&view.performance, ret);
    }
}
