/* What the agent does so that breakers are in force: the heartbeat, the cgroups in which connects
 * are stopped, who the clients are, where connects go instead, and open sockets closed when asked.
 */
#ifndef MOONWATCH_SERVICE_ENFORCE_H
#define MOONWATCH_SERVICE_ENFORCE_H

#include "base/loop.h"
#include "probe/probe.h"
#include "service/service.h"
#include "service/upstream_table.h"
#include "transfer/responder.h"

/* An agent that dies leaves its breakers in force for so long. */
#define ENFORCE_EXPIRES_NS (10 * 1000000000ULL)

struct enforce;

/* The cgroup of some clients was made or removed: enforce_look() is due. */
typedef void enforce_moved_fn(void *ctx);

/* All borrowed. `cgroup_root` is the mount of cgroup v2; NULL: none, nothing can be enforced. */
struct enforce_sources {
    struct probe *probe;
    struct services *services;
    struct upstream_table *table;
    const struct responder *responder; /* NULL: nothing is answered from here */
    const char *cgroup_root;
    struct loop *loop;
    enforce_moved_fn *moved;
    void *ctx;
};

int enforce_create(struct enforce **ret, const struct enforce_sources *sources);
void enforce_destroy(struct enforce *e);

/* With services_commit(). `config` is borrowed until the next call. */
void enforce_commit(struct enforce *e, const struct config *config);
/* Writes who the clients of each row are, before its addresses are told: without these nobody is.
 * 0, or a negative errno with one line in `error`, which is empty when the number says it. */
int enforce_tell_clients(struct enforce *e, char error[PROBE_ERROR_BYTES]);
/* After those: puts in force what can be, and looks at what is, see services_set_enforcement(). 0,
 * or a negative errno with one line in `error` about what else clients are known for. */
int enforce_tell(struct enforce *e, char error[PROBE_ERROR_BYTES]);
/* Once a tick and when a cgroup moved, before services_tick(): what the kernel does, after putting
 * in force what has become possible (a cgroup was made, or made again). */
void enforce_look(struct enforce *e);
/* After services_tick(). */
void enforce_tick(struct enforce *e, uint64_t now_ns);
/* The breaker opened: closes the open connections where `on_open` says so and it is enforced.
 * Returns how many, or a negative errno. */
int enforce_opened(struct enforce *e, size_t upstream);

#endif
