#include "service/attribution.h"
#include "abi/call.h"
#include "probe/calls.h"
#include "service/netns.h"
#include "service/unit_path.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct attributed {
    char *name;
    bool present;
};

struct attribution {
    struct probe *probe;
    const struct host *host;
    const char *cgroup_root;
    const struct config *config;
    struct attributed rows[SERVICES_MAX];  /* by row; name NULL: free */
    uint32_t row_of[SERVICES_MAX];         /* by service */
    struct netns_seen netns[SERVICES_MAX]; /* likewise */
    const struct config *next;             /* NULL: nothing is staged */
    char *next_names[SERVICES_MAX];        /* of those that have no row yet */
    struct service_key *keys, *told;
    size_t key_count, told_count, capacity;
    int error; /* -ENOMEM while keys are gathered */
};

int attribution_create(struct attribution **ret, struct probe *probe, const struct host *host,
                       const char *cgroup_root)
{
    struct attribution *a = calloc(1, sizeof(*a));

    if (!a)
        return -ENOMEM;
    a->probe = probe;
    a->host = host;
    a->cgroup_root = cgroup_root;
    *ret = a;
    return 0;
}

void attribution_destroy(struct attribution *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < SERVICES_MAX; i++)
        free(a->rows[i].name);
    attribution_unstage(a);
    free(a->keys);
    free(a->told);
    free(a);
}

static uint32_t find_row(const struct attribution *a, const char *name)
{
    for (uint32_t row = 0; row < SERVICES_MAX; row++)
        if (name ? a->rows[row].name && strcmp(a->rows[row].name, name) == 0 : !a->rows[row].name)
            return row;
    return SERVICES_MAX;
}

static bool is_configured(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->services.count; i++)
        if (strcmp(config->services.items[i].name, name) == 0)
            return true;
    return false;
}

int attribution_stage(struct attribution *a, const struct config *config)
{
    attribution_unstage(a);
    if (config->services.count > SERVICES_MAX)
        return -E2BIG;
    for (size_t i = 0; i < config->services.count; i++) {
        const char *name = config->services.items[i].name;

        if (find_row(a, name) < SERVICES_MAX)
            continue;
        a->next_names[i] = strdup(name);
        if (!a->next_names[i]) {
            attribution_unstage(a);
            return -ENOMEM;
        }
    }
    a->next = config;
    return 0;
}

void attribution_unstage(struct attribution *a)
{
    for (size_t i = 0; i < SERVICES_MAX; i++) {
        free(a->next_names[i]);
        a->next_names[i] = NULL;
    }
    a->next = NULL;
}

void attribution_commit(struct attribution *a)
{
    const struct config *config = a->next;

    if (!config)
        return;
    for (size_t row = 0; row < SERVICES_MAX; row++) {
        if (a->rows[row].name && !is_configured(config, a->rows[row].name)) {
            free(a->rows[row].name);
            a->rows[row] = (struct attributed){0};
        }
    }
    for (size_t i = 0; i < config->services.count; i++) {
        if (a->next_names[i])
            a->rows[find_row(a, NULL)].name = a->next_names[i];
        a->next_names[i] = NULL;
        a->row_of[i] = find_row(a, config->services.items[i].name);
    }
    memset(a->netns, 0, sizeof(a->netns));
    a->config = config;
    a->next = NULL;
}

uint32_t attribution_row(const struct attribution *a, size_t service)
{
    return UPSTREAMS_MAX + a->row_of[service];
}

bool attribution_absent(const struct attribution *a, size_t service)
{
    return !a->rows[a->row_of[service]].present;
}

static void add_key(struct attribution *a, enum service_key_kind kind, uint64_t key, size_t service)
{
    if (a->key_count == a->capacity) {
        size_t capacity = a->capacity ? 2 * a->capacity : 64;
        struct service_key *grown = reallocarray(a->keys, capacity, sizeof(*grown));

        if (!grown) {
            a->error = -ENOMEM;
            return;
        }
        a->keys = grown;
        a->capacity = capacity;
    }
    /* What was told is compared with memcmp(), padding included. */
    memset(&a->keys[a->key_count], 0, sizeof(*a->keys));
    a->keys[a->key_count].kind = kind;
    a->keys[a->key_count].key = key;
    a->keys[a->key_count++].service = a->row_of[service];
    a->rows[a->row_of[service]].present = true;
}

static void add_cgroup(struct attribution *a, size_t service, const char *path)
{
    char full[PATH_MAX];
    struct stat st;

    if (!a->cgroup_root)
        return;
    snprintf(full, sizeof(full), "%s%s", a->cgroup_root, path);
    if (stat(full, &st) == 0 && S_ISDIR(st.st_mode))
        add_key(a, SERVICE_CGROUP, st.st_ino, service);
}

static void add_port(struct attribution *a, size_t service)
{
    const struct config_service *of = &a->config->services.items[service];
    uint64_t netns;

    if (netns_find(of->netns, &a->netns[service], &netns) == 0)
        add_key(a, SERVICE_PORT, SERVICE_PORT_KEY(netns, of->match.port), service);
}

static void add_unit(struct attribution *a, size_t service, const char *unit)
{
    char path[PATH_MAX];

    for (size_t i = 0; unit_path(unit, i, path); i++)
        add_cgroup(a, service, path);
}

static bool runs(const struct attribution *a, uint32_t pid, const char *exe)
{
    static const char deleted[] = " (deleted)"; /* replaced by an update while it runs */
    char link[PATH_MAX], target[PATH_MAX];
    size_t wanted = strlen(exe);
    ssize_t len;

    snprintf(link, sizeof(link), "%s/%u/exe", a->host->proc, pid);
    len = readlink(link, target, sizeof(target) - 1);
    if (len < 0)
        return false;
    target[len] = '\0';
    return strncmp(target, exe, wanted) == 0 &&
           (!target[wanted] || strcmp(target + wanted, deleted) == 0);
}

static void match_process(void *ctx, uint32_t pid, const char *comm)
{
    struct attribution *a = ctx;

    for (size_t i = 0; i < a->config->services.count; i++) {
        const struct config_service *service = &a->config->services.items[i];

        if (!service->match.comm && !service->match.exe)
            continue;
        if ((!service->match.comm || strcmp(service->match.comm, comm) == 0) &&
            (!service->match.exe || runs(a, pid, service->match.exe)))
            add_key(a, SERVICE_TGID, pid, i);
    }
}

static void gather(struct attribution *a, const struct task_table *tasks)
{
    bool by_process = false;

    for (size_t i = 0; i < a->config->services.count; i++) {
        const struct config_service *service = &a->config->services.items[i];

        a->rows[a->row_of[i]].present = false;
        by_process |= service->match.comm || service->match.exe;
        if (service->match.port)
            add_port(a, i);
        if (service->match.cgroup)
            add_cgroup(a, i, service->match.cgroup);
        if (service->match.unit)
            add_unit(a, i, service->match.unit);
    }
    if (by_process && tasks)
        task_table_for_each(tasks, match_process, a);
}

/* Processes come in no lasting order. */
static int compare_keys(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct service_key));
}

static bool told_already(const struct attribution *a)
{
    return a->told && a->key_count == a->told_count &&
           (!a->key_count || memcmp(a->keys, a->told, a->key_count * sizeof(*a->keys)) == 0);
}

static int tell_kernel(struct attribution *a)
{
    struct service_key *told;
    int r = probe_services_set(a->probe, a->keys, a->key_count);

    if (r < 0)
        return r;
    told = reallocarray(a->told, a->key_count + 1, sizeof(*told));
    if (!told)
        return -ENOMEM;
    if (a->key_count)
        memcpy(told, a->keys, a->key_count * sizeof(*told));
    a->told = told;
    a->told_count = a->key_count;
    return 0;
}

int attribution_refresh(struct attribution *a, const struct task_table *tasks)
{
    a->key_count = 0;
    a->error = 0;
    gather(a, tasks);
    if (a->error < 0)
        return a->error;
    if (a->key_count > 1)
        qsort(a->keys, a->key_count, sizeof(*a->keys), compare_keys);
    return told_already(a) ? 0 : tell_kernel(a);
}
