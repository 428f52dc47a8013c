#include "alert/zone_rule.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY_SECONDS 86400

static bool skip_name(const char **at)
{
    const char *s = *at;

    if (*s == '<') {
        s = strchr(s, '>');
        if (!s)
            return false;
        *at = s + 1;
        return true;
    }
    while (isalpha((unsigned char)*s))
        s++;
    if (s - *at < 3)
        return false;
    *at = s;
    return true;
}

/* [+-]h[h][:mm[:ss]] */
static bool parse_time(const char **at, int32_t *ret)
{
    int32_t sign = 1, unit = 3600, total = 0;
    char *end;

    if (**at == '-' || **at == '+')
        sign = *(*at)++ == '-' ? -1 : 1;
    for (; unit > 0; unit /= 60) {
        long value;

        if (!isdigit((unsigned char)**at))
            return false;
        value = strtol(*at, &end, 10);
        if (value > 167)
            return false;
        total += (int32_t)value * unit;
        *at = end;
        if (*end != ':')
            break;
        (*at)++;
    }
    *ret = sign * total;
    return true;
}

static bool parse_number(const char **at, long least, long most, int *ret)
{
    char *end;
    long value;

    if (!isdigit((unsigned char)**at))
        return false;
    value = strtol(*at, &end, 10);
    if (value < least || value > most)
        return false;
    *at = end;
    *ret = (int)value;
    return true;
}

static bool parse_date(const char **at, struct zone_date *ret)
{
    bool ok;

    *ret = (struct zone_date){.seconds = 7200};
    if (**at == 'M') {
        ret->kind = *(*at)++;
        ok = parse_number(at, 1, 12, &ret->month) && *(*at)++ == '.' &&
             parse_number(at, 1, 5, &ret->week) && *(*at)++ == '.' &&
             parse_number(at, 0, 6, &ret->day);
    } else if (**at == 'J') {
        ret->kind = *(*at)++;
        ok = parse_number(at, 1, 365, &ret->day);
    } else {
        ok = parse_number(at, 0, 365, &ret->day);
    }
    if (ok && **at == '/') {
        (*at)++;
        ok = parse_time(at, &ret->seconds);
    }
    return ok;
}

bool zone_rule_parse(struct zone_rule *ret, const char *text)
{
    struct zone_rule rule = {0};
    int32_t west;

    if (!skip_name(&text) || !parse_time(&text, &west))
        return false;
    rule.standard = -west;
    rule.daylight = rule.standard + 3600;
    if (*text) {
        if (!skip_name(&text))
            return false;
        if (*text != ',') {
            if (!parse_time(&text, &west))
                return false;
            rule.daylight = -west;
        }
        rule.changes = true;
        if (*text++ != ',' || !parse_date(&text, &rule.start) || *text++ != ',' ||
            !parse_date(&text, &rule.end) || *text)
            return false;
    }
    *ret = rule;
    return true;
}

/* Seconds since 1970 of the local midnight that the date names, as if local time were UTC. */
static int64_t midnight_of(const struct zone_date *date, int year)
{
    struct tm first = {.tm_year = year - 1900, .tm_mday = 1};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int64_t start, next;
    int days;

    if (date->kind != 'M') {
        days = date->day - (date->kind == 'J');
        /* Day 60 of 'J' is March 1 in every year. */
        if (date->kind == 'J' && leap && date->day >= 60)
            days++;
        return timegm(&first) + (int64_t)days * DAY_SECONDS;
    }
    first.tm_mon = date->month - 1;
    start = timegm(&first);
    /* timegm() has filled in the weekday of the month's first day. */
    days = (date->day - first.tm_wday + 7) % 7 + (date->week - 1) * 7;
    first = (struct tm){.tm_year = year - 1900, .tm_mon = date->month, .tm_mday = 1};
    next = timegm(&first);
    while (start + (int64_t)days * DAY_SECONDS >= next)
        days -= 7;
    return start + (int64_t)days * DAY_SECONDS;
}

int32_t zone_rule_offset(const struct zone_rule *rule, int64_t at)
{
    time_t local = (time_t)(at + rule->standard);
    int64_t start, end;
    struct tm tm;
    bool saving;

    if (!rule->changes || !gmtime_r(&local, &tm))
        return rule->standard;
    start = midnight_of(&rule->start, tm.tm_year + 1900) + rule->start.seconds - rule->standard;
    end = midnight_of(&rule->end, tm.tm_year + 1900) + rule->end.seconds - rule->daylight;
    saving = start < end ? at >= start && at < end : at >= start || at < end;
    return saving ? rule->daylight : rule->standard;
}
