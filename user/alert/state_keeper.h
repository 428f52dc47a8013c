/* The alert manager's state for store/keeper.h, which keeps it on the disk, and the notes of what
 * was told meanwhile. */
#ifndef MOONWATCH_ALERT_STATE_KEEPER_H
#define MOONWATCH_ALERT_STATE_KEEPER_H

#include "alert/alert.h"
#include "base/host.h"
#include "base/log.h"
#include "store/keeper.h"

struct alert_keeper;

/* All borrowed. */
struct alert_keeper_sources {
    struct log *log;
    struct loop *loop;
    const struct clock *clock;
    const struct host *host;
    const char *directory;
    /* Which has it, behind what the manager said until then: killed in between, the agent would
     * never say what its state says was said. NULL: a file in the directory has it. */
    struct outbox *outbox;
    struct alert_manager *manager;
    /* The state on the disk knows of all that was told up to the note of this number. */
    void (*saved)(void *ctx, uint64_t note);
    void *ctx;
};

/* Imports what the agent before left; what is damaged is moved aside, and what cannot be read, or
 * hangs, is kept. */
int alert_keeper_create(struct alert_keeper **ret, const struct alert_keeper_sources *sources);
/* `save`: once more, unless the disk hangs. NULL is fine. */
void alert_keeper_destroy(struct alert_keeper *s, bool save);

/* After the manager may have changed; and with each tick, for what only gets older. */
void alert_keeper_changed(struct alert_keeper *s);

/* alert_manager_revision() of what is on the disk; UINT64_MAX: the last try to keep it failed. */
uint64_t alert_keeper_kept(const struct alert_keeper *s);

/* A note of what was told since the one before, for the outbox; NULL: nothing was. To be freed. */
char *alert_keeper_note(struct alert_keeper *s, uint64_t *ret_number);
/* Takes a note that the agent before left in the outbox. */
void alert_keeper_recall(struct alert_keeper *s, const char *note, size_t bytes);

const struct state_file *alert_keeper_file(const struct alert_keeper *s);

#endif
