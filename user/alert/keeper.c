#include "alert/keeper.h"
#include "base/cleanup.h"
#include "base/file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define LOGGER "alert_manager"
/* Ages of what only goes on, a firing alert for one, are no change; after a kill they are no older
 * than this. A file that somebody removed is missing no longer. */
#define SAVE_ANYWAY_NS (60 * NS_PER_SECOND)
/* A change is written when the outbox has what was said about it, which takes a commit; but making
 * a document of a large state takes no more than this part of the loop's time. */
#define SAVE_DELAY_NS (5 * NS_PER_MS)
#define SAVE_SHARE 50
/* A failed write is tried again, and said once. */
#define SAVE_RETRY_NS (10 * NS_PER_SECOND)
#define BOOT_ID_BYTES 64

struct alert_keeper {
    struct alert_keeper_sources sources;
    struct state_file *file;
    struct loop_source *alarm, *written;
    bool armed;
    char boot_id[BOOT_ID_BYTES]; /* "": not known */
    uint64_t saved_revision, writing_revision, kept_revision;
    uint64_t next_save_ns, save_anyway_ns;
    uint64_t note, writing_note; /* the last one made; the last in what is being written */
    bool writing;
    uint64_t failures; /* of writes, that were looked after */
    bool failing;      /* and said */
};

static void read_boot_id(struct alert_keeper *s)
{
    CLEANUP_FREE char *text = NULL;
    size_t len;

    if (file_read_all(s->sources.host->proc, "sys/kernel/random/boot_id", BOOT_ID_BYTES - 1, &text,
                      &len) < 0)
        return;
    text[strcspn(text, "\n")] = '\0';
    snprintf(s->boot_id, sizeof(s->boot_id), "%s", text);
}

static const char *boot_id(const struct alert_keeper *s)
{
    return *s->boot_id ? s->boot_id : NULL;
}

static void move_aside(struct alert_keeper *s, const char *why)
{
    int r = state_file_move_aside(s->file);

    LOG_ERROR(s->sources.log, LOGGER,
              r < 0 ? "The saved alerts are damaged and cannot be moved aside"
                    : "The saved alerts are damaged; moved aside, beginning anew",
              LOG_STRING("path", state_file_path(s->file)), LOG_STRING("reason", why),
              LOG_STRING("moved_to", r < 0 ? NULL : "alerts.json.damaged"));
}

static void load(struct alert_keeper *s)
{
    const struct clock *clock = s->sources.clock;
    struct alert_manager *manager = s->sources.manager;
    cJSON *json = NULL;
    int r = state_file_read(s->file, &json);

    if (r == 0)
        r = alert_manager_import(manager, json, boot_id(s), clock_monotonic_ns(clock),
                                 clock_realtime_ns(clock));
    cJSON_Delete(json);
    if (r == -EBADMSG || r == -EINVAL)
        move_aside(s, r == -EBADMSG ? "it is no JSON document" : "it is of another version");
    else if (r < 0 && r != -ENOENT)
        LOG_ERROR(s->sources.log, LOGGER, "The saved alerts cannot be read, beginning anew",
                  LOG_STRING("path", state_file_path(s->file)),
                  LOG_STRING("error", state_file_error(r)),
                  LOG_STRING("to_be_kept_as",
                             state_file_keeps_unread(s->file) ? "alerts.json.unread" : NULL));
    else if (r == 0)
        LOG_INFO(s->sources.log, LOGGER, "Alerts go on where they were",
                 LOG_U64("alerts", alert_manager_count(manager)),
                 LOG_U64("silences", alert_manager_silence_count(manager)));
}

static void save(struct alert_keeper *s, uint64_t now_ns)
{
    uint64_t revision = alert_manager_revision(s->sources.manager), took_ns;
    int r = state_file_write(s->file, alert_manager_export(s->sources.manager, boot_id(s)));

    if (r < 0) {
        s->next_save_ns = now_ns + SAVE_RETRY_NS;
        return;
    }
    s->writing = true;
    s->writing_note = s->note;
    took_ns = clock_monotonic_ns(s->sources.clock) - now_ns;
    s->saved_revision = s->writing_revision = revision;
    s->next_save_ns = now_ns + SAVE_SHARE * took_ns;
    s->save_anyway_ns = now_ns + SAVE_ANYWAY_NS;
}

static void say_it_hangs(struct alert_keeper *s)
{
    if (!s->failing)
        LOG_ERROR(s->sources.log, LOGGER, "The alerts cannot be saved",
                  LOG_STRING("path", state_file_path(s->file)),
                  LOG_STRING("error", state_file_error(-ETIMEDOUT)));
    s->failing = true;
}

static void look_after_writes(struct alert_keeper *s, uint64_t now_ns)
{
    struct state_file_view view;

    state_file_view(s->file, &view);
    if (view.stalled) {
        say_it_hangs(s);
        return;
    }
    if (state_file_busy(s->file))
        return;
    if (view.failures_total == s->failures) {
        s->failing = s->failing && view.error;
        if (!s->writing)
            return;
        s->writing = false;
        s->kept_revision = s->writing_revision;
        s->sources.saved(s->sources.ctx, s->writing_note);
        return;
    }
    s->writing = false;
    if (!s->failing)
        LOG_ERROR(s->sources.log, LOGGER, "The alerts cannot be saved",
                  LOG_STRING("error", view.error));
    s->failing = true;
    s->failures = view.failures_total;
    s->saved_revision--; /* what was written is not there */
    s->next_save_ns = now_ns + SAVE_RETRY_NS;
}

static bool wants_save(const struct alert_keeper *s, uint64_t now_ns)
{
    return alert_manager_revision(s->sources.manager) != s->saved_revision ||
           (now_ns >= s->save_anyway_ns && alert_manager_count(s->sources.manager) +
                                                   alert_manager_silence_count(s->sources.manager) >
                                               0);
}

static void on_alarm(void *ctx, uint64_t now_ns)
{
    struct alert_keeper *s = ctx;

    s->armed = false;
    /* The end of the write, or the next tick, looks again. */
    if (state_file_busy(s->file) || !s->sources.settled(s->sources.ctx))
        return;
    look_after_writes(s, now_ns);
    if (now_ns >= s->next_save_ns && wants_save(s, now_ns))
        save(s, now_ns);
}

void alert_keeper_changed(struct alert_keeper *s)
{
    uint64_t now_ns = clock_monotonic_ns(s->sources.clock), due_ns;
    bool busy;

    busy = state_file_busy(s->file);
    look_after_writes(s, now_ns);
    if (busy)
        return;
    /* Not put off by one change after the other. */
    if (s->armed || !wants_save(s, now_ns))
        return;
    due_ns = now_ns + SAVE_DELAY_NS;
    loop_set_alarm(s->alarm, due_ns > s->next_save_ns ? due_ns : s->next_save_ns);
    s->armed = true;
}

/* What changed meanwhile is not in what was written. */
static void on_written(void *ctx, uint32_t events)
{
    (void)events;
    alert_keeper_changed(ctx);
}

char *alert_keeper_note(struct alert_keeper *s, uint64_t *ret_number)
{
    cJSON *json = alert_manager_export_told(s->sources.manager, boot_id(s));
    char *note = json ? cJSON_PrintUnformatted(json) : NULL;

    cJSON_Delete(json);
    if (note)
        *ret_number = ++s->note;
    return note;
}

void alert_keeper_recall(struct alert_keeper *s, const char *note, size_t bytes)
{
    const struct clock *clock = s->sources.clock;
    cJSON *json = cJSON_ParseWithLength(note, bytes);
    int r = alert_manager_import_told(s->sources.manager, json, boot_id(s),
                                      clock_monotonic_ns(clock), clock_realtime_ns(clock));

    cJSON_Delete(json);
    if (r < 0)
        LOG_WARNING(s->sources.log, LOGGER, "A note of what was told cannot be read",
                    LOG_STRING("error", strerror(-r)));
}

int alert_keeper_create(struct alert_keeper **ret, const struct alert_keeper_sources *sources)
{
    struct alert_keeper *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return -ENOMEM;
    s->sources = *sources;
    r = state_file_create(&s->file, sources->directory, "alerts.json");
    if (r == 0)
        r = loop_add_alarm(sources->loop, &s->alarm, on_alarm, s);
    if (r == 0)
        r = loop_add_fd(sources->loop, &s->written, state_file_fd(s->file), EPOLLIN, on_written, s);
    if (r < 0) {
        alert_keeper_destroy(s, false);
        return r;
    }
    /* Above those of the agent before, whatever its number was. */
    s->note = clock_realtime_ns(sources->clock);
    read_boot_id(s);
    load(s);
    s->saved_revision = s->kept_revision = alert_manager_revision(sources->manager);
    *ret = s;
    return 0;
}

static bool wait_for_disk(struct alert_keeper *s)
{
    bool done = state_file_wait(s->file);

    if (!done)
        say_it_hangs(s);
    return done;
}

void alert_keeper_destroy(struct alert_keeper *s, bool save_now)
{
    uint64_t now_ns;

    if (!s)
        return;
    now_ns = clock_monotonic_ns(s->sources.clock);
    if (save_now && wait_for_disk(s) &&
        (wants_save(s, now_ns) || alert_manager_count(s->sources.manager) > 0)) {
        save(s, now_ns);
        if (wait_for_disk(s))
            look_after_writes(s, now_ns);
    }
    loop_remove(s->written);
    loop_remove(s->alarm);
    state_file_destroy(s->file);
    free(s);
}

uint64_t alert_keeper_kept(const struct alert_keeper *s)
{
    return s->failing ? UINT64_MAX : s->kept_revision;
}

const struct state_file *alert_keeper_file(const struct alert_keeper *s)
{
    return s->file;
}
