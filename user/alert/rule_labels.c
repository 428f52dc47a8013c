/* Which labels the alerts of a rule have, so that a sentence that names another one is refused
 * before it is sent. */
#include "alert/rule_table.h"
#include <string.h>

#define NAMES_MAX 6

struct row {
    const char *begins; /* of the metric, or the event */
    const char *names[NAMES_MAX];
};

/* By the beginning of the metric's name; the first that fits counts. */
static const struct row metrics[] = {
    {"moonwatch_health_status", {"status"}},
    {"moonwatch_health_component_status", {"component", "status"}},
    {"moonwatch_health_check_severity", {"check"}},
    {"moonwatch_cpu_usage_ratio", {NULL}},
    {"moonwatch_load", {NULL}},
    {"moonwatch_tasks_", {NULL}},
    {"moonwatch_memory_", {NULL}},
    {"moonwatch_swap_", {NULL}},
    {"moonwatch_pressure_ratio", {"resource", "share", "window"}},
    {"moonwatch_pressure_triggers_total", {"resource"}},
    {"moonwatch_filesystem_", {"device", "fstype", "mount"}},
    {"moonwatch_block_latency_", {"device", "op", "le"}},
    {"moonwatch_block_", {"device", "op"}},
    {"moonwatch_network_", {"interface"}},
    {"moonwatch_conntrack_", {NULL}},
    {"moonwatch_processes", {NULL}},
    {"moonwatch_threads", {NULL}},
    {"moonwatch_pid_", {NULL}},
    {"moonwatch_files_", {NULL}},
    {"moonwatch_process_files_", {NULL}},
    {"moonwatch_listener_", {"port"}},
    {"moonwatch_tcp_listen_", {NULL}},
    {"moonwatch_cgroup_run_queue_delay_", {"cgroup", "le"}},
    {"moonwatch_cgroup_", {"cgroup"}},
    {"moonwatch_run_queue_delay_", {"class", "le"}},
    {"moonwatch_oom_victims_total", {NULL}},
    {"moonwatch_crashes_total", {NULL}},
    {"moonwatch_main_process_failures_total", {NULL}},
    {"moonwatch_bpf_program_info", {"program", "target", "concern", "state", "reason"}},
    {"moonwatch_bpf_program_", {"program"}},
    {"moonwatch_records_", {"type"}},
    {"moonwatch_agent_", {NULL}},
    {"moonwatch_loop_", {NULL}},
};

static const struct row events[RULE_EVENT_COUNT] = {
    [RULE_EVENT_CRASH] = {"crash", {"event", "comm", "cgroup", "unit", "signal"}},
    [RULE_EVENT_OOM] = {"oom", {"event", "comm", "cgroup", "unit"}},
    [RULE_EVENT_BREAKER] = {"breaker", {"event", "upstream", "state"}},
    [RULE_EVENT_STALL] = {"stall", {"event", "comm", "cgroup", "unit"}},
    [RULE_EVENT_PROBE_SHED] = {"probe_shed", {"event", "program", "concern"}},
    [RULE_EVENT_RECORDS_LOST] = {"records_lost", {"event", "type"}},
    [RULE_EVENT_CRASH_LOOP] = {"crash_loop", {"event", "comm", "cgroup", "unit"}},
    [RULE_EVENT_SERVICE_FAILED] = {"service_failed", {"event", "comm", "cgroup", "unit", "status"}},
};

static const struct row degradation_row = {"degradation", {"role", "name"}};
static const struct row status_row = {"status", {"component", "check", "subject"}};

static const struct row *find_row(const struct config_rule *rule)
{
    if (rule->kind == RULE_STATUS)
        return &status_row;
    if (rule->kind == RULE_DEGRADATION)
        return &degradation_row;
    if (rule->kind == RULE_EVENT)
        return &events[rule->event];
    if (rule->kind != RULE_THRESHOLD)
        return NULL;
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
        if (strncmp(rule->metric, metrics[i].begins, strlen(metrics[i].begins)) == 0)
            return &metrics[i];
    return NULL;
}

static bool is_name(const char *name, const char *label, struct text *allowed)
{
    text_printf(allowed, "%s%s", allowed->len ? ", " : "", name);
    return strcmp(name, label) == 0;
}

static bool in_map(const struct config_map *map, const char *label, struct text *allowed)
{
    for (size_t i = 0; i < map->count; i++)
        if (is_name(map->items[i].key, label, allowed))
            return true;
    return false;
}

bool rule_has_label(const struct config_rule *rule, const char *label, struct text *allowed)
{
    const struct row *row = find_row(rule);

    /* A detector's labels are its own business, and so are those of a metric added later. */
    if (!row && rule->kind != RULE_ABSENT)
        return true;
    for (size_t i = 0; row && i < NAMES_MAX && row->names[i]; i++)
        if (is_name(row->names[i], label, allowed))
            return true;
    /* An absent series has the labels it should have had. */
    return is_name("alertname", label, allowed) || is_name("severity", label, allowed) ||
           in_map(&rule->labels, label, allowed) ||
           (rule->kind == RULE_ABSENT && in_map(&rule->match, label, allowed));
}
