/* What counts as a crash, for both worlds: the kernel side tells the facts and wakes the agent by
 * them; log lines, alerts, counters and figures go by the same functions.
 */
#ifndef MOONWATCH_EXIT_H
#define MOONWATCH_EXIT_H

#include <linux/types.h>

/* Of a process that ended. */
enum exit_fact {
    /* It has a controlling terminal: a SIGQUIT is somebody's Ctrl-\. */
    EXIT_ON_TERMINAL = 1 << 0,
    /* Its parent lives in another cgroup, and it leads its session or is a daemon whose session has
     * no leader: what a service manager started, not what that started. Not a process that was put
     * into a container later. */
    EXIT_HEADS_CGROUP = 1 << 1,
    /* The same, and it is the first process of its PID namespace: a container's main process. */
    EXIT_HEADS_NAMESPACE = 1 << 2,
    /* The agent's own: the configuration names it as a service. */
    EXIT_OF_SERVICE = 1 << 3,
    /* Its parent lives in the same cgroup and that one's parent does not: a service's worker. */
    EXIT_CHILD_OF_HEAD = 1 << 4,
};

/* Signals whose default action is a core dump: the program brought them on itself. The numbers are
 * those of every architecture that Moonwatch runs on. */
#define EXIT_CRASH_SIGNALS                                                                         \
    (1ULL << 3 /* QUIT */ | 1ULL << 4 /* ILL */ | 1ULL << 5 /* TRAP */ | 1ULL << 6 /* ABRT */ |    \
     1ULL << 7 /* BUS */ | 1ULL << 8 /* FPE */ | 1ULL << 11 /* SEGV */ | 1ULL << 24 /* XCPU */ |   \
     1ULL << 25 /* XFSZ */ | 1ULL << 31 /* SYS */)

static inline int exit_is_crash(__u32 signal, __u32 facts)
{
    if (signal == 3 && facts & EXIT_ON_TERMINAL)
        return 0;
    return signal < 64 && EXIT_CRASH_SIGNALS >> signal & 1;
}

/* Of a main process. A shell gives 128 and the signal when HUP, INT, PIPE or TERM ended what it
 * ran, and so do programs that catch one: what systemd takes for a clean end too. */
static inline int exit_is_failure(__u32 signal, __u32 status)
{
    return signal == 0 && status != 0 && status != 129 && status != 130 && status != 141 &&
           status != 143;
}

#endif
