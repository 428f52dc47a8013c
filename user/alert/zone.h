/* The time of day in a time zone, from the zone's TZif file (RFC 8536).
 *
 * libc knows one zone at a time, which is the process's and cannot be changed while other threads
 * run; mute windows have a zone each.
 */
#ifndef MOONWATCH_ALERT_ZONE_H
#define MOONWATCH_ALERT_ZONE_H

#include <stdint.h>

struct zone;

/* `path`: "/usr/share/zoneinfo/Europe/Berlin". -EINVAL when it is no TZif file. */
int zone_open(struct zone **ret, const char *path);
void zone_close(struct zone *zone); /* NULL is fine */

/* Seconds to add to UTC at that time (seconds since 1970). NULL is UTC. */
int32_t zone_offset(const struct zone *zone, int64_t at);

/* The weekday (0: Monday) and the minute of the day there. */
void zone_wall_clock(const struct zone *zone, int64_t at, unsigned *ret_weekday,
                     unsigned *ret_minute);

#endif
