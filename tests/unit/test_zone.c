/* Time zones against libc, which reads the same files with its own code. */
#include "alert/zone.h"
#include "alert/zone_rule.h"
#include "base/file.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define DIRECTORY "/usr/share/zoneinfo/"
#define YEAR 31556952LL

static const char *const names[] = {
    "UTC",           "Europe/Berlin",     "America/New_York",
    "Asia/Kolkata",  "Asia/Kathmandu",    "Australia/Lord_Howe",
    "Pacific/Apia",  "America/Sao_Paulo", "Africa/Casablanca",
    "Europe/Dublin", "Antarctica/Troll",  "Asia/Tehran",
    "America/Nuuk",
};

static void compare(const char *name, const struct zone *zone, int64_t at)
{
    unsigned weekday, minute;
    time_t t = (time_t)at;
    struct tm tm;

    localtime_r(&t, &tm);
    if (zone_offset(zone, at) != tm.tm_gmtoff)
        fail_msg("%s at %lld: %d, libc says %ld", name, (long long)at, zone_offset(zone, at),
                 tm.tm_gmtoff);
    zone_wall_clock(zone, at, &weekday, &minute);
    assert_int_equal(weekday, (tm.tm_wday + 6) % 7);
    assert_int_equal(minute, tm.tm_hour * 60 + tm.tm_min);
}

static void agrees_with_libc(void **state)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        struct zone *zone = NULL;

        snprintf(path, sizeof(path), DIRECTORY "%s", names[i]);
        assert_int_equal(zone_open(&zone, path), 0);
        setenv("TZ", names[i], 1);
        tzset();
        /* From 1950 to 2100 every 5 hours 17 minutes, which meets every hour of the day. */
        for (int64_t at = -20 * YEAR; at < 130 * YEAR; at += 19020)
            compare(names[i], zone, at);
        zone_close(zone);
    }
    unsetenv("TZ");
    tzset();
}

/* A quarter of an hour around each change of the next years. */
static void changes_at_the_second(void **state)
{
    struct zone *zone = NULL;

    assert_int_equal(zone_open(&zone, DIRECTORY "Europe/Berlin"), 0);
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    for (int64_t at = 1774745000; at < 1774747000; at++) /* 2026-03-29 01:00 UTC */
        compare("Europe/Berlin", zone, at);
    assert_int_equal(zone_offset(zone, 1774745999), 3600);
    assert_int_equal(zone_offset(zone, 1774746000), 7200);
    /* Behind the last transition of the file: 2050-03-27 01:00 UTC, from the rule. */
    assert_int_equal(zone_offset(zone, 2531955599), 3600);
    assert_int_equal(zone_offset(zone, 2531955600), 7200);
    zone_close(zone);
    unsetenv("TZ");
    tzset();
}

static void rules_agree_with_libc(void **state)
{
    static const char *const rules[] = {
        "CET-1CEST,M3.5.0,M10.5.0/3",
        "EST5EDT,M3.2.0,M11.1.0",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
        "NZST-12NZDT,M9.5.0,M4.1.0/3",
        "AAA3BBB,J60/0,J300/24",
        "AAA3BBB,59/0,299/1:30:15",
        "IST-1GMT0,M10.5.0,M3.5.0/1",
        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
        "UTC0",
    };

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        struct zone_rule rule;

        if (!zone_rule_parse(&rule, rules[i]))
            fail_msg("%s is refused", rules[i]);
        setenv("TZ", rules[i], 1);
        tzset();
        for (int64_t at = 1700000000; at < 1700000000 + 9 * YEAR; at += 1800 * 3) {
            time_t t = (time_t)at;
            struct tm tm;

            localtime_r(&t, &tm);
            if (zone_rule_offset(&rule, at) != tm.tm_gmtoff)
                fail_msg("%s at %lld", rules[i], (long long)at);
        }
    }
    unsetenv("TZ");
    tzset();
}

static void bad_rules_are_refused(void **state)
{
    static const char *const bad[] = {"",
                                      "A1",
                                      "AAA",
                                      "AAA1BBB",
                                      "AAA1BBB,",
                                      "<AA1",
                                      "AAA1BBB,M13.1.0,M1.1.0",
                                      "AAA1BBB,M3.5.0",
                                      "AAA999",
                                      "AAA1BBB,M3.5,M10.5.0",
                                      "AAA1BBB,J0,J5",
                                      "AAA1BBB,M3.5.0,M10.5.0/",
                                      "AAA1BBB,M3.5.0,M10.5.0x"};
    struct zone_rule rule;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (zone_rule_parse(&rule, bad[i]))
            fail_msg("%s is accepted", bad[i]);
}

static int open_bytes(struct zone **ret, const char *bytes, size_t n)
{
    char path[64];
    int fd = memfd_create("zone", MFD_CLOEXEC), r;

    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    r = zone_open(ret, path);
    close(fd);
    return r;
}

/* Cut anywhere, changed anywhere: refused or read, never a crash (the sanitizers tell). */
static void damaged_files_are_refused_or_read(void **state)
{
    size_t len, refused = 0;
    char *content;

    assert_int_equal(file_read_all(NULL, DIRECTORY "Europe/Berlin", 1 << 20, &content, &len), 0);
    for (size_t i = 0; i < len; i += 1 + i / 64) {
        struct zone *zone = NULL;
        char kept = content[i];

        if (i > 0)
            assert_int_equal(open_bytes(&zone, content, i), -EINVAL);
        content[i] ^= (char)0xff;
        if (open_bytes(&zone, content, len) < 0)
            refused++;
        else
            zone_offset(zone, 1700000000);
        zone_close(zone);
        content[i] = kept;
    }
    assert_in_range(refused, 10, len);
    assert_int_equal(zone_offset(NULL, 5), 0);
    free(content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_libc),
        cmocka_unit_test(changes_at_the_second),
        cmocka_unit_test(rules_agree_with_libc),
        cmocka_unit_test(bad_rules_are_refused),
        cmocka_unit_test(damaged_files_are_refused_or_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
