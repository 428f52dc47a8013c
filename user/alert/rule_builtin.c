/* What is alerted on without any configuration. The health checks have their own durations and
 * hysteresis, so their rules add none. */
#include "alert/rule_table.h"
#include <math.h>

#define CHECK(name_, match_)                                                                       \
    .name = (char *)(name_), .enabled = true, .kind = RULE_STATUS, .above = NAN, .below = NAN,     \
    .clear = NAN, .severity = SEVERITY_WARNING, .summary = (char *)"{{ $reason }}",                \
    .match = {1, (struct config_pair[]){{(char *)"check", (char *)(match_)}}}

#define EVENT(name_, event_, severity_, count_, within_)                                           \
    .name = (char *)(name_), .enabled = true, .kind = RULE_EVENT, .above = NAN, .below = NAN,      \
    .clear = NAN, .event = (event_), .count = (count_), .within_seconds = (within_),               \
    .keep_firing_for_seconds = 300, .severity = (severity_), .summary = (char *)"{{ $reason }}"

#define METRIC(name_, kind_, metric_)                                                              \
    .name = (char *)(name_), .enabled = true, .kind = (kind_), .metric = (char *)(metric_),        \
    .below = NAN, .severity = SEVERITY_WARNING

const struct config_rule built_in_rules[] = {
    {CHECK("HostCpu", "cpu")},
    {CHECK("HostMemory", "memory")},
    {CHECK("HostSwap", "swap")},
    {CHECK("HostDisk", "disk")},
    {CHECK("HostInodes", "inodes")},
    {CHECK("HostFilesystem", "filesystem")},
    {CHECK("HostPids", "pids")},
    {CHECK("HostFiles", "files")},
    {CHECK("HostConntrack", "conntrack")},
    {CHECK("ProcessFiles", "process_files")},
    {CHECK("CgroupPids", "cgroup_pids")},
    {CHECK("AcceptQueue", "accept_queue")},
    {CHECK("TasksStuck", "stuck")},
    {CHECK("HostPressure", "pressure")},
    {CHECK("HostStalled", "pressure_full")},
    {CHECK("CgroupThrottled", "throttled")},
    {CHECK("RunQueueDelay", "runq_delay")},
    /* The kernel has killed something; whatever is left may work again, so not critical. */
    {EVENT("OomKill", RULE_EVENT_OOM, SEVERITY_ERROR, 1, 300)},
    {EVENT("ProcessCrash", RULE_EVENT_CRASH, SEVERITY_WARNING, 1, 300)},
    {EVENT("CrashLoop", RULE_EVENT_CRASH_LOOP, SEVERITY_CRITICAL, 1, 300)},
    {EVENT("BreakerOpen", RULE_EVENT_BREAKER, SEVERITY_ERROR, 1, 300),
     .match = {1, (struct config_pair[]){{(char *)"state", (char *)"open"}}}},
    /* What is worse than usual has lasted for two steps of the window by then. */
    {.name = (char *)"ServiceDegraded",
     .enabled = true,
     .kind = RULE_DEGRADATION,
     .above = NAN,
     .below = NAN,
     .clear = NAN,
     .severity = SEVERITY_WARNING,
     .summary = (char *)"{{ $reason }}"},
    /* One stall is what reclaim does; many in a minute are an application that stands still. */
    {EVENT("ReclaimStalls", RULE_EVENT_STALL, SEVERITY_WARNING, 10, 60)},
    {EVENT("ProbeShed", RULE_EVENT_PROBE_SHED, SEVERITY_INFO, 1, 300)},
    {EVENT("RecordsLost", RULE_EVENT_RECORDS_LOST, SEVERITY_INFO, 1, 300)},
    {METRIC("AgentLate", RULE_THRESHOLD, "moonwatch_loop_lag_seconds"), .above = 1, .clear = 0.5,
     .for_seconds = 60,
     .summary = (char *)"The agent itself waits {{ $value }} s for a CPU: the host is overloaded"},
    {METRIC("CpuUnknown", RULE_ABSENT, "moonwatch_cpu_usage_ratio"), .above = NAN, .clear = NAN,
     .for_seconds = 300, .summary = (char *)"Nothing is known about the CPUs for 5 minutes"},
    {METRIC("MemoryUnknown", RULE_ABSENT, "moonwatch_memory_usage_ratio"), .above = NAN,
     .clear = NAN, .for_seconds = 300,
     .summary = (char *)"Nothing is known about the memory for 5 minutes"},
};

const size_t built_in_rule_count = sizeof(built_in_rules) / sizeof(built_in_rules[0]);
