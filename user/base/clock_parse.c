#include "base/clock.h"
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Beyond the year 2200 a number is milliseconds, or nonsense. */
#define EPOCH_SECONDS_MAX 7258118400.0

static bool parse_epoch(const char *text, uint64_t *ret)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end || !(seconds >= 0 && seconds <= EPOCH_SECONDS_MAX))
        return false;
    *ret = (uint64_t)seconds * NS_PER_SECOND +
           (uint64_t)((seconds - floor(seconds)) * (double)NS_PER_SECOND);
    return true;
}

/* "", "Z", "+01:00", "+0100" */
static bool parse_offset(const char *text, int *ret_seconds)
{
    int hours, minutes;

    *ret_seconds = 0;
    if (!*text || strcmp(text, "Z") == 0)
        return true;
    if ((*text != '+' && *text != '-') || !isdigit((unsigned char)text[1]) ||
        !isdigit((unsigned char)text[2]))
        return false;
    hours = (text[1] - '0') * 10 + text[2] - '0';
    minutes = text[3] ? atoi(text + 3 + (text[3] == ':')) : 0;
    if (hours > 23 || minutes < 0 || minutes > 59)
        return false;
    *ret_seconds = (*text == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
    return true;
}

bool clock_parse_time(const char *text, uint64_t *ret_ns)
{
    struct tm tm = {0};
    const char *rest;
    double fraction = 0;
    char *end;
    int offset;
    time_t seconds;

    if (parse_epoch(text, ret_ns))
        return true;
    rest = strptime(text, "%Y-%m-%d", &tm);
    if (!rest || (*rest != 'T' && *rest != ' '))
        return false;
    rest = strptime(rest + 1, "%H:%M:%S", &tm);
    if (!rest)
        return false;
    if (*rest == '.') {
        fraction = strtod(rest, &end);
        rest = end;
    }
    if (!parse_offset(rest, &offset))
        return false;
    seconds = timegm(&tm) - offset;
    if (seconds < 0 || !(fraction >= 0 && fraction < 1))
        return false;
    *ret_ns = (uint64_t)seconds * NS_PER_SECOND + (uint64_t)(fraction * (double)NS_PER_SECOND);
    return true;
}
