/* The overhead budget: over it, the costliest probe goes first, and comes back for another trial.
 */
#include "probe/probe_state.h"
#include <math.h>
#include <stdio.h>

static double group_cost(const struct probe *probe, unsigned group)
{
    double cost = 0;

    for (size_t i = 0; i < probe->program_count; i++) {
        const struct program *program = &probe->programs[i];

        if (program->group == group && program->link_fd >= 0 && !isnan(program->stats.cpu_percent))
            cost += program->stats.cpu_percent;
    }
    return cost;
}

static int find_costliest(const struct probe *probe)
{
    double worst = 0;
    int found = -1;

    for (unsigned g = 0; g < probe->group_count; g++) {
        double cost = group_cost(probe, g);

        if (probe->groups[g].state == GROUP_ATTACHED && cost > worst) {
            worst = cost;
            found = (int)g;
        }
    }
    return found;
}

static void shed(struct probe *probe, unsigned index, double cost, double total, uint64_t now_ns)
{
    struct probe_group *group = &probe->groups[index];

    for (size_t i = 0; i < probe->program_count; i++) {
        struct program *program = &probe->programs[i];

        if (program->group != index || program->link_fd < 0)
            continue;
        program->state = PROGRAM_SHED;
        snprintf(program->reason, PROBE_REASON_BYTES,
                 "over budget: %.3g %% of a core (%.0f runs/s of %.0f ns), all probes %.3g %%, "
                 "allowed %.3g %% of a core",
                 cost, program->stats.runs_per_second,
                 isnan(program->stats.ns_per_run) ? 0.0 : program->stats.ns_per_run, total,
                 probe->config.budget_percent);
    }
    group_detach(probe, index);
    group->state = GROUP_SHED;
    group->shed_total++;
    group->retry_at_ns = now_ns + probe->config.budget_retry_ns;
}

void budget_judge(struct probe *probe, uint64_t now_ns)
{
    double total = probe->cpu_percent;
    double left = total;
    bool confirmed = probe->over_budget;

    probe->over_budget = probe->config.budget_percent > 0 && total > probe->config.budget_percent;
    if (!probe->over_budget)
        return;
    if (!confirmed) {
        probe->stats_next_ns = now_ns;
        return;
    }
    while (left > probe->config.budget_percent) {
        int costliest = find_costliest(probe);
        double cost;

        if (costliest < 0)
            break;
        cost = group_cost(probe, (unsigned)costliest);
        shed(probe, (unsigned)costliest, cost, total, now_ns);
        left -= cost;
    }
    probe->over_budget = false;
}

static void mark_attached(struct probe *probe, unsigned index)
{
    probe->groups[index].state = GROUP_ATTACHED;
    probe->groups[index].retry_at_ns = 0;
    probe->groups[index].attached_again_ns = clock_monotonic_ns(probe->clock);
    for (size_t i = 0; i < probe->program_count; i++) {
        struct program *program = &probe->programs[i];

        if (program->group == index && program->link_fd >= 0) {
            program->state = PROGRAM_ATTACHED;
            program->reason[0] = '\0';
        }
    }
}

void budget_retry(struct probe *probe, uint64_t now_ns)
{
    for (unsigned g = 0; g < probe->group_count; g++) {
        struct probe_group *group = &probe->groups[g];
        struct program *culprit;
        int err;

        if (group->state != GROUP_SHED || now_ns < group->retry_at_ns)
            continue;
        reason_forget();
        err = group_attach(probe, g, &culprit);
        if (err < 0) {
            reason_take(err, culprit->reason);
            group->retry_at_ns = now_ns + probe->config.budget_retry_ns;
            continue;
        }
        mark_attached(probe, g);
        /* Judged soon: until then it runs over a budget it has exceeded before. */
        if (probe->stats_fd < 0)
            probe->stats_next_ns = now_ns;
    }
}
