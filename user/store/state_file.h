/* State on disk as a JSON document, by a thread, so that a slow disk delays no tick: in a file of
 * its own, replaced whole or not at all by a thread that lives as long as one piece of work, or
 * beside the messages of an outbox, where what differs is replaced. A file that an older version
 * left is read where the outbox has nothing, and removed when the outbox has it.
 *
 * A disk that hangs (a dead server of a network file system) is waited for 5 s when the document is
 * read and at the end. What could not be read is never overwritten: when it is replaced it is
 * renamed to NAME.unread, in place of an older one of that name.
 *
 * All functions are for one thread, that of the event loop.
 */
#ifndef MOONWATCH_STORE_STATE_FILE_H
#define MOONWATCH_STORE_STATE_FILE_H

#include "store/outbox.h"
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#define STATE_FILE_BYTES_MAX (256UL << 20)
#define STATE_FILE_ERROR_BYTES 256

struct state_file;

/* The file is DIRECTORY/NAME; the directory is made when it is first written. */
int state_file_create(struct state_file **ret, const char *directory, const char *name);
/* The same beside the messages of `outbox`, which is borrowed; the file is an older version's. */
int state_file_create_beside(struct state_file **ret, struct outbox *outbox, const char *directory,
                             const char *name);
/* Waits for the work that is under way; what hangs is left to its thread. NULL is fine. */
void state_file_destroy(struct state_file *file);

/* -ENOENT: there is none; -EBADMSG: it is no JSON document; -ETIMEDOUT: the disk hangs; -ELOOP: it
 * is a symbolic link, which may lead out of the directory; or why it could not be read. */
int state_file_read(struct state_file *file, cJSON **ret);
/* What an error of state_file_read() means, for people. */
const char *state_file_error(int error);
/* What could not be read is called after the next write; NULL: there is nothing to keep. */
const char *state_file_unread_name(const struct state_file *file);
/* Renames the file to NAME.damaged, in place of an older one of that name; `ret_name` is the new
 * name. Beside messages it is kept by the next write. -ETIMEDOUT as above. */
int state_file_move_aside(struct state_file *file, const char **ret_name);
/* Of what was read last. */
const char *state_file_path(const struct state_file *file);

/* Takes the document, whatever it returns. -EBUSY: work is under way. */
int state_file_write(struct state_file *file, cJSON *json);
/* Whether work is under way. Ends its thread when it is not. */
bool state_file_busy(struct state_file *file);
/* Readable, for EPOLLIN, from the end of some work until one of the others takes note of it. */
int state_file_fd(const struct state_file *file);
/* Waits until none is; false: the disk hangs, and is not waited for again. */
bool state_file_wait(struct state_file *file);

struct state_file_view {
    uint64_t writes_total, failures_total;
    double last_seconds; /* what the last write took; NaN: there was none */
    uint64_t last_bytes;
    bool stalled;      /* work has been under way for 10 s: the disk hangs */
    const char *error; /* of the last write, with the file's name; NULL: it went well */
};
void state_file_view(const struct state_file *file, struct state_file_view *ret);

#endif
