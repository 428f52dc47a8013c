/* Who is behind an alert, from the snapshot's lists of processes. */
#include "facts/alert_source_row.h"
#include "health/culprit.h"
#include <string.h>

/* Which list of processes tells who is behind a check. */
static bool order_of(const char *check, enum top_order *ret)
{
    static const struct {
        const char *begins;
        enum top_order order;
    } orders[] = {
        {"cpu", TOP_CPU},       {"throttled", TOP_CPU}, {"runq_delay", TOP_CPU},
        {"memory", TOP_RSS},    {"swap", TOP_RSS},      {"pressure", TOP_RUN_DELAY},
        {"stuck", TOP_BLOCKED},
    };

    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (strncmp(check, orders[i].begins, strlen(orders[i].begins)) != 0)
            continue;
        *ret = orders[i].order;
        return true;
    }
    return false;
}

static void add_process(const struct snapshot *snapshot, const struct process_row *row,
                        enum top_order order, struct text *out)
{
    char said[128];
    struct phrase p;

    phrase_init(&p, said, sizeof(said));
    if (order == TOP_CPU) {
        culprit_say_cpu(snapshot, row, &p);
    } else {
        phrase_add(&p, "%.*s (pid %u) ", COMM_BYTES, row->comm, row->pid);
        if (order == TOP_RSS)
            phrase_bytes(&p, (double)row->rss_bytes);
        else if (order == TOP_BLOCKED)
            phrase_add(&p, "blocked %.0f %% of the time", row->blocked_percent.value);
        else
            phrase_add(&p, "waited %.0f %% of the time", row->run_delay_percent.value);
    }
    text_printf(out, "%s%s", out->len ? ", " : "", said);
}

static void add_cpu_of_many(const struct snapshot *snapshot, struct text *out)
{
    char said[192];
    struct phrase p;

    phrase_init(&p, said, sizeof(said));
    if (culprit_say_cpu_of_many(snapshot, &p))
        text_printf(out, "%s%s", out->len ? ", " : "", said);
}

/* The newest that the alert tells of. */
static const struct oom_capsule *find_oom(const struct event_snapshot *events,
                                          const struct labels *alert)
{
    const char *comm = labels_get(alert, "comm"), *cgroup = labels_get(alert, "cgroup");

    for (size_t i = 0; i < events->oom_rows; i++)
        if (strncmp(events->ooms[i].record.comm, comm, COMM_BYTES) == 0 &&
            strcmp(oom_place(&events->ooms[i]), cgroup) == 0)
            return &events->ooms[i];
    return NULL;
}

void source_explain(void *ctx, const struct labels *alert, struct text *out)
{
    const struct alert_source *source = ctx;
    const struct process_snapshot *process = &source->snapshot->process;
    const char *check = labels_get(alert, "check"), *subject = labels_get(alert, "subject");
    enum top_order order;

    if (strcmp(labels_get(alert, "event"), "oom") == 0) {
        const struct oom_capsule *oom = find_oom(&source->snapshot->events, alert);

        for (size_t i = 0; oom && i < oom->top_count; i++)
            add_process(source->snapshot, &oom->top[i], TOP_RSS, out);
        return;
    }
    if (!order_of(check, &order))
        return;
    /* Of pressure the resource tells. */
    if (strncmp(check, "pressure", 8) == 0)
        order = strcmp(subject, "memory") == 0 ? TOP_RSS
                : strcmp(subject, "io") == 0   ? TOP_BLOCKED
                                               : TOP_RUN_DELAY;
    if (order == TOP_CPU)
        add_cpu_of_many(source->snapshot, out);
    for (size_t i = 0; i < process->top_count[order]; i++)
        add_process(source->snapshot, &process->top[order][i], order, out);
}
