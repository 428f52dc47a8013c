/* The files of a database: itself, its write-ahead log and the index of that. Inside this layer
 * only. */
#ifndef MOONWATCH_STORE_OUTBOX_FILES_H
#define MOONWATCH_STORE_OUTBOX_FILES_H

#include <stddef.h>
#include <stdint.h>

/* Makes the database's if there is none, so that nobody else can read it. -EACCES, with the reason
 * in `why`: one is a symbolic link. */
int outbox_files_keep_private(const char *path, char *why, size_t size);
/* Renames a damaged database with what belongs to it; `ret` gets the new name. */
int outbox_files_move_aside(const char *path, uint64_t realtime_ns, char *ret, size_t size);

#endif
