#include "alert/origin.h"
#include <string.h>

/* What happened, rather than what it happened to. */
static const char *const circumstances[] = {"alertname", "event", "severity",
                                            "signal",    "state", "status"};

static bool is_circumstance(const char *name)
{
    for (size_t i = 0; i < sizeof(circumstances) / sizeof(circumstances[0]); i++)
        if (strcmp(name, circumstances[i]) == 0)
            return true;
    return false;
}

static size_t thing_pairs(const struct labels *alert, struct label pairs[LABELS_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < labels_count(alert); i++) {
        struct label pair = labels_at(alert, i);

        if (!is_circumstance(pair.name))
            pairs[n++] = pair;
    }
    if (n == 0)
        pairs[n++] = (struct label){"alertname", labels_get(alert, "alertname")};
    return n;
}

int origin_thing(const struct labels *alert, struct labels **ret)
{
    struct label pairs[LABELS_MAX];

    return labels_create_again(ret, pairs, thing_pairs(alert, pairs));
}

static uint64_t hash_of(const char *name, const char *value, size_t n)
{
    return strong_bytes(strong_string(STRONG_START, name), value, n);
}

/* A user makes as many cgroups and names as he likes; the slice of his sessions is one. */
static size_t cgroup_bytes(const char *path)
{
    static const char users[] = "/user.slice/";
    const size_t n = sizeof(users) - 1;

    return strncmp(path, users, n) == 0 ? n + strcspn(path + n, "/") : strlen(path);
}

uint64_t origin_source(const struct labels *alert)
{
    static const char *const names[] = {"service", "unit", "upstream"};
    const char *cgroup = labels_get(alert, "cgroup");
    struct label pairs[LABELS_MAX];
    uint64_t hash = STRONG_START;
    size_t count;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = labels_get(alert, names[i]);

        if (*value)
            return hash_of(names[i], value, strlen(value));
    }
    if (*cgroup)
        return hash_of("cgroup", cgroup, cgroup_bytes(cgroup));
    count = thing_pairs(alert, pairs);
    for (size_t i = 0; i < count; i++)
        hash = strong_string(strong_string(hash, pairs[i].name), pairs[i].value);
    return hash;
}
