/* GET /health/resources: what the host has, how much of it is used, and by whom. */
#include "base/cleanup.h"
#include "http/routes.h"
#include "http/sections.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows of the port list; the others are in /metrics. */
#define PORTS_SHOWN 16

#define UNJUDGED "no check judges this"

static struct top_view top_of(const struct process_snapshot *process, enum top_order order)
{
    return (struct top_view){
        .missing = process->top_missing,
        .count = process->top_count[order],
        .rows = process->top[order],
    };
}

static void judge_mount(struct section *ret, const struct health *health, const char *kind,
                        const char *mount)
{
    char name[sizeof(((struct filesystem *)0)->mount) + 16];
    struct check_view check;

    snprintf(name, sizeof(name), "%s:%s", kind, mount);
    if (!health_find_check(health, name, &check))
        return;
    ret->status = status_worse(ret->status, check.status);
    ret->warning = check.warning;
    ret->critical = check.critical;
    if (check.status != STATUS_HEALTHY && *check.reason && ret->reason_count < SECTION_REASONS)
        ret->reasons[ret->reason_count++] = check.reason;
}

static void add_judgement(struct section *to, const struct section *of)
{
    to->status = status_worse(to->status, of->status);
    for (size_t i = 0; i < of->reason_count; i++)
        if (to->reason_count < SECTION_REASONS)
            to->reasons[to->reason_count++] = of->reasons[i];
}

static void view_disk(struct disk_view *view, const struct health *health,
                      const struct filesystem *fs)
{
    static const struct section blank = {.status = STATUS_HEALTHY, .warning = NAN, .critical = NAN};
    struct section state = blank;
    struct check_view check;
    char name[sizeof(fs->mount) + 16];

    *view = (struct disk_view){.section = blank, .inodes = blank, .figures = fs};
    judge_mount(&state, health, "filesystem", fs->mount);
    snprintf(name, sizeof(name), "disk:%s", fs->mount);
    if (state.status == STATUS_HEALTHY && !health_find_check(health, name, &check)) {
        view->section.status = STATUS_UNKNOWN;
        view->section.reasons[view->section.reason_count++] =
            fs->read_only ? "a read-only filesystem is not judged" : UNJUDGED;
        return;
    }
    judge_mount(&view->section, health, "disk", fs->mount);
    judge_mount(&view->inodes, health, "inodes", fs->mount);
    add_judgement(&view->section, &view->inodes);
    add_judgement(&view->section, &state);
}

/* What went wrong, then what is busy. */
static int compare_ports(const void *a, const void *b)
{
    const struct tcp_stats *x = &((const struct tcp_port *)a)->stats;
    const struct tcp_stats *y = &((const struct tcp_port *)b)->stats;
    uint64_t bad_x = x->retransmits + x->resets_received,
             bad_y = y->retransmits + y->resets_received;

    for (int f = 0; f < CONNECT_FAILURE_COUNT; f++) {
        bad_x += x->connects_failed[f];
        bad_y += y->connects_failed[f];
    }
    if (bad_x != bad_y)
        return bad_x < bad_y ? 1 : -1;
    return (x->opened < y->opened) - (x->opened > y->opened);
}

struct rows {
    struct disk_view *disks;
    struct device_view *devices;
    struct tcp_port *ports;
};

static void rows_free(struct rows *rows)
{
    free(rows->disks);
    free(rows->devices);
    free(rows->ports);
}

static int add_rows(struct resources_view *view, const struct body_env *env, struct rows *rows)
{
    const struct disk_snapshot *disk = &env->facts->snapshot->disk;
    const struct network_snapshot *network = &env->facts->snapshot->network;
    size_t disks = disk->missing ? 0 : disk->filesystem_count;
    size_t devices = disk->devices_missing ? 0 : disk->device_count;
    size_t ports = network->ports_missing || network->missing ? 0 : network->port_count;

    rows->disks = calloc(disks + 1, sizeof(*rows->disks));
    rows->devices = calloc(devices + 1, sizeof(*rows->devices));
    rows->ports = calloc(ports + 1, sizeof(*rows->ports));
    if (!rows->disks || !rows->devices || !rows->ports)
        return -ENOMEM;
    for (size_t i = 0; i < disks; i++)
        view_disk(&rows->disks[i], env->facts->health, &disk->filesystems[i]);
    for (size_t i = 0; i < devices; i++) {
        rows->devices[i].figures = &disk->devices[i];
        if (!disk->devices[i].traced)
            rows->devices[i].untraced = disk->traced_missing
                                            ? disk->traced_missing
                                            : "no request was seen since the agent started";
    }
    if (ports) {
        memcpy(rows->ports, network->ports, ports * sizeof(*rows->ports));
        qsort(rows->ports, ports, sizeof(*rows->ports), compare_ports);
    }
    view->disks = rows->disks;
    view->disk_count = disks;
    view->io.devices = rows->devices;
    view->io.device_count = devices;
    view->network.ports = rows->ports;
    view->network.port_count = ports < PORTS_SHOWN ? ports : PORTS_SHOWN;
    view->network.ports_omitted = ports - view->network.port_count;
    return 0;
}

static const char *concern_missing(const struct body_env *env, enum probe_concern concern)
{
    const char *reason = NULL;

    if (!env->facts->probe)
        return env->facts->probe_missing ? env->facts->probe_missing : "BPF is off";
    if (probe_concern_active(env->facts->probe, concern, &reason))
        return NULL;
    return reason && *reason ? reason : "the probe does not run";
}

static void judge(struct resources_view *view, const struct health *health)
{
    static const char *const cpu[] = {"cpu", "throttled", NULL};
    static const char *const memory[] = {"memory", "swap", NULL};
    static const char *const network[] = {"conntrack", "accept_queue", NULL};
    static const char *const pressure[] = {"pressure", "pressure_full", NULL};
    static const char *const files[] = {"files", "process_files", NULL};
    static const char *const processes[] = {"pids", "cgroup_pids", "stuck", NULL};

    section_judge(&view->cpu.section, health, cpu, UNJUDGED);
    section_judge(&view->memory.section, health, memory, UNJUDGED);
    section_judge(&view->network.section, health, network,
                  "only connection tracking is judged, and this host has none");
    section_judge(&view->pressure.section, health, pressure, UNJUDGED);
    section_judge(&view->files.section, health, files, UNJUDGED);
    section_judge(&view->processes.section, health, processes, UNJUDGED);
}

static int body_resources(const struct body_env *env, struct body *ret)
{
    const struct snapshot *s = env->facts->snapshot;
    struct resources_view view = {
        .realtime_ns = s->realtime_ns,
        .cpu = {.figures = &s->cpu,
                .throttle = &s->throttle,
                .processes = &s->process,
                .cgroups = &s->cgroup_cpu},
        .memory = {.figures = &s->memory},
        .disks_missing = s->disk.missing,
        .io = {.devices_missing = s->disk.devices_missing},
        .network = {.figures = &s->network,
                    .ports_missing =
                        s->network.missing ? s->network.missing : s->network.ports_missing},
        .pressure = {.figures = &s->pressure},
        .files = {.figures = &s->process},
        .processes = {.figures = &s->process},
        .events = {.events = &s->events,
                   .ooms_missing = concern_missing(env, CONCERN_OOM),
                   .crashes_missing = concern_missing(env, CONCERN_PROCESS),
                   .connects_missing = concern_missing(env, CONCERN_TCP),
                   .stalls_missing = concern_missing(env, CONCERN_RECLAIM)},
    };
    struct rows rows = {0};
    int r = add_rows(&view, env, &rows);

    if (r < 0)
        goto out;
    view.cpu.top = top_of(&s->process, TOP_CPU);
    view.memory.top = top_of(&s->process, TOP_RSS);
    view.io.top = top_of(&s->process, TOP_BLOCKED);
    health_component(env->facts->health, COMPONENT_RESOURCES, &view.component);
    judge(&view, env->facts->health);
    r = body_render(ret, 200, &resources_table, &view, s);
out:
    rows_free(&rows);
    return r;
}

const struct route route_resources = {
    .method = "GET",
    .path = "/health/resources",
    .role = ROLE_VIEWER,
    .body = body_resources,
    .needs_sample = true,
    .type = ROUTE_JSON,
    .table = &resources_table,
    .id = "healthResources",
    .summary = "CPU, memory, disks, network, pressure: usage, thresholds, status, top offenders",
    .answer = "The figures of the last second",
};
