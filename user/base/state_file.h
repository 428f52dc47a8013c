/* State on disk as a JSON document: replaced whole or not at all, by a thread that lives as long as
 * one write, so that a slow disk delays no tick and an agent at rest has no thread for it.
 *
 * All functions are for one thread, that of the event loop.
 */
#ifndef MOONWATCH_BASE_STATE_FILE_H
#define MOONWATCH_BASE_STATE_FILE_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#define STATE_FILE_BYTES_MAX (256UL << 20)
#define STATE_FILE_ERROR_BYTES 256

struct state_file;

/* The file is DIRECTORY/NAME; the directory is made when it is first written. */
int state_file_create(struct state_file **ret, const char *directory, const char *name);
/* Waits for the write that is under way. NULL is fine. */
void state_file_destroy(struct state_file *file);

/* -ENOENT: there is none; -EBADMSG: it is no JSON document; or why it could not be read. */
int state_file_read(const struct state_file *file, cJSON **ret);
/* Renames the file to NAME.damaged, in place of an older one of that name. */
int state_file_move_aside(const struct state_file *file);
const char *state_file_path(const struct state_file *file);

/* Takes the document, whatever it returns. -EBUSY: a write is under way. */
int state_file_write(struct state_file *file, cJSON *json);
/* Whether a write is under way. Ends its thread when it is not. */
bool state_file_busy(struct state_file *file);
/* Readable, for EPOLLIN, from the end of a write until one of the others takes note of it. */
int state_file_fd(const struct state_file *file);
/* Waits until none is. */
void state_file_wait(struct state_file *file);

struct state_file_view {
    uint64_t writes_total, failures_total;
    double last_seconds; /* what the last write took; NaN: there was none */
    uint64_t last_bytes;
    const char *error; /* of the last write, with the file's name; NULL: it went well */
};
void state_file_view(const struct state_file *file, struct state_file_view *ret);

#endif
