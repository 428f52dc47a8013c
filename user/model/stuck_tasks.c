#include "model/stuck_tasks.h"
#include "base/top.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The kernel's include/linux/sched.h. */
#define TASK_UNINTERRUPTIBLE 0x0002
#define TASK_NOLOAD 0x0400 /* idle: it waits for work */

#define KTHREADD_PID 2

/* As many at once are a host that stands still, whoever else does. */
#define ASLEEP_MAX 256

struct asleep {
    struct stuck_task task;
    uint64_t start_boot_ns;
    uint64_t switches;
};

struct stuck_tasks {
    struct asleep lists[2][ASLEEP_MAX];
    size_t counts[2];
    unsigned now; /* which of the two */
    uint64_t now_ns;
};

int stuck_tasks_create(struct stuck_tasks **ret)
{
    struct stuck_tasks *stuck = calloc(1, sizeof(*stuck));

    if (!stuck)
        return -ENOMEM;
    *ret = stuck;
    return 0;
}

void stuck_tasks_destroy(struct stuck_tasks *stuck)
{
    free(stuck);
}

void stuck_tasks_begin(struct stuck_tasks *stuck, uint64_t now_ns)
{
    stuck->now ^= 1;
    stuck->counts[stuck->now] = 0;
    stuck->now_ns = now_ns;
}

static const struct asleep *find_before(const struct stuck_tasks *stuck, uint32_t pid)
{
    const struct asleep *before = stuck->lists[stuck->now ^ 1];

    for (size_t i = 0; i < stuck->counts[stuck->now ^ 1]; i++)
        if (before[i].task.pid == pid)
            return &before[i];
    return NULL;
}

void stuck_tasks_add(struct stuck_tasks *stuck, const struct task_row *row)
{
    const struct asleep *before;
    struct asleep *asleep;

    if ((row->state & (TASK_UNINTERRUPTIBLE | TASK_NOLOAD)) != TASK_UNINTERRUPTIBLE)
        return;
    if (row->ppid == KTHREADD_PID || row->tgid == KTHREADD_PID ||
        stuck->counts[stuck->now] == ASLEEP_MAX)
        return;
    asleep = &stuck->lists[stuck->now][stuck->counts[stuck->now]++];
    *asleep = (struct asleep){
        .task = {.pid = row->pid,
                 .tgid = row->tgid,
                 .cgroup_id = row->cgroup_id,
                 .since_ns = stuck->now_ns},
        .start_boot_ns = row->start_boot_ns,
        .switches = row->switches,
    };
    memcpy(asleep->task.comm, row->comm, sizeof(asleep->task.comm));
    asleep->task.comm[COMM_BYTES - 1] = '\0';
    before = find_before(stuck, row->pid);
    if (before && before->start_boot_ns == row->start_boot_ns && before->switches == row->switches)
        asleep->task.since_ns = before->task.since_ns;
}

static bool longer(const void *a, const void *b)
{
    return ((const struct stuck_task *)a)->since_ns < ((const struct stuck_task *)b)->since_ns;
}

size_t stuck_tasks_longest(const struct stuck_tasks *stuck, struct stuck_task *ret, size_t max)
{
    const struct asleep *list = stuck->lists[stuck->now];
    size_t count = 0;

    for (size_t i = 0; i < stuck->counts[stuck->now]; i++)
        top_offer(ret, &count, max, sizeof(*ret), &list[i].task, longer);
    for (size_t i = 0; i < count; i++)
        ret[i].seconds = (double)(stuck->now_ns - ret[i].since_ns) / 1e9;
    return count;
}
