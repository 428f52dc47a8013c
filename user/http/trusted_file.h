/* Reading a file that decides who may do what. */
#ifndef MOONWATCH_HTTP_TRUSTED_FILE_H
#define MOONWATCH_HTTP_TRUSTED_FILE_H

#include <stddef.h>

/* Reads a text file whole into a new NUL-terminated buffer, which the caller frees; -EFBIG beyond
 * `limit` bytes, -EINVAL with a NUL in it. Nobody but root and the agent's user may be able to
 * change or replace it or the link that leads to it: else, or for a FIFO, -EPERM. It never blocks
 * on what is no file. `error` holds one line that names the path and the mend on failure. */
int trusted_file_read(const char *path, size_t limit, char **ret, char *error, size_t size);

#endif
