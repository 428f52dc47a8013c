#include "health/instance.h"
#include "base/array.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct check_table *const tables[] = {&cpu_checks,        &load_checks,
                                                   &pressure_checks,   &capacity_checks,
                                                   &exhaustion_checks, &scheduler_checks};

const char *health_check_name(size_t index)
{
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); index -= tables[i++]->count)
        if (index < tables[i]->count)
            return tables[i]->rows[index].name;
    return NULL;
}

void instances_free(struct instances *all)
{
    free(all->list);
    *all = (struct instances){0};
}

static double level_of(const struct config *config, size_t at, double constant)
{
    const void *level = (const char *)config + at;

    return at ? *(const double *)level : constant;
}

static void name_instance(char name[CHECK_NAME_BYTES], const struct check_definition *d,
                          const char *key)
{
    snprintf(name, CHECK_NAME_BYTES, key ? "%s:%s" : "%s", d->name, key);
}

/* The checks come in the same order every tick, so the one sought is mostly at `*cursor`. NULL when
 * out of memory. */
static struct instance *find_or_add(struct instances *all, const struct check_definition *d,
                                    const char *key, size_t *cursor)
{
    char name[CHECK_NAME_BYTES];
    struct instance *instance;

    name_instance(name, d, key);
    for (size_t i = 0; i < all->count; i++) {
        size_t at = (*cursor + i) % all->count;

        if (strcmp(all->list[at].name, name) == 0) {
            *cursor = at + 1;
            return &all->list[at];
        }
    }
    if (!ARRAY_GROW(all->list, all->capacity, all->count + 1)) {
        all->out_of_memory = true;
        return NULL;
    }
    instance = &all->list[all->count++];
    *instance = (struct instance){.definition = d};
    memcpy(instance->name, name, sizeof(name));
    return instance;
}

static void say_level(struct phrase *p, const char *level_name, const char *level_of, double level,
                      double value, bool in_seconds, double clear_level)
{
    phrase_add(p, ", %s at %s", level_name, level_of ? level_of : "");
    if (in_seconds)
        phrase_wait(p, level);
    else
        phrase_add(p, "%g %%", level);
    if (value >= level)
        return;
    phrase_add(p, ", clears once it stays below ");
    if (in_seconds)
        phrase_wait(p, clear_level);
    else
        phrase_add(p, "%.3g %%", clear_level);
}

static void give_reason(struct instance *instance, struct check_at *at,
                        const struct check_rule *rule, const struct check_sample *sample)
{
    const struct check_definition *d = instance->definition;
    bool critical = instance->check.status == STATUS_UNHEALTHY;
    double level = critical ? rule->critical : rule->warning;
    struct phrase p;

    phrase_init(&p, instance->reason, sizeof(instance->reason));
    if (instance->check.status == STATUS_HEALTHY)
        return;
    if (instance->check.status == STATUS_UNKNOWN) {
        phrase_add(&p, "no reading of %s: %s", instance->name,
                   instance->value.missing ? instance->value.missing : "unknown");
        return;
    }
    at->value = instance->check.value;
    d->say(at, &p);
    if (!d->in_grades)
        say_level(&p, critical ? "critical" : "warning", sample->level_of,
                  level * sample->level_share, instance->check.value * sample->level_share,
                  d->in_seconds, check_clear_level(rule, level) * sample->level_share);
    if (d->advise)
        d->advise(at, &p);
    if (d->advice)
        phrase_add(&p, "%s", d->advice);
}

static struct reading judged_reading(const struct check_sample *sample)
{
    if (!reading_known(sample->value))
        return sample->value;
    if (sample->quiet)
        return reading_of(0);
    return isnan(sample->judged) ? sample->value : reading_of(sample->judged);
}

static void judge_one(struct instances *all, struct check_at *at, size_t *cursor)
{
    const struct check_definition *d = at->definition;
    struct check_sample sample = {
        .essential = d->essential,
        .judged = NAN,
        .level_share = 1,
        .critical_raise_ns = d->critical_raise_ns ? d->critical_raise_ns : d->raise_ns,
    };
    struct check_rule rule = {
        .warning = level_of(at->config, d->warning_at, d->warning),
        .critical = level_of(at->config, d->critical_at, d->critical),
        .margin = d->margin,
        .raise_ns = d->raise_ns,
        .clear_ns = d->clear_ns,
        .grace_ns = CHECK_GRACE_NS,
        .average_ns = d->average_ns,
    };
    struct instance *instance;

    if (!d->read(at, &sample))
        return;
    instance = find_or_add(all, d, sample.key, cursor);
    if (!instance)
        return;
    instance->seen = true;
    instance->essential = sample.essential;
    instance->value = sample.value;
    instance->warning = rule.warning * sample.level_share;
    instance->critical = rule.critical * sample.level_share;
    rule.critical_raise_ns = sample.critical_raise_ns;
    check_feed(&instance->check, &rule, judged_reading(&sample), at->snapshot->monotonic_ns);
    give_reason(instance, at, &rule, &sample);
}

/* A mount that is gone, a cgroup that was removed: nothing to judge any more. */
static void drop_unseen(struct instances *all)
{
    size_t kept = 0;

    for (size_t i = 0; i < all->count; i++) {
        if (!all->list[i].seen)
            continue;
        if (kept != i)
            all->list[kept] = all->list[i];
        all->list[kept++].seen = false;
    }
    all->count = kept;
}

void instances_judge(struct instances *all, const struct health_input *in)
{
    size_t cursor = 0;

    all->out_of_memory = false;
    for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
        for (size_t r = 0; r < tables[t]->count; r++) {
            const struct check_definition *d = &tables[t]->rows[r];
            size_t count = d->count ? d->count(in) : 1;

            for (size_t i = 0; i < count; i++)
                judge_one(all, &(struct check_at){in->snapshot, in->config, d, i, NAN}, &cursor);
        }
    }
    drop_unseen(all);
}

bool instances_said(const struct instances *all, const struct instance *instance)
{
    if (reading_known(instance->value))
        return false;
    for (const struct instance *i = all->list; i < instance; i++) {
        if (i->check.status == STATUS_UNKNOWN && !reading_known(i->value) &&
            i->definition->component == instance->definition->component &&
            strcmp(i->value.missing, instance->value.missing) == 0)
            return true;
    }
    return false;
}
