#include "breaker/recovery.h"

void recovery_closed(struct recovery *r, uint64_t now_ns)
{
    r->closed_ns = now_ns;
}

static uint64_t clamped(uint64_t ns, const struct recovery_rule *rule)
{
    if (ns < rule->base_ns)
        return rule->base_ns;
    return ns > rule->max_ns ? rule->max_ns : ns;
}

uint64_t recovery_next_ns(const struct recovery *r, const struct recovery_rule *rule,
                          uint64_t now_ns)
{
    uint64_t halvings =
        r->closed_ns && now_ns > r->closed_ns ? (now_ns - r->closed_ns) / rule->base_ns : 0;

    return clamped(halvings < 64 ? r->next_ns >> halvings : 0, rule);
}

static uint64_t jittered(uint64_t nominal_ns, const struct recovery_rule *rule, double draw)
{
    uint64_t least = nominal_ns / 2 > rule->base_ns ? nominal_ns / 2 : rule->base_ns;

    return least + (uint64_t)(draw * (double)(nominal_ns - least));
}

uint64_t recovery_open(struct recovery *r, const struct recovery_rule *rule, uint64_t now_ns,
                       double draw)
{
    double grown;

    r->nominal_ns = recovery_next_ns(r, rule, now_ns);
    grown = (double)r->nominal_ns * rule->multiplier;
    r->next_ns = grown < (double)rule->max_ns ? clamped((uint64_t)grown, rule) : rule->max_ns;
    r->closed_ns = 0;
    return jittered(r->nominal_ns, rule, draw);
}

uint64_t recovery_reopen(struct recovery *r, const struct recovery_rule *rule, double draw)
{
    r->nominal_ns = clamped(r->nominal_ns, rule);
    r->closed_ns = 0;
    return jittered(r->nominal_ns, rule, draw);
}
