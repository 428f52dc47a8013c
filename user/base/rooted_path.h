/* Cgroups as /proc/PID/cgroup has them, from what people write. */
#ifndef MOONWATCH_BASE_ROOTED_PATH_H
#define MOONWATCH_BASE_ROOTED_PATH_H

/* "/a/b" for "a/b", "/a/b" and "//a/b/", "/" for "". The caller's to free; NULL: no memory. */
char *rooted_path(const char *path);
/* A label's value, likewise to be freed: of "cgroup" the path, unless it is "" or "other". */
char *label_copy(const char *name, const char *value);

#endif
