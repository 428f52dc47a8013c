#include "service/keeper.h"
#include "service/restart.h"
#include "store/state_file.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_EVERY_NS (60 * NS_PER_SECOND)
#define PROBLEM_BYTES 512

struct keeper {
    struct services *services;
    const struct clock *clock;
    struct state_file *file;
    keeper_problem_fn *problem;
    void *ctx;
    bool touched;
    bool failed; /* it was said */
    uint64_t written_ns;
};

static void say(const struct keeper *keeper, const char *what, const char *why)
{
    char text[PROBLEM_BYTES];

    snprintf(text, sizeof(text), "%s: %s: %s", state_file_path(keeper->file), what, why);
    keeper->problem(keeper->ctx, text);
}

static void recall(struct keeper *keeper)
{
    char why[128] = "it is no JSON document", what[192];
    cJSON *json = NULL;
    int r = state_file_read(keeper->file, &json);

    if (r == -ENOENT)
        return;
    if (r < 0 && r != -EBADMSG) {
        say(keeper,
            state_file_keeps_unread(keeper->file) ? "what services have learnt cannot be read, and "
                                                    "will be kept as services.json.unread"
                                                  : "what services have learnt cannot be read",
            state_file_error(r));
        return;
    }
    if (r == 0)
        r = services_recall(keeper->services, json, clock_monotonic_ns(keeper->clock),
                            clock_realtime_ns(keeper->clock), why, sizeof(why));
    cJSON_Delete(json);
    if (r == 0)
        return;
    r = state_file_move_aside(keeper->file);
    snprintf(what, sizeof(what), "damaged (%s), services learn anew", why);
    say(keeper, what, r < 0 ? strerror(-r) : "moved to the same name with .damaged");
}

static void write_now(struct keeper *keeper, uint64_t now_ns)
{
    keeper->touched = false;
    keeper->written_ns = now_ns;
    if (services_count(keeper->services) + services_upstream_count(keeper->services) == 0)
        return;
    /* What did not begin is tried with the next tick. */
    if (state_file_write(keeper->file, services_remember(keeper->services, now_ns,
                                                         clock_realtime_ns(keeper->clock))) < 0)
        keeper->touched = true;
}

int keeper_create(struct keeper **ret, const char *directory, struct services *services,
                  const struct clock *clock, keeper_problem_fn *problem, void *ctx)
{
    struct keeper *keeper = calloc(1, sizeof(*keeper));
    int r;

    if (!keeper)
        return -ENOMEM;
    *keeper = (struct keeper){.services = services, .clock = clock, .problem = problem, .ctx = ctx};
    r = state_file_create(&keeper->file, directory, "services.json");
    if (r < 0) {
        free(keeper);
        return r;
    }
    recall(keeper);
    keeper->written_ns = clock_monotonic_ns(clock);
    *ret = keeper;
    return 0;
}

static void say_it_fails(struct keeper *keeper, const char *why)
{
    if (!keeper->failed)
        say(keeper, "what services learn cannot be kept", why);
    keeper->failed = true;
}

static bool wait_for_disk(struct keeper *keeper)
{
    bool done = state_file_wait(keeper->file);

    if (!done)
        say_it_fails(keeper, state_file_error(-ETIMEDOUT));
    return done;
}

void keeper_destroy(struct keeper *keeper)
{
    if (!keeper)
        return;
    if (wait_for_disk(keeper)) {
        write_now(keeper, clock_monotonic_ns(keeper->clock));
        wait_for_disk(keeper);
    }
    state_file_destroy(keeper->file);
    free(keeper);
}

void keeper_touch(struct keeper *keeper)
{
    keeper->touched = true;
}

void keeper_tick(struct keeper *keeper, uint64_t now_ns)
{
    bool busy = state_file_busy(keeper->file);
    struct state_file_view view;

    state_file_view(keeper->file, &view);
    if (view.stalled)
        say_it_fails(keeper, state_file_error(-ETIMEDOUT));
    if (busy)
        return;
    if (view.error)
        say_it_fails(keeper, view.error);
    else
        keeper->failed = false;
    if (keeper->touched || now_ns - keeper->written_ns >= WRITE_EVERY_NS)
        write_now(keeper, now_ns);
}
