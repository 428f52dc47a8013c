#include "store/keeper.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* After a kill, what only went on is no older than this. A file that somebody removed is missing no
 * longer. */
#define SAVE_ANYWAY_NS (60 * NS_PER_SECOND)
/* Changes that come together are written together; but making a document of a large state takes no
 * more than this part of the loop's time. */
#define SAVE_DELAY_NS (5 * NS_PER_MS)
#define SAVE_SHARE 50
/* A failed write is tried again, and said once. */
#define SAVE_RETRY_NS (10 * NS_PER_SECOND)
#define WHY_BYTES 128

struct keeper {
    const struct clock *clock;
    struct keeper_ops ops;
    struct state_file *file;
    struct loop_source *alarm, *written;
    bool armed;
    uint64_t saved_revision, writing_revision, kept_revision;
    uint64_t next_save_ns, save_anyway_ns;
    bool writing;
    uint64_t failures; /* of writes, that were looked after */
    bool failing;      /* and said */
};

static void say(const struct keeper *k, enum keeper_event event, const char *why,
                const char *moved_to)
{
    const struct keeper_said said = {
        .event = event, .path = state_file_path(k->file), .why = why, .moved_to = moved_to};

    k->ops.say(k->ops.ctx, &said);
}

static void move_aside(const struct keeper *k, const char *why)
{
    const char *moved_to;
    int r = state_file_move_aside(k->file, &moved_to);
    char both[WHY_BYTES + 64];

    snprintf(both, sizeof(both), "%s%s%s", why, r < 0 ? "; " : "", r < 0 ? strerror(-r) : "");
    say(k, KEEPER_DAMAGED, both, r < 0 ? NULL : moved_to);
}

static void restore(const struct keeper *k)
{
    char why[WHY_BYTES] = "it is no JSON document";
    cJSON *json = NULL;
    int r = state_file_read(k->file, &json);

    if (r == -ENOENT)
        return;
    if (r < 0 && r != -EBADMSG) {
        say(k, KEEPER_UNREADABLE, state_file_error(r), state_file_unread_name(k->file));
        return;
    }
    if (r == 0)
        r = k->ops.restore(k->ops.ctx, json, why, sizeof(why));
    cJSON_Delete(json);
    if (r < 0)
        move_aside(k, why);
    else
        say(k, KEEPER_RESTORED, "", NULL);
}

static void save(struct keeper *k, uint64_t now_ns)
{
    uint64_t revision = k->ops.revision(k->ops.ctx), took_ns;
    int r = state_file_write(k->file, k->ops.serialize(k->ops.ctx));

    if (r < 0) {
        k->next_save_ns = now_ns + SAVE_RETRY_NS;
        return;
    }
    k->writing = true;
    took_ns = clock_monotonic_ns(k->clock) - now_ns;
    k->saved_revision = k->writing_revision = revision;
    k->next_save_ns = now_ns + SAVE_SHARE * took_ns;
    k->save_anyway_ns = now_ns + SAVE_ANYWAY_NS;
}

static void say_it_fails(struct keeper *k, const char *why)
{
    if (!k->failing)
        say(k, KEEPER_FAILS, why, NULL);
    k->failing = true;
}

static void look_after_writes(struct keeper *k, uint64_t now_ns)
{
    struct state_file_view view;

    state_file_view(k->file, &view);
    if (view.stalled) {
        say_it_fails(k, state_file_error(-ETIMEDOUT));
        return;
    }
    if (state_file_busy(k->file))
        return;
    if (view.failures_total == k->failures) {
        k->failing = k->failing && view.error;
        if (!k->writing)
            return;
        k->writing = false;
        k->kept_revision = k->writing_revision;
        if (k->ops.saved)
            k->ops.saved(k->ops.ctx);
        return;
    }
    k->writing = false;
    say_it_fails(k, view.error);
    k->failures = view.failures_total;
    k->saved_revision--; /* what was written is not there */
    k->next_save_ns = now_ns + SAVE_RETRY_NS;
}

static bool wants_save(const struct keeper *k, uint64_t now_ns)
{
    return k->ops.revision(k->ops.ctx) != k->saved_revision ||
           (now_ns >= k->save_anyway_ns && !k->ops.is_empty(k->ops.ctx));
}

static void on_alarm(void *ctx, uint64_t now_ns)
{
    struct keeper *k = ctx;

    k->armed = false;
    /* The end of the write, or the next tick, looks again. */
    if (state_file_busy(k->file))
        return;
    look_after_writes(k, now_ns);
    if (now_ns >= k->next_save_ns && wants_save(k, now_ns))
        save(k, now_ns);
}

void keeper_changed(struct keeper *k)
{
    uint64_t now_ns = clock_monotonic_ns(k->clock), due_ns;
    bool busy = state_file_busy(k->file);

    look_after_writes(k, now_ns);
    if (busy)
        return;
    /* Not put off by one change after the other. */
    if (k->armed || !wants_save(k, now_ns))
        return;
    due_ns = now_ns + SAVE_DELAY_NS;
    loop_set_alarm(k->alarm, due_ns > k->next_save_ns ? due_ns : k->next_save_ns);
    k->armed = true;
}

/* What changed meanwhile is not in what was written. */
static void on_written(void *ctx, uint32_t events)
{
    (void)events;
    keeper_changed(ctx);
}

int keeper_create(struct keeper **ret, const struct keeper_config *config,
                  const struct keeper_ops *ops)
{
    struct keeper *k = calloc(1, sizeof(*k));
    int r;

    if (!k)
        return -ENOMEM;
    k->clock = config->clock;
    k->ops = *ops;
    r = config->outbox
            ? state_file_create_beside(&k->file, config->outbox, config->directory, config->name)
            : state_file_create(&k->file, config->directory, config->name);
    if (r == 0)
        r = loop_add_alarm(config->loop, &k->alarm, on_alarm, k);
    if (r == 0)
        r = loop_add_fd(config->loop, &k->written, state_file_fd(k->file), EPOLLIN, on_written, k);
    if (r < 0) {
        keeper_destroy(k, false);
        return r;
    }
    restore(k);
    k->saved_revision = k->kept_revision = ops->revision(ops->ctx);
    *ret = k;
    return 0;
}

static bool wait_for_disk(struct keeper *k)
{
    bool done = state_file_wait(k->file);

    if (!done)
        say_it_fails(k, state_file_error(-ETIMEDOUT));
    return done;
}

void keeper_destroy(struct keeper *k, bool save_now)
{
    uint64_t now_ns;

    if (!k)
        return;
    now_ns = clock_monotonic_ns(k->clock);
    if (save_now && wait_for_disk(k) && (wants_save(k, now_ns) || !k->ops.is_empty(k->ops.ctx))) {
        save(k, now_ns);
        if (wait_for_disk(k))
            look_after_writes(k, now_ns);
    }
    loop_remove(k->written);
    loop_remove(k->alarm);
    state_file_destroy(k->file);
    free(k);
}

uint64_t keeper_kept(const struct keeper *k)
{
    return k->failing ? UINT64_MAX : k->kept_revision;
}

const struct state_file *keeper_file(const struct keeper *k)
{
    return k->file;
}
