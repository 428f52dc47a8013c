#include "service/retry_storm.h"
#include "base/clock.h"
#include "base/fitted_name.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MARKS 11
#define MARK_EVERY_NS (RETRY_WINDOW_NS / (MARKS - 1))
/* Long enough that a busy minute is not usual, short enough that a new deployment soon is. */
#define USUAL_TIME_CONSTANT_NS (300 * NS_PER_SECOND)
/* A success among failures does not end what a client does about them. */
#define FAILING_HOLD_NS RETRY_WINDOW_NS

struct client {
    struct connect_client_key key;
    char cgroup[RETRY_CGROUP_BYTES];
    uint32_t pid;
    uint64_t total, first_ns, last_ns; /* of what was fed */
    /* Totals at moments a tenth of the window apart; `newest` is the latest. */
    unsigned newest, count;
    uint64_t mark_ns[MARKS], mark_total[MARKS];
    double usual; /* attempts per second; NaN: not known yet */
    uint64_t storm_ns;
};

struct retry_storms {
    uint64_t fed_ns; /* of the last tick; 0: there was none */
    uint64_t failing_until_ns;
    uint64_t storms_total;
    size_t count;
    struct client clients[RETRY_CLIENTS_MAX];
};

int retry_storms_create(struct retry_storms **ret)
{
    *ret = calloc(1, sizeof(**ret));
    return *ret ? 0 : -ENOMEM;
}

void retry_storms_destroy(struct retry_storms *r)
{
    free(r);
}

static void mark(struct client *c, uint64_t at_ns, uint64_t total)
{
    c->newest = (c->newest + 1) % MARKS;
    c->mark_ns[c->newest] = at_ns;
    c->mark_total[c->newest] = total;
    if (c->count < MARKS)
        c->count++;
}

static struct client *find(struct retry_storms *r, const struct connect_client_key *key)
{
    for (size_t i = 0; i < r->count; i++)
        if (memcmp(&r->clients[i].key, key, sizeof(*key)) == 0)
            return &r->clients[i];
    return NULL;
}

static struct client *make_room(struct retry_storms *r)
{
    struct client *oldest = &r->clients[0];

    if (r->count < RETRY_CLIENTS_MAX)
        return &r->clients[r->count++];
    for (size_t i = 1; i < r->count; i++)
        if (r->clients[i].last_ns < oldest->last_ns)
            oldest = &r->clients[i];
    return oldest;
}

void retry_storms_feed(struct retry_storms *r, uint64_t now_ns,
                       const struct connect_client_key *key, const struct connect_client *total)
{
    struct client *c = find(r, key);

    if (!c) {
        c = make_room(r);
        *c = (struct client){.key = *key, .usual = NAN, .first_ns = now_ns};
        /* What was counted before the first tick of all is of no window; what a client counts that
         * was not there at the last tick is of this one. */
        mark(c, r->fed_ns ? r->fed_ns : now_ns, r->fed_ns ? 0 : total->attempts);
        c->last_ns = now_ns;
    } else if (total->attempts < c->total) { /* pushed out of the kernel's table meanwhile */
        c->count = 0;
        mark(c, r->fed_ns, 0);
    }
    if (total->attempts != c->total)
        c->last_ns = now_ns;
    c->total = total->attempts;
    c->pid = total->pid;
}

/* Attempts in the window that ends now. */
static uint64_t recent(struct client *c, uint64_t now_ns)
{
    unsigned oldest;

    if (now_ns - c->mark_ns[c->newest] >= MARK_EVERY_NS)
        mark(c, now_ns, c->total);
    oldest = (c->newest + MARKS - (c->count - 1)) % MARKS;
    while (c->count > 1 && now_ns - c->mark_ns[oldest] > RETRY_WINDOW_NS) {
        oldest = (oldest + 1) % MARKS;
        c->count--;
    }
    return c->total - c->mark_total[oldest];
}

static double per_second(uint64_t attempts)
{
    return (double)attempts * NS_PER_SECOND / (double)RETRY_WINDOW_NS;
}

static void learn(struct client *c, double rate, uint64_t elapsed_ns, bool failing, uint64_t now_ns)
{
    double weight = 1 - exp(-(double)elapsed_ns / (double)USUAL_TIME_CONSTANT_NS);

    if (isnan(c->usual) && now_ns - c->first_ns >= RETRY_WINDOW_NS)
        c->usual = rate;
    else if (!isnan(c->usual) && !failing)
        c->usual += weight * (rate - c->usual);
}

static void fill(const struct client *c, double rate, struct retry_client_view *ret)
{
    *ret = (struct retry_client_view){
        .cgroup_id = c->key.cgroup_id,
        .pid = c->pid,
        .attempts_per_second = rate,
        .usual_per_second = c->usual,
        .since_ns = c->storm_ns,
    };
    memcpy(ret->comm, c->key.comm, COMM_BYTES);
    snprintf(ret->cgroup, sizeof(ret->cgroup), "%s", c->cgroup);
}

static void change(struct client *c, uint64_t storm_ns, double rate,
                   const struct retry_storm_ops *ops)
{
    bool begun = storm_ns != 0;
    struct retry_client_view view;
    const char *path;

    if (begun) {
        c->storm_ns = storm_ns;
        path = ops && ops->cgroup_path ? ops->cgroup_path(ops->ctx, c->key.cgroup_id) : NULL;
        fitted_name(path ? path : "", c->cgroup, sizeof(c->cgroup));
    }
    fill(c, rate, &view);
    c->storm_ns = storm_ns;
    if (ops && ops->changed)
        ops->changed(ops->ctx, &view, begun);
}

void retry_storms_tick(struct retry_storms *r, uint64_t now_ns, bool failing,
                       const struct retry_storm_ops *ops)
{
    uint64_t elapsed_ns = r->fed_ns ? now_ns - r->fed_ns : 0;

    if (failing)
        r->failing_until_ns = now_ns + FAILING_HOLD_NS;
    failing = now_ns < r->failing_until_ns;
    for (size_t i = 0; i < r->count; i++) {
        struct client *c = &r->clients[i];
        uint64_t attempts = recent(c, now_ns);
        double rate = per_second(attempts);

        learn(c, rate, elapsed_ns, failing, now_ns);
        if (!c->storm_ns && failing && attempts >= RETRY_STORM_ATTEMPTS &&
            rate >= RETRY_STORM_GROWTH * c->usual) {
            r->storms_total++;
            change(c, now_ns, rate, ops);
        } else if (c->storm_ns && (!failing || attempts < RETRY_STORM_ATTEMPTS / 2 ||
                                   rate < RETRY_STORM_GROWTH / 2 * c->usual)) {
            change(c, 0, rate, ops);
        }
    }
    r->fed_ns = now_ns;
}

size_t retry_storms_view(const struct retry_storms *r, struct retry_client_view *ret, size_t max)
{
    size_t count = 0;

    for (size_t i = 0; i < r->count; i++) {
        struct client c = r->clients[i];

        if (!c.storm_ns)
            continue;
        if (count < max)
            fill(&c, per_second(recent(&c, r->fed_ns)), &ret[count]);
        count++;
    }
    return count;
}

uint64_t retry_storms_total(const struct retry_storms *r)
{
    return r->storms_total;
}
