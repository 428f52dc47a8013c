#include "agent/agent_takers.h"
#include "abi/exit.h"
#include "agent/agent_log.h"
#include "service/main_process.h"

/* The kernel side does not know what the configuration names. */
static struct record_exit completed(const struct agent_takers *to, const struct record_head *record)
{
    struct record_exit ended = *(const struct record_exit *)record;

    if (is_main_process(to->config, &ended))
        ended.facts |= EXIT_OF_SERVICE;
    return ended;
}

static bool is_crash_or_failure(const struct agent_takers *to, const struct record_head *record)
{
    const struct record_exit ended = completed(to, record);
    enum exit_kind kind = exit_kind_of(&ended);

    return kind == ENDED_CRASHED || kind == ENDED_FAILED;
}

static void take_any(const struct agent_takers *to, const struct record_head *record)
{
    collectors_record(to->collectors, record);
}

static void take_exit(const struct agent_takers *to, const struct record_head *record)
{
    const struct record_exit ended = completed(to, record);
    char cgroup[CGROUP_PATH_BYTES];

    collectors_record(to->collectors, &ended.head);
    if (is_crash_or_failure(to, record)) {
        collectors_exit_cgroup(to->collectors, &ended, cgroup);
        agent_log_exit(to->log, &ended, cgroup);
    }
}

static void take_oom(const struct agent_takers *to, const struct record_head *record)
{
    const struct record_oom *oom = (const struct record_oom *)record;
    char cgroup[CGROUP_PATH_BYTES];

    collectors_record(to->collectors, record);
    collectors_oom_cgroup(to->collectors, oom, cgroup);
    agent_log_oom(to->log, oom, cgroup);
}

static void take_breaker(const struct agent_takers *to, const struct record_head *record)
{
    live_breaker_record(to->live, (const struct record_breaker *)record);
}

static void take_call_failed(const struct agent_takers *to, const struct record_head *record)
{
    live_call_failed(to->live, (const struct record_call_failed *)record);
}

/* A type without a row is the collectors'. Breakers move at once, whose owner asks for a tick
 * itself. */
static const struct taker {
    void (*take)(const struct agent_takers *to, const struct record_head *record);
    bool urgent; /* all of them, or those of which this is true */
    bool (*is_urgent)(const struct agent_takers *to, const struct record_head *record);
} takers[RECORD_TYPE_COUNT] = {
    [RECORD_EXIT] = {take_exit, .is_urgent = is_crash_or_failure},
    [RECORD_OOM] = {take_oom, .urgent = true},
    [RECORD_BREAKER] = {take_breaker},
    [RECORD_CALL_FAILED] = {take_call_failed},
};

bool agent_take_record(const struct agent_takers *to, const struct record_head *record, size_t size)
{
    const struct taker *taker;
    bool urgent;

    if (size < sizeof(*record) || record->type >= RECORD_TYPE_COUNT ||
        size < record_type_bytes((enum record_type)record->type))
        return false;
    taker = &takers[record->type];
    urgent = taker->urgent || (taker->is_urgent && taker->is_urgent(to, record));
    if (urgent)
        log_hold(to->log);
    (taker->take ? taker->take : take_any)(to, record);
    return urgent;
}
