#include "service/keeper.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/state_file.h"
#include "service/restart.h"
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
    CLEANUP_FREE char *text = NULL;
    char why[128], what[192];
    size_t len = 0;
    int r = state_file_read(keeper->file, RESTART_BYTES_MAX, &text, &len);

    if (r == -ENOENT)
        return;
    if (r < 0 && r != -EFBIG) {
        say(keeper, "what services have learnt cannot be read", strerror(-r));
        return;
    }
    if (r == 0 && services_recall(keeper->services, text, len, clock_monotonic_ns(keeper->clock),
                                  clock_realtime_ns(keeper->clock), why, sizeof(why)) == 0)
        return;
    if (r == -EFBIG)
        snprintf(why, sizeof(why), "it is too large");
    r = state_file_move_aside(keeper->file);
    snprintf(what, sizeof(what), "damaged (%s), services learn anew", why);
    say(keeper, what, r < 0 ? strerror(-r) : "moved to the same name with .damaged");
}

static void write_now(struct keeper *keeper, uint64_t now_ns)
{
    char *text;

    keeper->touched = false;
    keeper->written_ns = now_ns;
    if (services_count(keeper->services) + services_upstream_count(keeper->services) == 0)
        return;
    text = services_remember(keeper->services, now_ns, clock_realtime_ns(keeper->clock));
    if (text)
        state_file_write(keeper->file, text, strlen(text));
}

int keeper_create(struct keeper **ret, const char *directory, struct services *services,
                  const struct clock *clock, keeper_problem_fn *problem, void *ctx)
{
    struct keeper *keeper = calloc(1, sizeof(*keeper));
    CLEANUP_FREE char *path = NULL;
    int r;

    if (asprintf(&path, "%s/services.json", directory) < 0)
        path = NULL;
    if (!keeper || !path) {
        free(keeper);
        return -ENOMEM;
    }
    *keeper = (struct keeper){.services = services, .clock = clock, .problem = problem, .ctx = ctx};
    r = state_file_create(&keeper->file, path);
    if (r < 0) {
        free(keeper);
        return r;
    }
    /* Without it the first write fails, which is said then. */
    (void)dir_create_all(directory, 0755);
    recall(keeper);
    keeper->written_ns = clock_monotonic_ns(clock);
    *ret = keeper;
    return 0;
}

void keeper_destroy(struct keeper *keeper)
{
    if (!keeper)
        return;
    write_now(keeper, clock_monotonic_ns(keeper->clock));
    state_file_destroy(keeper->file);
    free(keeper);
}

void keeper_touch(struct keeper *keeper)
{
    keeper->touched = true;
}

void keeper_tick(struct keeper *keeper, uint64_t now_ns)
{
    int error = state_file_error(keeper->file);

    if (error && !keeper->failed)
        say(keeper, "what services learn cannot be kept", strerror(-error));
    keeper->failed = error != 0;
    if (keeper->touched || now_ns - keeper->written_ns >= WRITE_EVERY_NS)
        write_now(keeper, now_ns);
}
