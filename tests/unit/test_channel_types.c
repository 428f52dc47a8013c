/* The rows of the types of channels: what they name is there, and their drivers can do it. */
#include "config/key.h"
#include "notify/channel_driver.h"
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool is_key(const char *name)
{
    for (size_t i = 0; i < channel_table.count; i++)
        if (strcmp(channel_table.keys[i].name, name) == 0)
            return true;
    return false;
}

static bool has(const struct channel_kind *kind, const char *key)
{
    for (size_t i = 0; i < CHANNEL_KEYS_MAX && kind->uses[i]; i++)
        if (strcmp(kind->uses[i], key) == 0)
            return true;
    return false;
}

static void rows_name_keys_that_there_are(void **state)
{
    for (int type = 0; type < CHANNEL_TYPE_COUNT; type++) {
        const struct channel_kind *kind = &channel_kinds[type];

        for (size_t i = 0; i < CHANNEL_KEYS_MAX && kind->uses[i]; i++)
            if (!is_key(kind->uses[i]))
                fail_msg("%s: %s is no key of channels", kind->name, kind->uses[i]);
        for (size_t i = 0; i < CHANNEL_KEYS_MAX && kind->needs[i].key; i++)
            if (!has(kind, kind->needs[i].key))
                fail_msg("%s needs %s, which it does not use", kind->name, kind->needs[i].key);
        assert_true(!kind->one_url || (has(kind, "url") && has(kind, "url_file")));
        assert_true(!kind->peers || has(kind, "urls"));
        assert_true(!kind->adds[0] || has(kind, "urls"));
    }
}

static void drivers_do_what_the_rows_say(void **state)
{
    for (int type = 0; type < CHANNEL_TYPE_COUNT; type++) {
        const struct channel_kind *kind = &channel_kinds[type];
        const struct channel_driver *driver = channel_drivers[type];

        if (kind->local != (driver->write != NULL) || kind->local == (driver->render != NULL) ||
            kind->local == (driver->prepare != NULL))
            fail_msg("%s: a local type writes, any other renders and prepares", kind->name);
        if (!driver->remind == has(kind, "resend_interval"))
            fail_msg("%s: who is reminded has a resend_interval", kind->name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_name_keys_that_there_are),
        cmocka_unit_test(drivers_do_what_the_rows_say),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
