/* Services and clients that are allowed as they are configured, and match nothing. */
#include "base/nearest.h"
#include "base/text.h"
#include "config/config.h"
#include "config/key.h"
#include "config/reader.h"
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POINTER_BYTES 96

/* The type that the name ends in; NULL: none. */
static const char *type_of(const char *unit, const char *const *types)
{
    for (; *types; types++)
        if (text_ends(unit, *types))
            return *types;
    return NULL;
}

/* `typed` ends in what is nearly a type: `*ret_length` of it is what stands before. */
static const char *mistyped(const char *typed, size_t *ret_length)
{
    static const char *const types[] = {".service", ".scope", ".slice", ".socket"};
    const char *dot = strrchr(typed, '.'), *ret = NULL;
    struct nearest nearest;

    if (!dot || dot == typed)
        return NULL;
    nearest = nearest_to(dot);
    nearest.apart = 2;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (nearest_offer(&nearest, types[i]))
            ret = types[i];
    *ret_length = (size_t)(dot - typed);
    return ret;
}

/* As systemctl does with a name that has no type. */
void unit_complete(struct reader *reader, struct config_service *service)
{
    static const char *const with_processes[] = {".service", ".scope", ".slice", ".socket",
                                                 ".mount",   ".swap",  NULL};
    static const char *const without[] = {".timer",  ".path",      ".target",
                                          ".device", ".automount", NULL};
    const char *unit = service->match.unit, *type, *meant;
    char *complete;
    size_t length;

    if (!unit || type_of(unit, with_processes))
        return;
    type = type_of(unit, without);
    if (type) {
        reader_warning(reader, "unit",
                       "matches nothing: a %s has no processes (allowed: the unit it starts)",
                       type + 1);
        return;
    }
    meant = mistyped(unit, &length);
    if (meant)
        reader_warning(reader, "unit",
                       "\"%.60s\" is taken for %.60s.service; is %.*s%s meant? (allowed: the "
                       "name with its type)",
                       unit, unit, (int)(length < 60 ? length : 60), unit, meant);
    if (asprintf(&complete, "%s.service", unit) < 0)
        return;
    free(service->match.unit);
    service->match.unit = complete;
}

static void doubt_cgroup(const struct reader *reader, const char *cgroup, const char *pointer)
{
    if (cgroup && (strcmp(cgroup, CGROUP_MOUNT) == 0 || text_begins(cgroup, CGROUP_MOUNT "/")))
        config_warning_add(reader->errors, pointer,
                           "matches nothing: cgroups are named from their mount on (allowed: "
                           "%.120s)",
                           cgroup[strlen(CGROUP_MOUNT)] ? cgroup + strlen(CGROUP_MOUNT) : "/");
}

/* Processes are in the leaves, and a service is the processes of one cgroup. */
static void doubt_slice(const struct reader *reader, const char *name, const char *pointer)
{
    if (name && text_ends(name, ".slice"))
        config_warning_add(reader->errors, pointer,
                           "matches nothing: a slice has no processes of its own, and those of the "
                           "units in it are not taken (allowed: one of them)");
}

static void doubt_template(const struct reader *reader, const char *unit, const char *pointer)
{
    if (unit && strstr(unit, "@."))
        config_warning_add(reader->errors, pointer,
                           "matches nothing: \"%.60s\" is a template without processes (allowed: "
                           "an instance, NAME@INSTANCE.service)",
                           unit);
}

/* Where no mount can hang that the agent could not do without. */
static bool is_of_the_system(const char *path)
{
    static const char *const directories[] = {"/usr/", "/bin/", "/sbin/"};

    for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
        if (text_begins(path, directories[i]))
            return true;
    return false;
}

/* What runs is the file at the end of the links. Only where this host's tree is the one meant. */
static void doubt_exe(const struct reader *reader, const char *exe, const char *pointer)
{
    char target[PATH_MAX];

    if (!exe || strcmp(reader->config->server.host_root, "/") != 0 || !is_of_the_system(exe) ||
        !realpath(exe, target) || strcmp(exe, target) == 0)
        return;
    config_warning_add(reader->errors, pointer,
                       "matches nothing: %.80s leads to %.80s, which is what /proc/PID/exe says "
                       "(allowed: that one)",
                       exe, target);
}

static void doubt_pattern(const struct reader *reader, const char *value, const char *pointer)
{
    if (value && strchr(value, '*'))
        config_warning_add(reader->errors, pointer,
                           "matches nothing: \"%.60s\" is compared as it stands (allowed: a name "
                           "without *)",
                           value);
}

static void doubt_match(const struct reader *reader, const struct config_service *service,
                        size_t index)
{
    const struct {
        const char *key, *value;
        void (*doubt)(const struct reader *reader, const char *value, const char *pointer);
    } parts[] = {
        {"unit", service->match.unit, doubt_template},
        {"unit", service->match.unit, doubt_slice},
        {"unit", service->match.unit, doubt_unit},
        {"cgroup", service->match.cgroup, doubt_slice},
        {"unit", service->match.unit, doubt_pattern},
        {"cgroup", service->match.cgroup, doubt_cgroup},
        {"cgroup", service->match.cgroup, doubt_pattern},
        {"comm", service->match.comm, doubt_pattern},
        {"exe", service->match.exe, doubt_pattern},
        {"exe", service->match.exe, doubt_exe},
    };
    char pointer[POINTER_BYTES];

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        snprintf(pointer, sizeof(pointer), "/services/%zu/match/%s", index, parts[i].key);
        parts[i].doubt(reader, parts[i].value, pointer);
    }
}

void doubt_services(struct reader *reader, const struct config *config)
{
    char pointer[POINTER_BYTES];

    for (size_t i = 0; i < config->services.count; i++)
        doubt_match(reader, &config->services.items[i], i);
    for (size_t i = 0; i < config->upstreams.count; i++) {
        snprintf(pointer, sizeof(pointer), "/upstreams/%zu/clients/cgroup", i);
        doubt_cgroup(reader, config->upstreams.items[i].clients.cgroup, pointer);
        doubt_pattern(reader, config->upstreams.items[i].clients.cgroup, pointer);
    }
}
