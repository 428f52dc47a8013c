/* Who a task is: its cgroups and its priority class. For trusted (BTF) task pointers. */
#ifndef MOONWATCH_LIB_IDENTITY_BPF_H
#define MOONWATCH_LIB_IDENTITY_BPF_H

#include "abi/runq.h"
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/sched.h>

#define NICE_0_STATIC_PRIO 120 /* the kernel's DEFAULT_PRIO: what nice 0 is as static_prio */

/* By what the user asked for: a mutex owner boosted for a moment keeps its own class. The usual
 * case comes first, for this runs at every context switch. */
static __always_inline u32 priority_class_of(const struct task_struct *task)
{
    u32 policy = task->policy;
    s32 static_prio = task->static_prio;

    if (policy == SCHED_NORMAL && static_prio == NICE_0_STATIC_PRIO)
        return PRIORITY_NORMAL;
    if (policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_DEADLINE)
        return PRIORITY_REALTIME;
    if (policy == SCHED_IDLE)
        return PRIORITY_IDLE;
    if (static_prio == NICE_0_STATIC_PRIO)
        return PRIORITY_NORMAL;
    return static_prio < NICE_0_STATIC_PRIO ? PRIORITY_HIGH : PRIORITY_LOW;
}

/* Of the cgroup v2 hierarchy: the inode number of its directory on 64-bit kernels. */
static __always_inline u64 cgroup_id_of(const struct task_struct *task)
{
    return task->cgroups->dfl_cgrp->kn->id;
}

/* Of the cgroup above that one; 0: it is the root. */
static __always_inline u64 cgroup_parent_id_of(const struct task_struct *task)
{
    struct cgroup_subsys_state *parent = task->cgroups->dfl_cgrp->self.parent;

    return parent ? parent->cgroup->kn->id : 0;
}

/* Of the hierarchy that the memory controller is on, v1 or v2; NULL without the controller. */
static __always_inline struct cgroup_subsys_state *memory_css_of(const struct task_struct *task)
{
    const struct css_set *shifted;

    if (!bpf_core_enum_value_exists(enum cgroup_subsys_id, memory_cgrp_id))
        return NULL;
    /* The subsystem's index is relocated, which an array index cannot be: shift the structure. The
     * verifier takes that as a constant, so the reads stay direct. */
    shifted = (const void *)task->cgroups +
              bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id) * sizeof(void *);
    return shifted->subsys[0];
}

/* 0 without the controller. */
static __always_inline u64 memory_cgroup_id_of(const struct task_struct *task)
{
    struct cgroup_subsys_state *css = memory_css_of(task);

    return css ? css->cgroup->kn->id : 0;
}

#endif
