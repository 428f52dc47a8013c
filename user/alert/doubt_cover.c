/* Whether a list of matchers leaves nothing for another one, as far as the values of a label are
 * known. */
#include "alert/doubts.h"
#include <string.h>

bool doubt_may_be(const struct matchers *matchers, const char *label, const char *value)
{
    for (size_t i = 0; i < matchers_count(matchers); i++)
        if (strcmp(matchers_name(matchers, i), label) == 0 &&
            !matchers_may_hold(matchers, i, value))
            return false;
    return true;
}

struct cover {
    struct doubts_state *state;
    const struct matchers *wide, *narrow;
    size_t index; /* in `wide` */
    bool any, all;
};

static void try_value(struct cover *c, const char *value)
{
    if (!c->all)
        return;
    /* Not known is not covered. */
    c->all = c->state->values_tried++ < DOUBT_VALUES_MAX;
    if (!doubt_may_be(c->narrow, matchers_name(c->wide, c->index), value))
        return;
    c->any = true;
    c->all &= matchers_may_hold(c->wide, c->index, value);
}

/* All values that what `narrow` takes can have. False: they are not known. */
static bool try_values(const struct doubts *d, struct cover *c)
{
    const char *label = matchers_name(c->wide, c->index), *value;

    for (size_t i = 0; i < matchers_count(c->narrow); i++) {
        value = matchers_only_value(c->narrow, i);
        if (value && strcmp(matchers_name(c->narrow, i), label) == 0) {
            try_value(c, value);
            return true;
        }
    }
    if (strcmp(label, "severity") == 0) {
        for (int s = 0; s < SEVERITY_COUNT; s++)
            try_value(c, severity_text((enum severity)s));
        return true;
    }
    if (strcmp(label, "alertname") != 0)
        return false;
    for (size_t i = 0; i < rule_set_count(d->plan->rules); i++)
        try_value(c, rule_set_at(d->plan->rules, i)->config->name);
    return true;
}

bool doubt_covers(const struct doubts *d, const struct matchers *wide,
                  const struct matchers *narrow)
{
    struct cover c = {.state = d->state, .wide = wide, .narrow = narrow, .all = true};

    for (c.index = 0; c.index < matchers_count(wide); c.index++) {
        if (matchers_have(narrow, wide, c.index))
            continue;
        c.any = false;
        if (!try_values(d, &c) || !c.any || !c.all)
            return false;
    }
    return true;
}
