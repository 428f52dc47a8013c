/* Statuses and reasons of filesystems, from made-up snapshots. */
#include "health_fixture.h"

static void a_read_only_filesystem_is_not_judged(void **state)
{
    struct fixture *f = *state;
    struct check_view check;

    f->filesystems[1].usage_percent = reading_of(100);
    f->filesystems[1].read_only = true;
    fixture_ticks(f, 100);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    assert_false(health_find_check(f->health, "disk:/var", &check));
    assert_true(health_find_check(f->health, "disk:/", &check));
}

static void a_filesystem_that_an_error_stopped_is_an_outage(void **state)
{
    static const struct {
        const char *mount;
        enum filesystem_fault fault;
        uint64_t errors;
        enum status status;
        const char *reason;
    } faults[] = {
        {"/var", FILESYSTEM_STOPPED, 1, STATUS_UNHEALTHY,
         "filesystem /var is read-only after an error: nothing can be written (1 error); see the "
         "kernel's log for /dev/sdb1"},
        {"/var", FILESYSTEM_SHUT_DOWN, 0, STATUS_UNHEALTHY,
         "filesystem /var was shut down after an error: nothing can be read or written; see the "
         "kernel's log for /dev/sdb1"},
        {"/var", FILESYSTEM_ERRORS, 12, STATUS_DEGRADED,
         "filesystem /var has errors and is still written to; check it (12 errors); see the "
         "kernel's log for /dev/sdb1"},
        {"/var", FILESYSTEM_TURNED, 0, STATUS_DEGRADED,
         "filesystem /var was made read-only; nothing says that an error did it; see the kernel's "
         "log for /dev/sdb1"},
        /* Pulled out. */
        {"/run/media/me/stick", FILESYSTEM_STOPPED, 0, STATUS_DEGRADED,
         "filesystem /run/media/me/stick is read-only after an error: nothing can be written; see "
         "the kernel's log for /dev/sdb1"},
    };
    struct fixture *f = *state;
    struct filesystem *fs = &f->filesystems[1];

    strcpy(fs->device, "/dev/sdb1");
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        strcpy(fs->mount, faults[i].mount);
        fs->fault = faults[i].fault;
        fs->errors = faults[i].errors;
        fs->read_only = faults[i].fault != FILESYSTEM_ERRORS;
        fixture_ticks(f, 1);
        fixture_expect(f, COMPONENT_RESOURCES, faults[i].status);
        fixture_expect_reason(f, COMPONENT_RESOURCES, faults[i].reason);
        fs->fault = FILESYSTEM_SOUND;
        fixture_ticks(f, 1);
        fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    }
}

static void a_mount_comes_and_goes_with_its_check(void **state)
{
    struct fixture *f = *state;
    struct check_view check;
    size_t count;

    fixture_ticks(f, 1);
    count = health_check_count(f->health);
    fixture_filesystem(&f->filesystems[2], "/mnt/usb", 99);
    f->snapshot.disk.filesystem_count = 3;
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_UNHEALTHY);
    assert_true(health_find_check(f->health, "disk:/mnt/usb", &check));
    assert_int_equal(health_check_count(f->health), count + 3);
    f->snapshot.disk.filesystem_count = 2;
    fixture_ticks(f, 1);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    assert_false(health_find_check(f->health, "disk:/mnt/usb", &check));
    assert_int_equal(health_check_count(f->health), count);
}

static void a_filesystem_that_was_never_readable_is_said_but_not_counted(void **state)
{
    struct fixture *f = *state;

    f->filesystems[1].usage_percent = reading_missing("statvfs: Permission denied");
    fixture_ticks(f, 100);
    fixture_expect(f, COMPONENT_RESOURCES, STATUS_HEALTHY);
    fixture_expect_reason(f, COMPONENT_RESOURCES,
                          "no reading of disk:/var: statvfs: Permission denied");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_read_only_filesystem_is_not_judged),
        FIXTURE_TEST(a_filesystem_that_an_error_stopped_is_an_outage),
        FIXTURE_TEST(a_mount_comes_and_goes_with_its_check),
        FIXTURE_TEST(a_filesystem_that_was_never_readable_is_said_but_not_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
