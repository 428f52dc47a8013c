/* `moonwatch doctor`: what this kernel and these privileges allow. The probes are loaded and
 * attached for real, unpinned and next to whatever agent runs, and detached again. */
#include "base/cleanup.h"
#include "base/open_files.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "collect/filesystems.h"
#include "collect/visibility.h"
#include "config/config.h"
#include "http/listen.h"
#include "probe/pin.h"
#include "probe/privilege.h"
#include "probe/probe.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#define KERNEL_BTF "/sys/kernel/btf/vmlinux"
#define DETAIL_BYTES 1024

/* One fact about the host. */
struct fact {
    const char *name;
    bool good;
    char detail[DETAIL_BYTES];
};

#define FACTS_MAX 20

struct diagnosis {
    struct fact facts[FACTS_MAX];
    size_t fact_count;
    struct probe *probe; /* NULL when not even that could be had */
    char probe_error[PROBE_ERROR_BYTES];
};

__attribute__((format(printf, 4, 5))) static void
add_fact(struct diagnosis *findings, const char *name, bool good, const char *format, ...)
{
    struct fact *fact = &findings->facts[findings->fact_count++];
    char detail[DETAIL_BYTES];
    CLEANUP_FREE char *clean = NULL;
    va_list args;

    fact->name = name;
    fact->good = good;
    va_start(args, format);
    vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    /* Names of mounts may be anybody's. */
    clean = text_cleaned(detail);
    snprintf(fact->detail, sizeof(fact->detail), "%s", clean ? clean : "out of memory");
}

static void examine_kernel(struct diagnosis *findings)
{
    struct utsname name;

    uname(&name);
    add_fact(findings, "kernel", true, "%s %s", name.release, name.machine);
    if (access(KERNEL_BTF, R_OK) == 0)
        add_fact(findings, "btf", true, KERNEL_BTF);
    else
        add_fact(findings, "btf", false, KERNEL_BTF ": %s (CONFIG_DEBUG_INFO_BTF is needed)",
                 strerror(errno));
}

static void examine_mount(struct diagnosis *findings, const char *name, const char *path,
                          unsigned long magic, const char *use)
{
    struct statfs fs;

    if (statfs(path, &fs) == 0 && (unsigned long)fs.f_type == magic)
        add_fact(findings, name, true, "mounted at %s", path);
    else
        add_fact(findings, name, false, "not mounted at %s: %s", path, use);
}

static void examine_agent(struct diagnosis *findings, const char *pin_directory)
{
    int holder = pin_holder(pin_directory);

    if (holder > 0)
        add_fact(findings, "agent", true, "running, pid %d holds %s", holder, pin_directory);
    else if (holder == 0 || holder == -ENOENT)
        add_fact(findings, "agent", true, "not running (nobody holds %s)", pin_directory);
    else if (holder == -ESRCH)
        add_fact(findings, "agent", true, "running, holds %s", pin_directory);
    else
        add_fact(findings, "agent", false, "cannot tell: %s: %s", pin_directory, strerror(-holder));
}

static void examine_privileges(struct diagnosis *findings)
{
    for (size_t i = 0; i < privilege_count(); i++) {
        struct privilege privilege;

        privilege_view(i, &privilege);
        add_fact(findings, privilege.name, privilege.held, "%s: for %s",
                 privilege.held ? "held" : "missing", privilege.use);
    }
}

static void examine_visibility(struct diagnosis *findings, const struct config *config)
{
    struct visibility_part found[VISIBILITY_PARTS], parts[VISIBILITY_PARTS];
    struct filesystems *filesystems = NULL;
    struct disk_snapshot disk = {.missing = NULL};
    char error[HOST_ERROR_BYTES];
    struct host *host;

    if (host_create(&host, config->server.host_root, error) < 0) {
        add_fact(findings, "host root", false, "server.host_root: %s", error);
        return;
    }
    if (filesystems_create(&filesystems, host, NULL) == 0)
        filesystems_sample(filesystems, clock_monotonic_ns(clock_system()), &disk);
    visibility_find(host, found);
    visibility_now(found, &disk, parts);
    for (size_t i = 0; i < VISIBILITY_PARTS; i++)
        add_fact(findings, parts[i].name, !parts[i].why, "%s",
                 parts[i].why ? parts[i].why : "the host's are seen");
    filesystems_destroy(filesystems);
    host_destroy(host);
}

static void examine_limits(struct diagnosis *findings, const struct config *config)
{
    unsigned limit = open_files_raise();
    unsigned needed = listen_files_needed(config->server.max_connections);

    add_fact(findings, "open files", limit >= needed,
             "%u allowed here, %u needed with server.max_connections %u (LimitNOFILE=, ulimit -n)",
             limit, needed, config->server.max_connections);
}

static void examine(struct diagnosis *findings, const struct config *config)
{
    static const struct probe_ops ops = {0};
    struct probe_config probe_config;

    probe_config_init(&probe_config, config);
    examine_kernel(findings);
    examine_mount(findings, "bpffs", "/sys/fs/bpf", BPF_FS_MAGIC,
                  "the agent mounts it, to pin its maps there");
    examine_mount(findings, "tracefs", "/sys/kernel/tracing", TRACEFS_MAGIC, "no probe needs it");
    examine_agent(findings, probe_config.pin_directory);
    examine_privileges(findings);
    examine_visibility(findings, config);
    examine_limits(findings, config);
    probe_config.pin_directory = NULL;
    if (probe_create(&findings->probe, &probe_config, clock_system(), &ops, findings->probe_error) <
        0)
        findings->probe = NULL;
}

static bool any_attached(const struct probe *probe)
{
    for (size_t i = 0; probe && i < probe_program_count(probe); i++) {
        struct program_view view;

        probe_program_view(probe, i, &view);
        if (view.state == PROGRAM_ATTACHED)
            return true;
    }
    return false;
}

/* How it runs, or why it does not. */
static const char *remark(const struct probe *probe, const struct program_view *view)
{
    const char *method = probe_concern_method(probe, view->concern);

    if (view->state != PROGRAM_ATTACHED)
        return view->reason;
    return method[0] ? method : "-";
}

static void print_table(const struct diagnosis *findings)
{
    for (size_t i = 0; i < findings->fact_count; i++) {
        const struct fact *fact = &findings->facts[i];

        printf("%-20s %-4s %s\n", fact->name, fact->good ? "ok" : "no", fact->detail);
    }
    if (!findings->probe) {
        printf("\nno probe can be tried: %s\n", findings->probe_error);
        return;
    }
    printf("\n%-8s %-16s %-38s %-12s %s\n", "PROBE", "PROGRAM", "TARGET", "STATE",
           "METHOD OR REASON");
    for (size_t i = 0; i < probe_program_count(findings->probe); i++) {
        struct program_view view;

        probe_program_view(findings->probe, i, &view);
        printf("%-8s %-16s %-38s %-12s %s\n", probe_concern_name(view.concern), view.name,
               view.target, program_state_name(view.state), remark(findings->probe, &view));
    }
}

static cJSON *describe_programs(const struct probe *probe)
{
    cJSON *programs = cJSON_CreateArray();

    for (size_t i = 0; probe && i < probe_program_count(probe); i++) {
        cJSON *item = cJSON_CreateObject();
        struct program_view view;

        probe_program_view(probe, i, &view);
        cJSON_AddStringToObject(item, "probe", probe_concern_name(view.concern));
        cJSON_AddStringToObject(item, "program", view.name);
        cJSON_AddStringToObject(item, "target", view.target);
        cJSON_AddStringToObject(item, "state", program_state_name(view.state));
        cJSON_AddStringToObject(item, "reason", view.reason);
        if (view.state == PROGRAM_ATTACHED)
            cJSON_AddStringToObject(item, "method", probe_concern_method(probe, view.concern));
        cJSON_AddItemToArray(programs, item);
    }
    return programs;
}

static int print_json(const struct diagnosis *findings)
{
    cJSON *root = cJSON_CreateObject();
    cJSON *host = cJSON_AddObjectToObject(root, "host");
    char *printed;

    for (size_t i = 0; i < findings->fact_count; i++) {
        const struct fact *fact = &findings->facts[i];
        cJSON *item = cJSON_AddObjectToObject(host, fact->name);

        cJSON_AddBoolToObject(item, "ok", fact->good);
        cJSON_AddStringToObject(item, "detail", fact->detail);
    }
    cJSON_AddItemToObject(root, "programs", describe_programs(findings->probe));
    if (!findings->probe)
        cJSON_AddStringToObject(root, "error", findings->probe_error);
    cJSON_AddBoolToObject(root, "ok", any_attached(findings->probe));
    printed = cJSON_Print(root);
    cJSON_Delete(root);
    if (!printed)
        return -ENOMEM;
    puts(printed);
    free(printed);
    return 0;
}

/* A broken configuration that nobody named is for `moonwatch check` to explain; doctor then goes by
 * the defaults. */
static int load_config(struct config **ret, const char *asked)
{
    struct config_errors errors = {0};
    const char *path = config_find(asked, environ);
    int err = config_load(ret, path, environ, &errors);

    if (err < 0 && path && !asked) {
        cli_error("%s cannot be used (moonwatch check %s says why): going by the defaults", path,
                  path);
        err = config_load(ret, NULL, environ, &errors);
    }
    if (err < 0)
        cli_print_config_errors(asked ? asked : "built-in", &errors);
    return err;
}

int cli_doctor(int argc, char **argv)
{
    struct diagnosis findings = {0};
    struct config *config;
    bool json = false, able;
    const char *path = NULL;
    const struct cli_option options[] = {{.name = "--json", .flag = &json},
                                         {.name = "--config", .value = &path}};

    if (cli_parse("doctor", argc, argv, options, sizeof(options) / sizeof(options[0]), 0) < 0 ||
        load_config(&config, path) < 0)
        return EXIT_USAGE;
    examine(&findings, config);
    if (!json)
        print_table(&findings);
    else if (print_json(&findings) < 0)
        cli_error("out of memory");
    able = any_attached(findings.probe);
    probe_destroy(findings.probe);
    config_destroy(config);
    return able ? EXIT_DONE : EXIT_FAILED;
}
