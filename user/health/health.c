#include "health/health.h"
#include "health/endpoints.h"
#include "health/instance.h"
#include "health/judge.h"
#include "health/service_findings.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct component_state {
    enum status status;
    struct reasons reasons;
};

struct health {
    const struct config *config;
    const struct services *services;
    const struct endpoint_checks *endpoint_checks;
    struct instances instances;
    struct probe_watch watch;
    struct component_state components[COMPONENT_COUNT];
};

static void set_all(struct health *health, enum status status, const char *reason)
{
    for (int c = 0; c < COMPONENT_COUNT; c++) {
        health->components[c].status = status;
        reasons_clear(&health->components[c].reasons);
        reasons_add(&health->components[c].reasons, "%s", reason);
    }
}

int health_create(struct health **ret, const struct config *config)
{
    struct health *health = calloc(1, sizeof(*health));

    if (!health)
        return -ENOMEM;
    health->config = config;
    set_all(health, STATUS_UNKNOWN, "nothing was sampled yet");
    *ret = health;
    return 0;
}

void health_destroy(struct health *health)
{
    if (!health)
        return;
    instances_free(&health->instances);
    free(health);
}

void health_configure(struct health *health, const struct config *config)
{
    health->config = config;
}

void health_set_services(struct health *health, const struct services *services,
                         const struct endpoint_checks *checks)
{
    health->services = services;
    health->endpoint_checks = checks;
}

static void collect_status(struct health *health, const struct instance *instance)
{
    enum status *status = &health->components[instance->definition->component].status;

    if (instance->check.status == STATUS_UNKNOWN && !instance->essential &&
        !instance->check.known_once)
        return;
    *status = status_worse(*status, instance->check.status);
}

/* Worst first, so that what is cut off at the end of a long list matters least. */
static void collect_reasons(struct health *health, const struct findings *findings,
                            enum status status)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->list[i];

        if (finding->status == status)
            reasons_add(&health->components[finding->component].reasons, "%s", finding->text);
    }
    for (size_t i = 0; i < health->instances.count; i++) {
        const struct instance *instance = &health->instances.list[i];

        if (instance->check.status != status || !instance->reason[0])
            continue;
        if (status == STATUS_UNKNOWN && instances_said(&health->instances, instance))
            continue;
        reasons_add(&health->components[instance->definition->component].reasons, "%s",
                    instance->reason);
    }
}

static void collect(struct health *health, const struct findings *findings)
{
    for (int c = 0; c < COMPONENT_COUNT; c++) {
        health->components[c].status =
            health->instances.out_of_memory ? STATUS_UNKNOWN : STATUS_HEALTHY;
        reasons_clear(&health->components[c].reasons);
    }
    for (size_t i = 0; i < health->instances.count; i++)
        collect_status(health, &health->instances.list[i]);
    for (size_t i = 0; i < findings->count; i++) {
        enum status *status = &health->components[findings->list[i].component].status;

        *status = status_worse(*status, findings->list[i].status);
    }
    for (int s = STATUS_COUNT - 1; s >= 0; s--)
        collect_reasons(health, findings, (enum status)s);
    if (health->instances.out_of_memory)
        reasons_add(&health->components[COMPONENT_RESOURCES].reasons,
                    "out of memory: not every check could be made");
}

static void note_dry_run(const struct config *config, struct findings *findings)
{
    struct finding *finding =
        config->dry_run ? findings_add(findings, COMPONENT_PERFORMANCE, STATUS_HEALTHY) : NULL;

    if (finding)
        snprintf(finding->text, sizeof(finding->text),
                 "the agent runs with --dry-run: nothing acts on the host, no breaker is enforced");
}

void health_judge(struct health *health, const struct snapshot *snapshot,
                  const struct probe_facts *facts)
{
    const struct health_input in = {.snapshot = snapshot, .config = health->config};
    struct findings findings = {0};

    if (!health->config->health_monitor.enabled) {
        health->instances.count = 0;
        set_all(health, STATUS_UNKNOWN, "health_monitor.enabled is false: nothing is judged");
        return;
    }
    if (snapshot->sequence == 0)
        return;
    instances_judge(&health->instances, &in);
    note_dry_run(health->config, &findings);
    events_judge(snapshot, &findings);
    probe_facts_judge(facts, &health->watch, snapshot->monotonic_ns, &findings);
    services_judge(health->services, snapshot->monotonic_ns, &findings);
    endpoints_judge(health->endpoint_checks, &findings);
    collect(health, &findings);
}

void health_tick(struct health *health, const struct snapshot *snapshot, const struct probe *probe)
{
    struct probe_facts facts;

    probe_facts_gather(&facts, probe, snapshot->monotonic_ns);
    health_judge(health, snapshot, &facts);
}

enum status health_status(const struct health *health)
{
    enum status status = STATUS_HEALTHY;

    for (int c = 0; c < COMPONENT_COUNT; c++)
        status = status_worse(status, health->components[c].status);
    return status;
}

void health_component(const struct health *health, enum component c, struct component_view *ret)
{
    *ret = (struct component_view){
        .status = health->components[c].status,
        .reasons = &health->components[c].reasons,
    };
}

size_t health_check_count(const struct health *health)
{
    return health->instances.count;
}

void health_check(const struct health *health, size_t index, struct check_view *ret)
{
    const struct instance *instance = &health->instances.list[index];

    *ret = (struct check_view){
        .name = instance->name,
        .component = instance->definition->component,
        .status = instance->check.status,
        .warning = instance->warning,
        .critical = instance->critical,
        .value = instance->value,
        .reason = instance->reason,
        .since_ns = instance->check.since_ns,
    };
}

bool health_find_check(const struct health *health, const char *name, struct check_view *ret)
{
    for (size_t i = 0; i < health->instances.count; i++) {
        if (strcmp(health->instances.list[i].name, name) == 0) {
            health_check(health, i, ret);
            return true;
        }
    }
    return false;
}
