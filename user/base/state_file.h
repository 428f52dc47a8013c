/* A file of state that is replaced as a whole, by a thread of its own, so that a slow disk delays
 * nobody: written beside, synced, renamed. After a crash at any moment there is the old content or
 * the new one.
 */
#ifndef MOONWATCH_BASE_STATE_FILE_H
#define MOONWATCH_BASE_STATE_FILE_H

#include <stddef.h>

struct state_file;

/* `path` is copied. Starts no thread yet, touches nothing. */
int state_file_create(struct state_file **ret, const char *path);
/* Writes what is waiting, then ends. NULL is fine. */
void state_file_destroy(struct state_file *file);

/* The content as a new string, which the caller frees. At most `limit` bytes: -EFBIG beyond;
 * -ENOENT: there is none. Blocks: for the start. */
int state_file_read(const struct state_file *file, size_t limit, char **ret, size_t *ret_len);
/* Renames a damaged file to PATH.damaged, over an earlier one of that name. */
int state_file_move_aside(const struct state_file *file);

/* Takes `text` (from malloc) and returns at once. What was waiting to be written is dropped for it.
 * 0, or a negative errno when there is no thread. */
int state_file_write(struct state_file *file, char *text, size_t len);
/* Of the last write: 0 or a negative errno. */
int state_file_error(struct state_file *file);
const char *state_file_path(const struct state_file *file);

#endif
