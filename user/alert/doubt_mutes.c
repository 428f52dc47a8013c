/* Mute windows that nothing is told outside of. */
#include "alert/doubts.h"
#include <stdio.h>
#include <string.h>

#define DAY_MINUTES 1440
#define WEEK_DAYS 7
#define WEEK_MINUTES (WEEK_DAYS * DAY_MINUTES)

static bool same_zone(const struct mute *a, const struct mute *b)
{
    const char *left = a->config->time_zone, *right = b->config->time_zone;

    if (left && right)
        return strcmp(left, right) == 0;
    return !left && !right && a->config->utc == b->config->utc;
}

static void cover(const struct mute *mute, bool week[WEEK_MINUTES])
{
    unsigned minutes = (mute->end_minute + DAY_MINUTES - mute->start_minute) % DAY_MINUTES;

    for (unsigned day = 0; day < WEEK_DAYS; day++)
        for (unsigned i = 0; mute->config->days >> day & 1 && i < minutes; i++)
            week[(day * DAY_MINUTES + mute->start_minute + i) % WEEK_MINUTES] = true;
}

/* Whether the window closes the last gap that those before it leave. An end of 23:59 is meant for
 * the end of the day. */
static bool closes(const struct plan *plan, size_t index)
{
    bool week[WEEK_MINUTES] = {false};
    size_t gaps = 0;

    for (size_t i = 0; i <= index; i++)
        if (matchers_count(plan->mutes[i].match) == 0 &&
            same_zone(&plan->mutes[i], &plan->mutes[index]))
            cover(&plan->mutes[i], week);
    for (size_t i = 0; i < WEEK_MINUTES; i++)
        gaps += !week[i];
    return gaps <= WEEK_DAYS;
}

void doubt_mutes(const struct doubts *d)
{
    char pointer[DOUBT_POINTER_BYTES];
    bool closed = false;

    for (size_t i = 0; i < d->plan->mute_count; i++) {
        const struct matchers *match = d->plan->mutes[i].match;

        snprintf(pointer, sizeof(pointer), "/alert_manager/mute_windows/%zu", i);
        if (!closed && matchers_count(match) == 0 && closes(d->plan, i)) {
            closed = true;
            config_warning_add(
                d->errors, pointer,
                "mutes every alert at all times: nobody is told anything (allowed: a "
                "match, or a window that ends)");
        }
        doubt_matchers(d, match, NULL, pointer);
    }
}
