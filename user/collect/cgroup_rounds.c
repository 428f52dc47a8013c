#include "collect/cgroup_rounds.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static void find_mount(struct cgroup_rounds *r)
{
    int err = r->plan->find(r->host, &r->mount);

    if (!err)
        err = cgroup_walk_create(&r->walk, &r->mount);
    r->missing = NULL;
    if (err == -ENODEV) {
        r->missing = r->plan->none;
    } else if (err) {
        snprintf(r->reason, sizeof(r->reason), "/proc/self/mountinfo: %s", strerror(-err));
        r->missing = r->reason;
    }
}

void cgroup_rounds_tick(struct cgroup_rounds *r, uint64_t now_ns, void *ctx)
{
    const struct cgroup_rounds_plan *plan = r->plan;

    if (!r->under_way && now_ns >= r->due_ns) {
        r->due_ns = now_ns + plan->every_ns;
        if (!r->walk)
            find_mount(r);
        if (!r->walk)
            return;
        cgroup_walk_start(r->walk);
        r->under_way = true;
        plan->began(ctx);
    }
    if (!r->under_way || !cgroup_walk_step(r->walk, plan->directories_per_tick, plan->found, ctx))
        return;
    r->under_way = false;
    plan->ended(ctx);
}

void cgroup_rounds_close(struct cgroup_rounds *r)
{
    cgroup_walk_destroy(r->walk);
}
