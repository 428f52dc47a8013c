/* Says when directories of given paths may have been made or removed, at once and without looking
 * again and again. A path is followed below a root that stays: its directories that are there are
 * watched, down to the last but one, so that any part of it may be missing, and be made later.
 *
 * The watches are bounded: what is beyond the bound, or beyond what the kernel grants, is not
 * watched. Whoever must not miss it looks by itself from time to time.
 */
#ifndef MOONWATCH_BASE_PATH_WATCH_H
#define MOONWATCH_BASE_PATH_WATCH_H

#include "base/loop.h"
#include <stddef.h>

#define PATH_WATCH_DIRECTORIES_MAX 128

struct path_watch;

typedef void path_watch_fn(void *ctx);

/* `moved` is called from the loop, once however many there were. 0 or a negative errno. */
int path_watch_create(struct path_watch **ret, struct loop *loop, path_watch_fn *moved, void *ctx);
void path_watch_destroy(struct path_watch *w);

/* From now on these, each "/PART/PART" below `root` (no slash at its end); copied. What moved
 * before is not told. 0 or -ENOMEM, and nothing is watched then. */
int path_watch_set(struct path_watch *w, const char *root, const char *const *paths, size_t count);
size_t path_watch_directories(const struct path_watch *w);

#endif
