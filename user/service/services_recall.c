#include "service/services_recall.h"
#include "service/services_state.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT 1
/* Beyond it a double does not hold every integer. */
#define INTEGER_MAX 9007199254740992.0

static void add_usual(cJSON *to, const struct performance *performance)
{
    cJSON *usual = cJSON_AddObjectToObject(to, "usual"), *slots;
    struct baseline b;

    performance_usual_get(performance, &b);
    cJSON_AddNumberToObject(usual, "calls", b.calls);
    cJSON_AddNumberToObject(usual, "failed", b.failed);
    cJSON_AddNumberToObject(usual, "sum_ns", b.sum_ns);
    slots = cJSON_AddArrayToObject(usual, "slots");
    for (int i = 0; i < FINE_SLOT_COUNT; i++)
        cJSON_AddItemToArray(slots, cJSON_CreateNumber(b.slots[i]));
}

static void add_breaker(cJSON *to, const struct upstream *u, uint64_t now_ns)
{
    cJSON *breaker = cJSON_AddObjectToObject(to, "breaker");
    struct breaker_saved saved;

    breaker_save(u->breaker, now_ns, &saved);
    cJSON_AddNumberToObject(breaker, "word", (double)saved.word);
    cJSON_AddNumberToObject(breaker, "retry_ns", (double)saved.retry_ns);
    cJSON_AddNumberToObject(breaker, "nominal_ns", (double)saved.nominal_ns);
    cJSON_AddNumberToObject(breaker, "next_ns", (double)saved.next_ns);
    cJSON_AddBoolToObject(breaker, "by_hand", saved.by_hand);
}

static cJSON *add_named(cJSON *list, const char *name)
{
    cJSON *item = cJSON_CreateObject();

    cJSON_AddStringToObject(item, "name", name);
    cJSON_AddItemToArray(list, item);
    return item;
}

cJSON *services_remember(const struct services *s, uint64_t now_ns, uint64_t realtime_ns)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *services, *upstreams;

    cJSON_AddNumberToObject(json, "format", FORMAT);
    cJSON_AddNumberToObject(json, "realtime_ns", (double)realtime_ns);
    services = cJSON_AddArrayToObject(json, "services");
    for (size_t i = 0; i < s->service_count; i++)
        add_usual(add_named(services, s->services[i]->name), s->services[i]->performance);
    upstreams = cJSON_AddArrayToObject(json, "upstreams");
    for (size_t i = 0; i < s->upstream_count; i++) {
        cJSON *item = add_named(upstreams, s->upstreams[i]->name);

        add_usual(item, s->upstreams[i]->performance);
        add_breaker(item, s->upstreams[i], now_ns);
    }
    return json;
}

/* A finite number, not negative; NaN when it is none. */
static double number_in(const cJSON *json, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, name);

    if (!cJSON_IsNumber(item) || !isfinite(item->valuedouble) || item->valuedouble < 0)
        return NAN;
    return item->valuedouble;
}

static bool read_u64(const cJSON *json, const char *name, uint64_t *ret)
{
    double value = number_in(json, name);

    if (!(value <= INTEGER_MAX))
        return false;
    *ret = (uint64_t)value;
    return true;
}

static bool read_usual(const cJSON *item, struct baseline *ret)
{
    const cJSON *usual = cJSON_GetObjectItemCaseSensitive(item, "usual"), *slot;
    int i = 0;

    *ret = (struct baseline){
        .calls = number_in(usual, "calls"),
        .failed = number_in(usual, "failed"),
        .sum_ns = number_in(usual, "sum_ns"),
    };
    cJSON_ArrayForEach (slot, cJSON_GetObjectItemCaseSensitive(usual, "slots")) {
        if (i == FINE_SLOT_COUNT || !cJSON_IsNumber(slot) || !isfinite(slot->valuedouble) ||
            slot->valuedouble < 0)
            return false;
        ret->slots[i++] = slot->valuedouble;
        ret->answered += slot->valuedouble;
    }
    return i == FINE_SLOT_COUNT && isfinite(ret->calls) && isfinite(ret->sum_ns) &&
           ret->failed <= ret->calls;
}

static bool read_breaker(const cJSON *item, struct breaker_saved *ret)
{
    const cJSON *breaker = cJSON_GetObjectItemCaseSensitive(item, "breaker");
    const cJSON *by_hand = cJSON_GetObjectItemCaseSensitive(breaker, "by_hand");

    *ret = (struct breaker_saved){.by_hand = cJSON_IsTrue(by_hand)};
    return cJSON_IsBool(by_hand) && read_u64(breaker, "word", &ret->word) &&
           BREAKER_STATE_OF(ret->word) < BREAKER_STATE_COUNT &&
           read_u64(breaker, "retry_ns", &ret->retry_ns) &&
           read_u64(breaker, "nominal_ns", &ret->nominal_ns) &&
           read_u64(breaker, "next_ns", &ret->next_ns);
}

static const char *name_of(const cJSON *item)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "name"));
}

/* Whole, before anything of it is taken. */
static bool is_sound(const cJSON *json, const char **ret_why)
{
    const cJSON *services = cJSON_GetObjectItemCaseSensitive(json, "services"),
                *upstreams = cJSON_GetObjectItemCaseSensitive(json, "upstreams"), *item;
    struct breaker_saved saved;
    struct baseline usual;

    *ret_why = "it is cut or not JSON";
    if (!json)
        return false;
    *ret_why = "it is of another format";
    if (number_in(json, "format") != FORMAT)
        return false;
    *ret_why = "something is missing or out of range";
    if (!cJSON_IsArray(services) || !cJSON_IsArray(upstreams) ||
        isnan(number_in(json, "realtime_ns")))
        return false;
    cJSON_ArrayForEach (item, services) {
        if (!name_of(item) || !read_usual(item, &usual))
            return false;
    }
    cJSON_ArrayForEach (item, upstreams) {
        if (!name_of(item) || !read_usual(item, &usual) || !read_breaker(item, &saved))
            return false;
    }
    return true;
}

static void recall_usual(struct performance *performance, const cJSON *item, uint64_t age_ns)
{
    static const struct traffic none;
    struct baseline usual;

    read_usual(item, &usual);
    baseline_learn(&usual, &none, age_ns);
    performance_usual_set(performance, &usual);
}

static void recall(struct services *s, const cJSON *json, uint64_t now_ns, uint64_t age_ns)
{
    const cJSON *item;

    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(json, "services")) {
        for (size_t i = 0; i < s->service_count; i++)
            if (strcmp(s->services[i]->name, name_of(item)) == 0)
                recall_usual(s->services[i]->performance, item, age_ns);
    }
    cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(json, "upstreams")) {
        size_t i = services_find_upstream(s, name_of(item));
        struct breaker_saved saved;

        if (i == SIZE_MAX)
            continue;
        recall_usual(s->upstreams[i]->performance, item, age_ns);
        read_breaker(item, &saved);
        breaker_restore(s->upstreams[i]->breaker, &saved, !s->upstreams[i]->adopted, now_ns);
    }
}

int services_recall(struct services *s, const cJSON *json, uint64_t now_ns, uint64_t realtime_ns,
                    char *error, size_t error_size)
{
    double saved_ns = number_in(json, "realtime_ns");
    const char *why;

    if (!is_sound(json, &why)) {
        snprintf(error, error_size, "%s", why);
        return -EINVAL;
    }
    /* A clock that was set back makes nothing older. */
    recall(s, json, now_ns,
           saved_ns < (double)realtime_ns ? (uint64_t)((double)realtime_ns - saved_ns) : 0);
    return 0;
}
