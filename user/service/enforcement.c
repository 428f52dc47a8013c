/* Whether a breaker is enforced: by configuration, and by what was read back from the kernel. */
#include "service/services_state.h"
#include <stdio.h>
#include <string.h>

static const char expired[] =
    "the agent was held up for so long that the kernel lets everything pass until it goes on";

static const char *why_not_asked(const struct upstream *u, const struct breaker_view *breaker)
{
    if (breaker->mode == BREAKER_MODE_OBSERVE)
        return "mode is observe: what would be refused is counted only";
    if (breaker->mode == BREAKER_MODE_DISABLED)
        return u->config->breaker.mode == BREAKER_MODE_DISABLED ? "mode is disabled"
                                                                : "circuit_breaker is disabled";
    if (breaker->dry_run)
        return "the agent runs with --dry-run: what would be refused is counted only";
    return NULL;
}

struct enforcement_view enforcement_of(const struct services *s, const struct upstream *u,
                                       const struct breaker_view *breaker, uint64_t now_ns)
{
    const char *why = why_not_asked(u, breaker);

    /* Counting, too, needs somebody. */
    if (why && breaker->mode != BREAKER_MODE_DISABLED && !s->rows_missing &&
        u->enforcement == ENFORCEMENT_IDLE)
        why = u->why;
    if (why)
        return (struct enforcement_view){ENFORCEMENT_NOT_ASKED, false, why};
    if (s->rows_missing)
        return (struct enforcement_view){ENFORCEMENT_FAILED, false, s->rows_missing};
    if (u->acts && now_ns >= s->lease_ns)
        return (struct enforcement_view){ENFORCEMENT_FAILED, false, expired};
    return (struct enforcement_view){u->enforcement, u->acts,
                                     u->enforcement == ENFORCEMENT_ACTIVE ? NULL : u->why};
}

void services_set_enforcement(struct services *s, size_t upstream, enum enforcement enforcement,
                              bool acts, const char *why)
{
    upstream_set_enforcement(s->upstreams[upstream], enforcement, acts, why);
}

void services_set_lease(struct services *s, uint64_t expires_ns)
{
    s->lease_ns = expires_ns;
}

static bool is_wanting(enum enforcement enforcement)
{
    return enforcement == ENFORCEMENT_IDLE || enforcement == ENFORCEMENT_FAILED;
}

void enforcement_say(const struct services *s, struct upstream *u, uint64_t now_ns)
{
    struct enforcement_view now;
    struct breaker_view breaker;
    enum enforcement said = u->said;

    breaker_view(u->breaker, now_ns, &breaker);
    now = enforcement_of(s, u, &breaker, now_ns);
    u->said_acts = now.acts;
    if (now.enforcement == ENFORCEMENT_PENDING ||
        (now.enforcement == said && strcmp(now.why ? now.why : "", u->said_why) == 0))
        return;
    u->said = now.enforcement;
    snprintf(u->said_why, sizeof(u->said_why), "%s", now.why ? now.why : "");
    /* That all is as configured is worth a word only after it was not. */
    if (s->ops.enforcement_changed && (is_wanting(now.enforcement) ||
                                       (now.enforcement == ENFORCEMENT_ACTIVE && is_wanting(said))))
        s->ops.enforcement_changed(s->ops.ctx, u->name, now.enforcement, now.why);
}
