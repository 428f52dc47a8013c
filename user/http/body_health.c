/* GET /health: one status for the host, its components, and the probes that do not run. */
#include "base/cleanup.h"
#include "http/routes.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct probe_row {
    struct program_view program;
    const char *concern, *state;
    double retry_in_seconds;
};

struct health_view {
    enum status status;
    uint64_t realtime_ns;
    const char *version;
    uint64_t uptime_ns;
    struct component_view components[COMPONENT_COUNT];
    size_t probe_count;
    const struct probe_row *probes;
    const char *probes_missing;
    size_t unseen_count;
    struct visibility_part unseen[VISIBILITY_PARTS];
};

static const struct field component_fields[] = {
    {.key = "status", .kind = FIELD_STATUS, .offset = offsetof(struct component_view, status)},
    {.key = "reasons",
     .kind = FIELD_REASONS,
     .offset = offsetof(struct component_view, reasons),
     .about = "what is wrong, each a sentence to act on"},
};

static const struct field_table component_table =
    FIELD_TABLE("Component", component_fields, "One judged part of the host.");

#define COMPONENT(name, index, description)                                                        \
    {                                                                                              \
        .key = (name), .kind = FIELD_OBJECT, .table = &component_table,                            \
        .offset = (index) * sizeof(struct component_view), .about = (description)                  \
    }

static const struct field components_fields[] = {
    COMPONENT("scheduler", COMPONENT_SCHEDULER, "run queues and background jobs"),
    COMPONENT("resources", COMPONENT_RESOURCES, "CPU, memory, disks, network, limits"),
    COMPONENT("performance", COMPONENT_PERFORMANCE, "latency and errors of services"),
    COMPONENT("priority", COMPONENT_PRIORITY, "fairness between priority classes"),
};

static const struct field_table components_table =
    FIELD_TABLE("Components", components_fields, NULL);

static const char *const program_states[] = {"unsupported", "shed", NULL};

#define PROGRAM(name, field_kind, member, ...)                                                     \
    {                                                                                              \
        .key = (name), .kind = (field_kind), .offset = offsetof(struct probe_row, member),         \
        __VA_ARGS__                                                                                \
    }

static const struct field probe_fields[] = {
    PROGRAM("program", FIELD_STRING, program.name),
    PROGRAM("target", FIELD_STRING, program.target, .about = "the kernel's hook"),
    PROGRAM("concern", FIELD_STRING, concern, .about = "what it measures"),
    PROGRAM("state", FIELD_STRING, state, .choices = program_states,
            .about = "unsupported: this kernel or these privileges do not allow it; shed: it was "
                     "over the overhead budget"),
    PROGRAM("reason", FIELD_STRING, program.reason),
    PROGRAM("retry_in_seconds", FIELD_DOUBLE, retry_in_seconds,
            .unknown = "an unsupported program is not tried again"),
};

static const struct field_table probe_table =
    FIELD_TABLE("Probe", probe_fields, "A BPF program that does not run, and why.");

#define PART(name, member, ...)                                                                    \
    {                                                                                              \
        .key = (name), .kind = FIELD_STRING, .offset = offsetof(struct visibility_part, member),   \
        __VA_ARGS__                                                                                \
    }

static const struct field unseen_fields[] = {
    PART("what", name, .about = "processes, cgroups, disks or network"),
    PART("reason", why, .about = "a sentence to act on"),
};

static const struct field_table unseen_table = FIELD_TABLE(
    "Unseen", unseen_fields, "A part of the host that cannot be seen from where the agent runs.");

#define VIEW(name, field_kind, member, ...)                                                        \
    {                                                                                              \
        .key = (name), .kind = (field_kind), .offset = offsetof(struct health_view, member),       \
        __VA_ARGS__                                                                                \
    }

#define HEALTH_FIELDS                                                                              \
    VIEW("status", FIELD_STATUS, status, .about = "the worst of the components"),                  \
        VIEW("ts", FIELD_TIME, realtime_ns, .unknown = "nothing was sampled yet",                  \
             .about = "when the figures were taken"),                                              \
        VIEW("version", FIELD_STRING, version), VIEW("uptime_seconds", FIELD_DURATION, uptime_ns), \
        VIEW("components", FIELD_OBJECT, components, .table = &components_table)

static const struct field health_fields[] = {
    HEALTH_FIELDS,
    VIEW("probes", FIELD_LIST, probes, .table = &probe_table, .stride = sizeof(struct probe_row),
         .count_offset = offsetof(struct health_view, probe_count),
         .missing_at = MISSING_AT(struct health_view, probes_missing),
         .about = "BPF programs that do not run; empty when all do"),
    VIEW("unseen", FIELD_ROWS, unseen, .table = &unseen_table,
         .stride = sizeof(struct visibility_part),
         .count_offset = offsetof(struct health_view, unseen_count),
         .about = "what the figures do not cover, as in a container; empty when all is seen"),
};

static const struct field health_reduced_fields[] = {HEALTH_FIELDS};

static const struct field_table health_table =
    FIELD_TABLE("Health", health_fields, "The host's health.");
static const struct field_table health_reduced_table =
    FIELD_TABLE("HealthReduced", health_reduced_fields,
                "The host's health for a caller without a token: no detail of the host.");

static const struct reasons reasons_withheld = {
    .count = 1, .text = {"the reasons are shown to callers with a viewer token"}};

static size_t list_probes(const struct probe *probe, uint64_t now_ns, struct probe_row *rows)
{
    size_t n = 0;

    for (size_t i = 0; i < probe_program_count(probe); i++) {
        struct probe_row *row = &rows[n];
        const struct program_view *program = &row->program;

        probe_program_view(probe, i, &row->program);
        if (program->state != PROGRAM_UNSUPPORTED && program->state != PROGRAM_SHED)
            continue;
        row->concern = probe_concern_name(program->concern);
        row->state = program_state_name(program->state);
        row->retry_in_seconds = NAN;
        if (program->state == PROGRAM_SHED)
            row->retry_in_seconds = program->retry_at_ns > now_ns
                                        ? (double)(program->retry_at_ns - now_ns) / NS_PER_SECOND
                                        : 0;
        n++;
    }
    return n;
}

static int add_probes(struct health_view *view, const struct body_env *env,
                      struct probe_row **ret_rows)
{
    const struct probe *probe = env->facts->probe;
    struct probe_row *rows;

    if (!probe) {
        view->probes_missing = env->facts->probe_missing ? env->facts->probe_missing : "BPF is off";
        return 0;
    }
    rows = calloc(probe_program_count(probe) + 1, sizeof(*rows));
    if (!rows)
        return -ENOMEM;
    view->probe_count = list_probes(probe, clock_monotonic_ns(env->facts->clock), rows);
    view->probes = rows;
    *ret_rows = rows;
    return 0;
}

static void add_unseen(struct health_view *view, const struct visibility_part *parts)
{
    for (size_t i = 0; i < VISIBILITY_PARTS; i++)
        if (parts[i].why)
            view->unseen[view->unseen_count++] = parts[i];
}

static int body_health(const struct body_env *env, struct body *ret)
{
    const struct health *health = env->facts->health;
    struct health_view view = {
        .status = health_status(health),
        .realtime_ns = env->facts->snapshot->sequence ? env->facts->snapshot->realtime_ns : 0,
        .version = MOONWATCH_VERSION,
        .uptime_ns = clock_monotonic_ns(env->facts->clock) - env->facts->started_monotonic_ns,
    };
    CLEANUP_FREE struct probe_row *rows = NULL;
    int r = env->reduced ? 0 : add_probes(&view, env, &rows);

    if (r < 0)
        return r;
    if (!env->reduced)
        add_unseen(&view, env->facts->visibility);
    for (int c = 0; c < COMPONENT_COUNT; c++) {
        health_component(health, c, &view.components[c]);
        if (env->reduced && view.components[c].reasons && view.components[c].reasons->count)
            view.components[c].reasons = &reasons_withheld;
    }
    /* Load balancers take a host out on 503: a degraded host still serves. */
    return body_render(ret, view.status == STATUS_UNHEALTHY ? 503 : 200,
                       env->reduced ? &health_reduced_table : &health_table, &view, NULL);
}

const struct route route_health = {
    .method = "GET",
    .path = "/health",
    .role = ROLE_PUBLIC,
    .body = body_health,
    .varies = VARIES_BY_CALLER,
    .type = ROUTE_JSON,
    .table = &health_table,
    .reduced = &health_reduced_table,
    .id = "health",
    .summary = "The host's health and that of its components",
    .answer = "Healthy, degraded or unknown; without a viewer token, no detail of the host",
};
