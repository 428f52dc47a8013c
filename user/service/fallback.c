#include "service/fallback.h"
#include "base/clock.h"
#include "base/names.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct fallback {
    const struct config_fallback *rules;
    struct fallback_ops ops;
    struct fallback_choice choice;
    bool anew; /* the list is another: its indexes mean nothing now */
    uint64_t switches_total[FALLBACK_OFFER_COUNT];
    uint64_t count;
    struct fallback_switch history[FALLBACK_HISTORY];
};

const char *const fallback_offer_names[] = {
    [FALLBACK_OFFERS_PRIMARY] = "primary", [FALLBACK_OFFERS_ENDPOINT] = "alternative",
    [FALLBACK_OFFERS_CACHED] = "cached",   [FALLBACK_OFFERS_REDUCED] = "reduced",
    [FALLBACK_OFFERS_NOTHING] = "nothing", NULL,
};
NAMES_OF(fallback_offer_names, FALLBACK_OFFER_COUNT);

const char *fallback_offer_name(enum fallback_offer offer)
{
    return name_at(fallback_offer_names, FALLBACK_OFFER_COUNT, offer);
}

static struct fallback_choice nothing(const char *why)
{
    return (struct fallback_choice){.offer = FALLBACK_OFFERS_NOTHING, .refusal = why};
}

static enum endpoint_state state_of(const struct fallback_input *in, size_t endpoint)
{
    return in->endpoints ? in->endpoints[endpoint] : ENDPOINT_UNTRIED;
}

static struct fallback_choice choose_endpoint(const struct fallback *f,
                                              const struct fallback_input *in)
{
    static const enum endpoint_state order[] = {ENDPOINT_UP, ENDPOINT_UNTRIED};
    size_t count = f->rules->endpoints.count;

    if (f->choice.offer == FALLBACK_OFFERS_ENDPOINT && !f->anew &&
        state_of(in, f->choice.endpoint) != ENDPOINT_DOWN)
        return f->choice;
    for (size_t o = 0; o < sizeof(order) / sizeof(order[0]); o++)
        for (size_t e = 0; e < count; e++)
            if (state_of(in, e) == order[o])
                return (struct fallback_choice){.offer = FALLBACK_OFFERS_ENDPOINT, .endpoint = e};
    return nothing("every endpoint is down");
}

static struct fallback_choice choose(const struct fallback *f, uint64_t now_ns,
                                     const struct fallback_input *in)
{
    const struct config_fallback *rules = f->rules;

    if (!in->open)
        return (struct fallback_choice){.offer = FALLBACK_OFFERS_PRIMARY};
    if (!rules->given)
        return nothing("no fallback is configured");
    if (!rules->enabled)
        return nothing("the fallback is disabled");
    switch (rules->strategy) {
    case FALLBACK_ALTERNATIVE:
        return choose_endpoint(f, in);
    case FALLBACK_CACHED:
        if (!in->cached_ns)
            return nothing("no good answer was kept yet");
        if ((double)(now_ns - in->cached_ns) > rules->cache_ttl_seconds * (double)NS_PER_SECOND)
            return nothing("the last good answer is older than cache_ttl");
        return (struct fallback_choice){.offer = FALLBACK_OFFERS_CACHED};
    case FALLBACK_REDUCED:
        break;
    }
    return (struct fallback_choice){.offer = FALLBACK_OFFERS_REDUCED};
}

static bool differs(const struct fallback_choice *a, const struct fallback_choice *b)
{
    return a->offer != b->offer || a->endpoint != b->endpoint || a->refusal != b->refusal;
}

static void record(struct fallback *f, uint64_t now_ns, const struct fallback_choice *to)
{
    struct fallback_switch *s = &f->history[f->count++ % FALLBACK_HISTORY];

    *s = (struct fallback_switch){.at_ns = now_ns, .from = f->choice, .to = *to};
    if (to->offer == FALLBACK_OFFERS_ENDPOINT)
        snprintf(s->endpoint, sizeof(s->endpoint), "%s", f->rules->endpoints.items[to->endpoint]);
    f->switches_total[to->offer]++;
    f->choice = *to;
    if (f->ops.switched)
        f->ops.switched(f->ops.ctx, s);
}

int fallback_create(struct fallback **ret, const struct config_fallback *rules,
                    const struct fallback_ops *ops)
{
    struct fallback *f = calloc(1, sizeof(*f));

    if (!f)
        return -ENOMEM;
    f->rules = rules;
    f->ops = *ops;
    *ret = f;
    return 0;
}

void fallback_destroy(struct fallback *f)
{
    free(f);
}

void fallback_configure(struct fallback *f, const struct config_fallback *rules)
{
    f->rules = rules;
    f->anew = true;
}

void fallback_tick(struct fallback *f, uint64_t now_ns, const struct fallback_input *in,
                   struct fallback_choice *ret)
{
    struct fallback_choice choice = choose(f, now_ns, in);

    if (differs(&choice, &f->choice) || (f->anew && choice.offer == FALLBACK_OFFERS_ENDPOINT))
        record(f, now_ns, &choice);
    f->anew = false;
    *ret = f->choice;
}

void fallback_standby(const struct fallback *f, uint64_t now_ns, const struct fallback_input *in,
                      struct fallback_choice *ret)
{
    struct fallback_input open = *in;

    open.open = true;
    *ret = choose(f, now_ns, &open);
}

static const char *place(const struct fallback_choice *c)
{
    static const char *const places[FALLBACK_OFFER_COUNT] = {
        [FALLBACK_OFFERS_PRIMARY] = "the upstream",
        [FALLBACK_OFFERS_ENDPOINT] = "an alternative",
        [FALLBACK_OFFERS_CACHED] = "its last good answer",
        [FALLBACK_OFFERS_REDUCED] = "the reduced answer",
        [FALLBACK_OFFERS_NOTHING] = "nothing",
    };

    return places[c->offer];
}

void fallback_say(const struct fallback_switch *s, char *out, size_t size)
{
    snprintf(out, size, "from %s to %s%s%s", place(&s->from),
             *s->endpoint ? s->endpoint : place(&s->to), s->to.refusal ? ": " : "",
             s->to.refusal ? s->to.refusal : "");
}

void fallback_view(const struct fallback *f, struct fallback_view *ret)
{
    *ret = (struct fallback_view){
        .choice = f->choice,
        .history_count = f->count < FALLBACK_HISTORY ? (size_t)f->count : FALLBACK_HISTORY,
    };
    for (int i = 0; i < FALLBACK_OFFER_COUNT; i++)
        ret->switches_total[i] = f->switches_total[i];
    for (size_t i = 0; i < ret->history_count; i++)
        ret->history[i] = &f->history[(f->count - 1 - i) % FALLBACK_HISTORY];
}
