/* Who is behind it, for people: "; most: make (pid 7) 90 % of 2 CPUs". Nothing when not known. */
#ifndef MOONWATCH_HEALTH_CULPRIT_H
#define MOONWATCH_HEALTH_CULPRIT_H

#include "health/phrase.h"
#include "model/snapshot.h"
#include <stdbool.h>

void culprit_add_cpu(const struct snapshot *snapshot, struct phrase *p);
void culprit_add_memory(const struct snapshot *snapshot, struct phrase *p);
void culprit_add_blocked(const struct snapshot *snapshot, struct phrase *p);

/* "make (pid 7) 90 % of 2 CPUs" or, when its children came and ended too fast to be seen
 * themselves, "many short processes of make (pid 7) 90 % of 2 CPUs". */
void culprit_say_cpu(const struct snapshot *snapshot, const struct process_row *row,
                     struct phrase *p);

/* "many short processes named cc1 in /system.slice/ci.service 90 % of 2 CPUs", when processes that
 * were never seen took more than any that was, whoever their parent is; or "cgroup
 * /system.slice/ci.service 90 % of 2 CPUs", when no process or name in it stands out. False, and
 * nothing said, when a process did. */
bool culprit_say_cpu_of_many(const struct snapshot *snapshot, struct phrase *p);

#endif
