#include "facts/sources.h"
#include "facts/tables.h"

#define ROWS(name, missing_member)                                                                 \
    {                                                                                              \
        (name), offsetof(struct snapshot, missing_member), NULL, 0                                 \
    }
#define SINGLE(name, missing_member, figures, section)                                             \
    {                                                                                              \
        (name), offsetof(struct snapshot, missing_member), &(figures),                             \
            offsetof(struct snapshot, section)                                                     \
    }

/* Each of them says by itself why it is not there. */
#define FIGURES(figures, section)                                                                  \
    {                                                                                              \
        NULL, 0, &(figures), offsetof(struct snapshot, section)                                    \
    }

const struct source snapshot_sources[] = {
    SINGLE("cpu", cpu.missing, cpu_table, cpu),
    SINGLE("memory", memory.missing, memory_table, memory),
    ROWS("filesystem", disk.missing),
    ROWS("block", disk.devices_missing),
    ROWS("block_latency", disk.traced_missing),
    ROWS("network", network.interfaces_missing),
    SINGLE("conntrack", network.conntrack_entries.missing, network_table, network),
    ROWS("tcp", network.ports_missing),
    SINGLE("pressure", pressure.missing, pressure_resources_table, pressure),
    ROWS("pressure_triggers", pressure.triggers_missing),
    ROWS("throttle", throttle.missing),
    ROWS("tasks", process.top_missing),
    ROWS("process_lifecycle", process.lifecycle_missing),
    FIGURES(processes_table, process),
    ROWS("scheduler", scheduler.missing),
    ROWS("blocked", scheduler.blocked_missing),
    ROWS("reclaim", scheduler.reclaim_missing),
};
const size_t snapshot_source_count = sizeof(snapshot_sources) / sizeof(snapshot_sources[0]);
