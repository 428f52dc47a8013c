#include "alert/state_keeper.h"
#include "base/cleanup.h"
#include "base/file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGGER "alert_manager"
#define BOOT_ID_BYTES 64

struct alert_keeper {
    struct alert_keeper_sources sources;
    struct keeper *keeper;
    char boot_id[BOOT_ID_BYTES]; /* "": not known */
    uint64_t note, writing_note; /* the last one made; the last in what is being written */
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

static cJSON *serialize(void *ctx)
{
    struct alert_keeper *s = ctx;

    s->writing_note = s->note;
    return alert_manager_export(s->sources.manager, boot_id(s));
}

static int restore(void *ctx, const cJSON *json, char *why, size_t size)
{
    const struct alert_keeper *s = ctx;
    const struct clock *clock = s->sources.clock;

    snprintf(why, size, "it is of another version");
    return alert_manager_import(s->sources.manager, json, boot_id(s), clock_monotonic_ns(clock),
                                clock_realtime_ns(clock));
}

static uint64_t revision(void *ctx)
{
    return alert_manager_revision(((const struct alert_keeper *)ctx)->sources.manager);
}

/* Ages of what only goes on, a firing alert for one, are no change. */
static bool is_empty(void *ctx)
{
    const struct alert_manager *manager = ((const struct alert_keeper *)ctx)->sources.manager;

    return alert_manager_count(manager) + alert_manager_silence_count(manager) == 0;
}

static void on_saved(void *ctx)
{
    const struct alert_keeper *s = ctx;

    s->sources.saved(s->sources.ctx, s->writing_note);
}

static void say(void *ctx, const struct keeper_said *said)
{
    const struct alert_keeper *s = ctx;
    struct log *log = s->sources.log;

    switch (said->event) {
    case KEEPER_RESTORED:
        LOG_INFO(log, LOGGER, "Alerts go on where they were",
                 LOG_U64("alerts", alert_manager_count(s->sources.manager)),
                 LOG_U64("silences", alert_manager_silence_count(s->sources.manager)));
        return;
    case KEEPER_DAMAGED:
        LOG_ERROR(log, LOGGER,
                  said->moved_to ? "The saved alerts are damaged; moved aside, beginning anew"
                                 : "The saved alerts are damaged and cannot be moved aside",
                  LOG_STRING("path", said->path), LOG_STRING("reason", said->why),
                  LOG_STRING("moved_to", said->moved_to));
        return;
    case KEEPER_UNREADABLE:
        LOG_ERROR(log, LOGGER, "The saved alerts cannot be read, beginning anew",
                  LOG_STRING("path", said->path), LOG_STRING("error", said->why),
                  LOG_STRING("to_be_kept_as", said->moved_to));
        return;
    case KEEPER_FAILS:
        LOG_ERROR(log, LOGGER, "The alerts cannot be saved", LOG_STRING("path", said->path),
                  LOG_STRING("error", said->why));
        return;
    }
}

int alert_keeper_create(struct alert_keeper **ret, const struct alert_keeper_sources *sources)
{
    struct alert_keeper *s = calloc(1, sizeof(*s));
    const struct keeper_config config = {
        .loop = sources->loop,
        .clock = sources->clock,
        .directory = sources->directory,
        .name = "alerts.json",
        .outbox = sources->outbox,
    };
    const struct keeper_ops ops = {
        .serialize = serialize,
        .restore = restore,
        .revision = revision,
        .is_empty = is_empty,
        .saved = on_saved,
        .say = say,
        .ctx = s,
    };
    int r;

    if (!s)
        return -ENOMEM;
    s->sources = *sources;
    /* Above those of the agent before, whatever its number was. */
    s->note = clock_realtime_ns(sources->clock);
    read_boot_id(s);
    r = keeper_create(&s->keeper, &config, &ops);
    if (r < 0) {
        free(s);
        return r;
    }
    *ret = s;
    return 0;
}

void alert_keeper_destroy(struct alert_keeper *s, bool save)
{
    if (!s)
        return;
    keeper_destroy(s->keeper, save);
    free(s);
}

void alert_keeper_changed(struct alert_keeper *s)
{
    keeper_changed(s->keeper);
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

uint64_t alert_keeper_kept(const struct alert_keeper *s)
{
    return keeper_kept(s->keeper);
}

const struct state_file *alert_keeper_file(const struct alert_keeper *s)
{
    return keeper_file(s->keeper);
}
