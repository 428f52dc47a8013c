/* /metrics: every figure of the agent as Prometheus text 0.0.4 or OpenMetrics 1.0.
 *
 * Names are `moonwatch_*` in base units: seconds, bytes, and `_ratio` 0..1 for shares (the JSON
 * routes say `_percent` 0..100). Counters end in `_total`; latencies are histograms with `le` in
 * seconds. An unknown reading has no sample, never 0. Every list is bounded: what does not fit is
 * in the row `other`, or left out, the least first, and counted.
 */
#ifndef MOONWATCH_HTTP_METRICS_H
#define MOONWATCH_HTTP_METRICS_H

#include "alert/alert.h"
#include "base/clock.h"
#include "base/host.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/text.h"
#include "collect/collectors.h"
#include "health/health.h"
#include "http/server.h"
#include "model/snapshot.h"
#include "notify/notify.h"
#include "probe/probe.h"
#include "store/state_file.h"

/* All borrowed for the call. A NULL source leaves its families out. */
struct metrics_sources {
    const struct clock *clock;
    const struct snapshot *snapshot;
    const struct health *health;
    const struct services *services;
    const struct endpoint_checks *checks;
    const struct alert_manager *alerts;
    const struct state_file *alert_state;
    const struct notify *notify;
    const struct probe *probe;
    const struct collectors *collectors;
    const struct loop_view *loop;
    struct log *log;
    const struct server_view *server;
    uint64_t started_realtime_ns; /* of the agent; 0: not told */
    size_t series_max;            /* of what is not configured on the page; 0: the default */
};

/* What has to be remembered between two pages: which cgroups have a row of their own, what `other`
 * has counted (a counter may not go back), the agent's own /proc files, what the last page took. */
struct metrics;

int metrics_create(struct metrics **ret, const struct host *host);
void metrics_destroy(struct metrics *metrics);

#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Appends the page to `out`. Returns 0, or -ENOMEM when it did not fit (`out->failed`). */
int metrics_render(struct metrics *metrics, struct text *out, const struct metrics_sources *sources,
                   bool openmetrics);

struct exposition_sink;

/* The same samples for somebody who wants some of them. */
void metrics_walk(struct metrics *metrics, const struct exposition_sink *sink,
                  const struct metrics_sources *sources);

#endif
