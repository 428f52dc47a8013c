#include "abi/exit.h"
#include "base/names.h"
#include "base/text.h"
#include "model/event.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

/* Programs that start what they run again, each as their child: what these start are main
 * processes. */
static bool is_supervisor(const char *comm)
{
    static const struct {
        const char *comm;
        bool begins; /* a version follows */
    } supervisors[] = {
        {.comm = "supervisord"}, {.comm = "runsv"},   {.comm = "s6-supervise"},
        {.comm = "supervise"},   {.comm = "circusd"}, {.comm = "PM2 v", .begins = true},
    };

    for (size_t i = 0; i < sizeof(supervisors) / sizeof(supervisors[0]); i++) {
        size_t n = strlen(supervisors[i].comm);

        if (strncmp(comm, supervisors[i].comm, supervisors[i].begins ? n : n + 1) == 0)
            return true;
    }
    return false;
}

bool exit_heads_service(const struct record_exit *record)
{
    /* What logs in heads its scope as well, and ends as the user's last command did. */
    return record->facts & EXIT_HEADS_NAMESPACE ||
           (record->facts & EXIT_HEADS_CGROUP && text_ends(record->cgroup_name, ".service"));
}

bool exit_of_main_process(const struct record_exit *record)
{
    return exit_heads_service(record) || record->facts & EXIT_OF_SERVICE ||
           is_supervisor(record->parent_comm);
}

/* Of logins, terminals, desktops and `systemd-run --scope`. */
static bool is_session(const char *cgroup_name)
{
    static const char *const begins[] = {"session-", "tmux-spawn-", "vte-spawn-", "app-", "run-"};

    if (!text_ends(cgroup_name, ".scope"))
        return false;
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++)
        if (text_begins(cgroup_name, begins[i]))
            return true;
    return false;
}

bool exit_may_loop(const struct record_exit *record)
{
    if (exit_of_main_process(record))
        return true;
    if (is_session(record->cgroup_name))
        return false;
    return record->facts & EXIT_CHILD_OF_HEAD || !text_ends(record->cgroup_name, ".service");
}

enum exit_kind exit_kind_of(const struct record_exit *record)
{
    if (exit_is_crash(record->signal, record->facts))
        return ENDED_CRASHED;
    if (record->signal)
        return ENDED_KILLED;
    return exit_is_failure(record->signal, record->status) && exit_of_main_process(record)
               ? ENDED_FAILED
               : ENDED_STATUS;
}

bool exit_by_kill(const struct record_exit *record)
{
    return record->signal == SIGKILL && record->facts & EXIT_HEADS_CGROUP &&
           !(record->facts & EXIT_HEADS_NAMESPACE) && exit_heads_service(record);
}

uint32_t crash_loop_min(enum exit_kind kind)
{
    return kind == ENDED_KILLED ? KILL_LOOP_MIN : CRASH_LOOP_MIN;
}

const char *const exit_kind_names[] = {
    [ENDED_CRASHED] = "crash",
    [ENDED_FAILED] = "failed",
    [ENDED_KILLED] = "killed",
    [ENDED_STATUS] = "exit",
    NULL,
};
NAMES_OF(exit_kind_names, ENDED_KIND_COUNT);

const char *exit_kind_name(enum exit_kind kind)
{
    return name_at(exit_kind_names, ENDED_KIND_COUNT, kind);
}

const char *exit_cause(const struct record_exit *record, char buffer[EXIT_CAUSE_BYTES])
{
    const char *abbreviation = sigabbrev_np((int)record->signal);

    if (record->signal == 0)
        snprintf(buffer, EXIT_CAUSE_BYTES, "with exit status %u", record->status & 0xff);
    else if (abbreviation)
        snprintf(buffer, EXIT_CAUSE_BYTES, "by SIG%s", abbreviation);
    else
        snprintf(buffer, EXIT_CAUSE_BYTES, "by signal %u", record->signal & 0x7f);
    return buffer;
}

const char *unit_of(const char *cgroup_path, size_t *ret_bytes)
{
    static const char *const ends[] = {".service", ".scope", ".socket", ".mount", ".swap"};
    const char *end = cgroup_path + strlen(cgroup_path);

    /* The innermost: what it made below itself is no unit. */
    while (end > cgroup_path) {
        const char *begin = end;

        while (begin > cgroup_path && begin[-1] != '/')
            begin--;
        for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
            size_t n = strlen(ends[i]);

            if ((size_t)(end - begin) > n && strncmp(end - n, ends[i], n) == 0) {
                *ret_bytes = (size_t)(end - begin);
                return begin;
            }
        }
        end = begin > cgroup_path ? begin - 1 : begin;
    }
    *ret_bytes = 0;
    return cgroup_path;
}
