/* The collectors, a row each, in the order of sampling: the cheap files whose figures are shares of
 * an interval come first, so that the time the others take does not blur the interval. Events come
 * after processes: an OOM capsule is made of their task snapshot.
 *
 * ROW(name): `const struct collector name_collector` in a file of its own.
 */
#ifndef MOONWATCH_COLLECT_COLLECTOR_ROWS_H
#define MOONWATCH_COLLECT_COLLECTOR_ROWS_H

#define COLLECTOR_ROWS(ROW)                                                                        \
    ROW(cpu)                                                                                       \
    ROW(pressure)                                                                                  \
    ROW(memory)                                                                                    \
    ROW(throttle)                                                                                  \
    ROW(disk)                                                                                      \
    ROW(process)                                                                                   \
    ROW(event)                                                                                     \
    ROW(scheduler)                                                                                 \
    ROW(network)                                                                                   \
    ROW(process_files)                                                                             \
    ROW(cgroup_pids)                                                                               \
    ROW(cgroup_cpu)                                                                                \
    ROW(listeners)

#endif
