/* Mute windows that nothing is told outside of. */
#include "alert/doubts.h"
#include <stdio.h>
#include <string.h>

#define DAY_MINUTES 1440
#define WEEK_DAYS 7
#define WEEK_MINUTES (WEEK_DAYS * DAY_MINUTES)
#define SEASONS 2

/* Zones are apart by other hours in winter and in summer: the middle of January and of July 2026.
 */
static const int64_t season_at[SEASONS] = {1768435200, 1784073600};

/* The minutes of the week, in UTC, in which these alerts are muted. */
struct muted {
    struct matchers *alerts;
    const char *who;
    bool said;
    bool week[SEASONS][WEEK_MINUTES];
};

static void cover(const struct mute *mute, int64_t at, bool week[WEEK_MINUTES])
{
    unsigned start = mute->start_minute, end = mute->end_minute;
    unsigned minutes = end > start ? end - start : end + DAY_MINUTES - start;
    int offset = zone_offset(mute->zone, at) / 60;
    unsigned first = (unsigned)(WEEK_MINUTES + (int)start - offset) % WEEK_MINUTES;

    for (unsigned day = 0; day < WEEK_DAYS; day++)
        for (unsigned i = 0; mute->config->days >> day & 1 && i < minutes; i++)
            week[(first + day * DAY_MINUTES + i) % WEEK_MINUTES] = true;
}

/* An end of 23:59 is meant for the end of the day. */
static bool is_whole(const bool week[WEEK_MINUTES])
{
    size_t gaps = 0;

    for (size_t i = 0; i < WEEK_MINUTES; i++)
        gaps += !week[i];
    return gaps <= WEEK_DAYS;
}

/* Whether the window closes the last gap that those before it leave. */
static bool closes(const struct doubts *d, const struct mute *mute, struct muted *muted)
{
    bool whole = true;

    if (muted->said || !doubt_covers(d, mute->match, muted->alerts))
        return false;
    for (size_t s = 0; s < SEASONS; s++) {
        cover(mute, season_at[s], muted->week[s]);
        whole &= is_whole(muted->week[s]);
    }
    return whole;
}

static void doubt_windows(const struct doubts *d, struct muted *muted, size_t count)
{
    char pointer[DOUBT_POINTER_BYTES];

    for (size_t i = 0; i < d->plan->mute_count; i++) {
        snprintf(pointer, sizeof(pointer), "/alert_manager/mute_windows/%zu", i);
        for (size_t m = 0; m < count; m++) {
            if (!closes(d, &d->plan->mutes[i], &muted[m]))
                continue;
            config_warning_add(d->errors, pointer,
                               "mutes every %salert at all times: nobody is told %s (allowed: a "
                               "narrower match, or a window that ends)",
                               muted[m].who, *muted[m].who ? "of one" : "anything");
            /* Who mutes all alerts mutes those of the lists after it too. */
            for (; m < count; m++)
                muted[m].said = true;
        }
        doubt_matchers(d, d->plan->mutes[i].match, NULL, pointer);
    }
}

void doubt_mutes(const struct doubts *d)
{
    static const struct config_map all;
    static const struct config_strings none;
    struct muted muted[] = {{.who = ""}, {.who = "CRITICAL "}};
    char error[MATCHER_ERROR_BYTES];
    size_t bad;

    if (matchers_create(&muted[0].alerts, &all, &none, &bad, error) == 0 &&
        matchers_parse(&muted[1].alerts, "severity=critical", error) == 0)
        doubt_windows(d, muted, sizeof(muted) / sizeof(muted[0]));
    matchers_destroy(muted[0].alerts);
    matchers_destroy(muted[1].alerts);
}
