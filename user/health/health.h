/* Judging a snapshot: status and reasons per component, with hysteresis and duration.
 *
 * A check turns degraded (unhealthy) when its reading was at or above the warning (critical) level
 * for `CHECK_RAISE_NS`, and clears when it was below that level less a margin for `CHECK_CLEAR_NS`;
 * see health/check.h. Capacity (disk, pid limit) is judged at once.
 */
#ifndef MOONWATCH_HEALTH_HEALTH_H
#define MOONWATCH_HEALTH_HEALTH_H

#include "config/config.h"
#include "endpoint/endpoint_checks.h"
#include "model/component.h"
#include "model/snapshot.h"
#include "model/status.h"
#include "probe/probe.h"
#include "service/service.h"

struct health;

int health_create(struct health **ret, const struct config *config);
void health_destroy(struct health *health);
/* After a reload: new thresholds, same state. `config` is borrowed until the next call. */
void health_configure(struct health *health, const struct config *config);
/* Whose state belongs to the performance component; borrowed, NULL for none. */
void health_set_services(struct health *health, const struct services *services,
                         const struct endpoint_checks *checks);
/* Feeds one tick. `probe` may be NULL (no BPF at all, which degrades nothing but is said). */
void health_tick(struct health *health, const struct snapshot *snapshot, const struct probe *probe);

struct component_view {
    enum status status;
    const struct reasons *reasons;
};

enum status health_status(const struct health *health);
void health_component(const struct health *health, enum component c, struct component_view *ret);

/* One judged reading, e.g. "cpu", "memory", "disk:/var", "inodes:/var", "pressure:memory". */
struct check_view {
    const char *name;
    enum component component;
    enum status status;
    double warning, critical; /* NaN: no such level */
    struct reading value;
    const char *reason; /* "" when healthy */
    uint64_t since_ns;  /* monotonic time of the last change of status */
};

/* The names before the colon, by an index from 0, some more than once; NULL behind the last. */
const char *health_check_name(size_t index);
size_t health_check_count(const struct health *health);
void health_check(const struct health *health, size_t index, struct check_view *ret);
/* False when there is no such check. */
bool health_find_check(const struct health *health, const char *name, struct check_view *ret);

#endif
