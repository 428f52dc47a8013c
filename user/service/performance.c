#include "service/performance.h"
#include "base/clock.h"
#include "model/histogram.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 64
#define STEPS_TO_CHANGE 2

/* What is compared with what is usual. */
enum aspect { ASPECT_FAILED, ASPECT_MEAN, ASPECT_P95, ASPECT_COUNT };

struct judgement {
    double now, usual;
    double worse; /* share of the usual */
    bool significant;
};

/* What a view tells of the window and of what is usual: made when one of them changed, and looked
 * at several times a tick. */
struct derived {
    uint64_t calls, failed;
    struct reading failed_percent, mean_seconds;
    struct reading p50_seconds, p90_seconds, p95_seconds, p99_seconds, max_seconds;
    struct performance_usual usual;
};

struct performance {
    char name[NAME_BYTES];
    double threshold;
    uint64_t slice_ns;
    bool fed;
    struct traffic last; /* totals */
    struct traffic slices[PERFORMANCE_SLICES];
    bool learnable[PERFORMANCE_SLICES]; /* not part of a degradation */
    unsigned current;
    unsigned complete; /* slices before the current one, at most PERFORMANCE_SLICES - 1 */
    uint64_t slice_began_ns, fed_ns;
    struct baseline usual;
    const char *unjudged;
    double worse;   /* the most of the last judgement */
    unsigned steps; /* in a row that speak against the present status */
    uint64_t degraded_ns;
    char reason[REASON_BYTES];
    struct derived derived;
};

static const char no_calls[] = "no calls yet";
static const char too_few[] = "too few calls in the window to judge";
static const char learning[] = "still learning what is usual";

static void sum_window(const struct performance *p, struct traffic *ret)
{
    *ret = (struct traffic){0};
    for (unsigned i = 0; i <= p->complete; i++)
        traffic_add(ret, &p->slices[(p->current + PERFORMANCE_SLICES - i) % PERFORMANCE_SLICES]);
}

static struct reading seconds(double ns)
{
    return isfinite(ns) ? reading_of(ns / NS_PER_SECOND) : reading_missing(no_calls);
}

static struct reading seconds_of(struct reading ns)
{
    return reading_known(ns) ? reading_of(ns.value / NS_PER_SECOND)
                             : reading_missing("no call was answered in the window");
}

static void view_usual(const struct performance *p, struct performance_usual *ret)
{
    const struct baseline *usual = &p->usual;

    *ret = (struct performance_usual){
        .missing = usual->calls < PERFORMANCE_BASELINE_CALLS ? learning : NULL,
        .calls = usual->calls,
        .failed_percent = reading_of(100 * baseline_failed_share(usual)),
        .mean_seconds = seconds(baseline_mean_ns(usual)),
        .p50_seconds = seconds(baseline_quantile_ns(usual, 0.50)),
        .p95_seconds = seconds(baseline_quantile_ns(usual, 0.95)),
    };
    if (usual->calls <= 0)
        ret->failed_percent = reading_missing(no_calls);
}

static void derive(struct performance *p)
{
    struct traffic window;
    const struct fine_latency *l = &window.latency;

    sum_window(p, &window);
    p->derived = (struct derived){
        .calls = window.calls,
        .failed = window.failed,
        .failed_percent = reading_missing("no calls in the window"),
        .mean_seconds = l->count ? reading_of((double)l->sum_ns / (double)l->count / NS_PER_SECOND)
                                 : reading_missing("no call was answered in the window"),
        .p50_seconds = seconds_of(fine_latency_quantile_ns(l, 0.50)),
        .p90_seconds = seconds_of(fine_latency_quantile_ns(l, 0.90)),
        .p95_seconds = seconds_of(fine_latency_quantile_ns(l, 0.95)),
        .p99_seconds = seconds_of(fine_latency_quantile_ns(l, 0.99)),
        .max_seconds = seconds_of(fine_latency_max_ns(l)),
    };
    if (window.calls)
        p->derived.failed_percent =
            reading_of(100.0 * (double)window.failed / (double)window.calls);
    view_usual(p, &p->derived.usual);
}

static void begin(struct performance *p, double window_seconds, uint64_t now_ns)
{
    p->slice_ns = clock_ns_of_seconds(window_seconds / PERFORMANCE_SLICES);
    if (p->slice_ns == 0)
        p->slice_ns = 1;
    p->slice_began_ns = now_ns;
    p->fed_ns = now_ns;
    p->complete = 0;
    p->current = 0;
    memset(p->slices, 0, sizeof(p->slices));
    derive(p);
}

int performance_create(struct performance **ret, const char *name, double window_seconds,
                       double threshold, uint64_t now_ns)
{
    struct performance *p = calloc(1, sizeof(*p));

    if (!p)
        return -ENOMEM;
    snprintf(p->name, sizeof(p->name), "%s", name);
    p->threshold = threshold;
    p->worse = NAN;
    p->unjudged = no_calls;
    begin(p, window_seconds, now_ns);
    *ret = p;
    return 0;
}

void performance_destroy(struct performance *p)
{
    free(p);
}

void performance_configure(struct performance *p, double window_seconds, double threshold,
                           uint64_t now_ns)
{
    uint64_t slice_ns = clock_ns_of_seconds(window_seconds / PERFORMANCE_SLICES);

    p->threshold = threshold;
    if (slice_ns != p->slice_ns)
        begin(p, window_seconds, now_ns);
}

static double worse_by(double now, double usual)
{
    return usual > 0 ? now / usual - 1 : (now > 0 ? INFINITY : 0);
}

static void judge_aspects(const struct performance *p, const struct baseline *recent,
                          struct judgement ret[ASPECT_COUNT])
{
    const struct baseline *usual = &p->usual;

    ret[ASPECT_FAILED] = (struct judgement){
        .now = 100 * baseline_failed_share(recent),
        .usual = 100 * baseline_failed_share(usual),
        .significant = baseline_z_failed(usual, recent) >= PERFORMANCE_SIGMA,
    };
    ret[ASPECT_MEAN] = (struct judgement){
        .now = baseline_mean_ns(recent) / NS_PER_MS,
        .usual = baseline_mean_ns(usual) / NS_PER_MS,
        .significant = baseline_z_mean(usual, recent) >= PERFORMANCE_SIGMA,
    };
    ret[ASPECT_P95] = (struct judgement){
        .now = baseline_quantile_ns(recent, 0.95) / NS_PER_MS,
        .usual = baseline_quantile_ns(usual, 0.95) / NS_PER_MS,
        .significant = baseline_z_tail(usual, recent, 0.95) >= PERFORMANCE_SIGMA,
    };
    for (int a = 0; a < ASPECT_COUNT; a++)
        ret[a].worse = worse_by(ret[a].now, ret[a].usual);
    if (ret[ASPECT_FAILED].now - ret[ASPECT_FAILED].usual < PERFORMANCE_FAILED_POINTS_MIN)
        ret[ASPECT_FAILED].worse = fmin(ret[ASPECT_FAILED].worse, 0);
}

static void say(struct performance *p, enum aspect aspect, const struct judgement *j, double calls)
{
    char times[32];

    if (isfinite(j->worse))
        snprintf(times, sizeof(times), "%.1fx its usual", j->worse + 1);
    else
        snprintf(times, sizeof(times), "usually");
    if (aspect == ASPECT_FAILED)
        snprintf(p->reason, sizeof(p->reason),
                 "%.3g %% of calls to %s fail, %s %.3g %%, over %.0f calls", j->now, p->name, times,
                 j->usual, calls);
    else
        snprintf(p->reason, sizeof(p->reason), "%s of %s %.3g ms, %s %.3g ms over %.0f calls",
                 aspect == ASPECT_P95 ? "p95" : "mean latency", p->name, j->now, times, j->usual,
                 calls);
}

/* The aspect to name: of those that are significant the worst, but errors before slowness. */
static int worst_of(const struct judgement *j, double threshold)
{
    int worst = -1;

    for (int a = 0; a < ASPECT_COUNT; a++)
        if (j[a].significant && j[a].worse > threshold &&
            (worst < 0 || (worst != ASPECT_FAILED && j[a].worse > j[worst].worse)))
            worst = a;
    return worst;
}

static void set_degraded(struct performance *p, uint64_t since_ns)
{
    p->degraded_ns = since_ns;
    p->steps = 0;
    if (!since_ns)
        *p->reason = '\0';
}

/* Speaks against the present status at two steps in a row. */
static bool insists(struct performance *p, bool against)
{
    p->steps = against ? p->steps + 1 : 0;
    return p->steps >= STEPS_TO_CHANGE;
}

static void judge(struct performance *p, uint64_t now_ns)
{
    struct judgement judgements[ASPECT_COUNT];
    struct baseline recent;
    struct traffic window;
    int worst;

    sum_window(p, &window);
    baseline_of(&recent, &window);
    p->worse = NAN;
    p->unjudged = p->usual.calls < PERFORMANCE_BASELINE_CALLS ? learning
                  : window.calls < PERFORMANCE_CALLS_MIN      ? too_few
                                                              : NULL;
    if (p->unjudged) {
        if (!p->degraded_ns)
            p->steps = 0;
        else if (insists(p, true))
            set_degraded(p, 0);
        return;
    }
    judge_aspects(p, &recent, judgements);
    for (int a = 0; a < ASPECT_COUNT; a++)
        p->worse = fmax(p->worse, judgements[a].worse);
    worst = worst_of(judgements, p->threshold);
    if (worst >= 0 && (p->degraded_ns || insists(p, true))) {
        if (!p->degraded_ns)
            set_degraded(p, now_ns);
        p->steps = 0;
        say(p, (enum aspect)worst, &judgements[worst], (double)window.calls);
    } else if (worst < 0 && !p->degraded_ns) {
        p->steps = 0;
    } else if (p->degraded_ns && insists(p, worst_of(judgements, p->threshold / 2) < 0)) {
        set_degraded(p, 0);
    }
}

/* The oldest slice leaves the window. */
static void learn_oldest(struct performance *p, unsigned slice)
{
    if (p->complete == PERFORMANCE_SLICES - 1 && p->learnable[slice] && !p->degraded_ns &&
        p->steps == 0)
        baseline_learn(&p->usual, &p->slices[slice], p->slice_ns);
}

static void accept_new_usual(struct performance *p, uint64_t now_ns)
{
    if (!p->degraded_ns || now_ns - p->degraded_ns < PERFORMANCE_ACCEPT_NS)
        return;
    p->usual = (struct baseline){0};
    set_degraded(p, 0);
    for (unsigned i = 0; i < PERFORMANCE_SLICES; i++)
        p->learnable[i] = true;
}

static void next_slice(struct performance *p, uint64_t now_ns)
{
    unsigned next = (p->current + 1) % PERFORMANCE_SLICES;

    p->learnable[p->current] = !p->degraded_ns && p->steps == 0;
    learn_oldest(p, next);
    if (p->complete < PERFORMANCE_SLICES - 1)
        p->complete++;
    p->current = next;
    p->slices[next] = (struct traffic){0};
    p->slice_began_ns = now_ns;
}

void performance_feed(struct performance *p, uint64_t now_ns, const struct traffic *total)
{
    bool moved = p->fed && memcmp(total, &p->last, sizeof(*total)) != 0;
    struct traffic delta;

    if (moved) {
        traffic_delta(&delta, total, &p->last);
        traffic_add(&p->slices[p->current], &delta);
    } else if (!p->fed) {
        p->slice_began_ns = now_ns;
    }
    p->fed = true;
    p->last = *total;
    p->fed_ns = now_ns;
    if (now_ns - p->slice_began_ns >= p->slice_ns) {
        judge(p, now_ns);
        accept_new_usual(p, now_ns);
        next_slice(p, now_ns);
        moved = true;
    }
    if (moved)
        derive(p);
}

void performance_usual_get(const struct performance *p, struct baseline *ret)
{
    *ret = p->usual;
}

void performance_usual_set(struct performance *p, const struct baseline *usual)
{
    p->usual = *usual;
    derive(p);
}

void performance_view(const struct performance *p, struct performance_view *ret)
{
    const struct derived *d = &p->derived;
    uint64_t covered_ns = p->complete * p->slice_ns + (p->fed_ns - p->slice_began_ns);

    *ret = (struct performance_view){
        .name = p->name,
        .window_seconds = (double)covered_ns / NS_PER_SECOND,
        .calls = d->calls,
        .failed = d->failed,
        .calls_total = p->last.calls,
        .failed_total = p->last.failed,
        .calls_per_second = reading_missing("nothing was measured yet"),
        .failed_percent = d->failed_percent,
        .mean_seconds = d->mean_seconds,
        .p50_seconds = d->p50_seconds,
        .p90_seconds = d->p90_seconds,
        .p95_seconds = d->p95_seconds,
        .p99_seconds = d->p99_seconds,
        .max_seconds = d->max_seconds,
        .usual = d->usual,
        .degraded = p->degraded_ns != 0,
        .degraded_since_ns = p->degraded_ns,
        .worse_percent = isfinite(p->worse) ? 100 * p->worse : NAN,
        .unjudged = p->unjudged,
    };
    if (covered_ns)
        ret->calls_per_second = reading_of((double)d->calls / ret->window_seconds);
    snprintf(ret->reason, sizeof(ret->reason), "%s", p->reason);
}
