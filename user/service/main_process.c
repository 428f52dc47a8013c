#include "service/main_process.h"
#include "abi/exit.h"
#include <string.h>

static bool is_named(const char *comm, const char *name)
{
    return strncmp(comm, name, COMM_BYTES) == 0;
}

static bool is_last_part(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');

    return strcmp(slash ? slash + 1 : path, name) == 0;
}

bool is_main_process(const struct config *config, const struct record_exit *record)
{
    for (size_t i = 0; i < config->services.count; i++) {
        const struct config_service *service = &config->services.items[i];

        if (service->match.comm && is_named(record->comm, service->match.comm) &&
            !is_named(record->parent_comm, service->match.comm))
            return true;
        if (service->match.cgroup && record->facts & EXIT_HEADS_CGROUP &&
            is_last_part(service->match.cgroup, record->cgroup_name))
            return true;
    }
    return false;
}
