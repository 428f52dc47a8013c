/* Filesystems that end to be written to, by an error or on purpose. */
#include "filesystems_fixture.h"

/* One filesystem as the kernel shows it, five seconds after the last time. */
static const struct filesystem *look_again(struct tree *t, struct filesystems *fs,
                                           struct disk_snapshot *disk)
{
    t->now_ns += 5 * NS_PER_SECOND;
    filesystems_sample(fs, t->now_ns, disk);
    return find(disk, "/srv");
}

static void write_errors(struct tree *t, const char *count)
{
    tree_write(t, "sys/fs/ext4/sdb1/errors_count", count);
}

#define SRV "28 1 254:1 / / rw - xfs /dev/vda1 rw\n41 28 8:17 / /srv "

static struct disk_snapshot sample_ext4(const char *mountinfo, const char *errors,
                                        struct tree **ret_tree, struct filesystems **ret_fs)
{
    struct disk_snapshot disk = {.missing = NULL};
    struct tree *t = tree_create();
    char link[128];

    tree_write(t, "proc/self/mountinfo", mountinfo);
    tree_write(t, "proc/1/mountinfo", mountinfo);
    tree_write(t, "sys/dev/block/uevent", "");
    snprintf(link, sizeof(link), "%s/dev/block/8:17", t->sys);
    assert_int_equal(symlink("../../devices/pci0/block/sdb/sdb1", link), 0);
    tree_write(t, "sys/fs/ext4/sdb1/errors_count", errors);
    assert_int_equal(filesystems_create(ret_fs, &t->host, &ops), 0);
    filesystems_sample(*ret_fs, t->now_ns, &disk);
    *ret_tree = t;
    return disk;
}

struct turn {
    const char *type, *before, *after;        /* options of the mount, then of the filesystem */
    const char *errors_before, *errors_after; /* NULL: as before */
    const char *of_first; /* what the first process's list has then; NULL: the same */
    enum filesystem_fault fault;
    bool read_only;
};

/* What mountinfo shows of an error is never told to those who poll it: an answer of the kernel, or
 * time, makes the agent read it again. */
static void test_turned_by_an_error(void **state)
{
    static const struct turn turns[] = {
        {"ext4", "rw x rw,errors=remount-ro", "rw x rw,errors=remount-ro,emergency_ro", "0\n",
         "1\n", NULL, FILESYSTEM_STOPPED, true},
        {"ext4", "rw x rw", "rw x rw,shutdown", "0\n", "1\n", NULL, FILESYSTEM_SHUT_DOWN, true},
        {"ext4", "rw x rw", "rw x ro", "0\n", "2\n", NULL, FILESYSTEM_STOPPED, true},
        {"ext4", "rw x rw,errors=remount-ro", "rw x rw,errors=remount-ro", "3\n", "4\n", NULL,
         FILESYSTEM_STOPPED, true},
        {"ext4", "rw x rw", "rw x rw", "3\n", "4\n", NULL, FILESYSTEM_ERRORS, false},
        {"ext4", "rw x rw", "rw x rw", "3\n", NULL, NULL, FILESYSTEM_SOUND, false},
        /* An administrator, seen from a namespace that the remount does not reach. */
        {"ext4", "rw x rw", "rw x ro", "0\n", NULL, "ro x ro", FILESYSTEM_TURNED, true},
        {"btrfs", "rw x rw", "rw x ro", "0\n", NULL, NULL, FILESYSTEM_STOPPED, true},
        /* From a sandbox where everything is read-only. */
        {"btrfs", "ro x rw", "ro x ro", "0\n", NULL, "rw x ro", FILESYSTEM_STOPPED, true},
        {"zfs", "rw x rw", "rw x ro", "0\n", NULL, NULL, FILESYSTEM_TURNED, true},
        /* The administrator's mount of a damaged disk, an image. */
        {"ext4", "ro x ro", "ro x ro", "7\n", NULL, NULL, FILESYSTEM_SOUND, true},
        {"ext4", "ro x ro", "ro x ro", "7\n", "8\n", NULL, FILESYSTEM_SOUND, true},
        {"ext4", "ro x ro", "rw x rw", "7\n", NULL, NULL, FILESYSTEM_SOUND, false},
    };

    for (size_t i = 0; i < sizeof(turns) / sizeof(turns[0]); i++) {
        const struct turn *turn = &turns[i];
        const char *options[] = {turn->before, turn->after,
                                 turn->of_first ? turn->of_first : turn->after};
        char text[3][512];
        struct disk_snapshot disk;
        const struct filesystem *f;
        struct filesystems *fs;
        struct tree *t;

        for (size_t k = 0; k < 3; k++) {
            const char *x = strchr(options[k], 'x');

            snprintf(text[k], sizeof(text[k]), SRV "%.2s - %s /dev/sdb1 %s\n", options[k],
                     turn->type, x + 2);
        }
        disk = sample_ext4(text[0], turn->errors_before, &t, &fs);
        assert_int_equal(find(&disk, "/srv")->fault, FILESYSTEM_SOUND);
        tree_write(t, "proc/self/mountinfo", text[1]);
        tree_write(t, "proc/1/mountinfo", text[2]);
        if (turn->errors_after)
            write_errors(t, turn->errors_after);
        else
            t->now_ns += 60 * NS_PER_SECOND;
        f = look_again(t, fs, &disk);
        if (f->fault != turn->fault || f->read_only != turn->read_only)
            fail_msg("turn %zu: fault %d, read_only %d", i, f->fault, f->read_only);
        done(t, fs);
    }
}

static void test_the_default_of_the_filesystem_stops_it(void **state)
{
    static const char text[] = SRV "rw - ext4 /dev/sdb1 rw\n";
    struct filesystems *fs;
    struct tree *t;
    struct disk_snapshot disk = sample_ext4(text, "0\n", &t, &fs);

    tree_write(t, "proc/fs/ext4/sdb1/options", "rw\nerrors=remount-ro\nnodiscard\n");
    write_errors(t, "1\n");
    assert_int_equal(look_again(t, fs, &disk)->fault, FILESYSTEM_STOPPED);
    assert_int_equal(find(&disk, "/srv")->errors, 1);
    /* It was checked and mounted again. */
    write_errors(t, "0\n");
    assert_int_equal(look_again(t, fs, &disk)->fault, FILESYSTEM_SOUND);
    done(t, fs);
}

/* xfs refuses everything after its shutdown, and shows nothing. */
static void test_shut_down_without_a_word(void **state)
{
    static const struct answer refused[] = {{"/srv", -EIO, {0}}};
    static const char text[] = SRV "rw - xfs /dev/sdb1 rw\n";
    struct filesystems *fs;
    struct tree *t;
    struct disk_snapshot disk = sample_ext4(text, "0\n", &t, &fs);

    answers = refused;
    answer_count = 1;
    assert_int_equal(look_again(t, fs, &disk)->fault, FILESYSTEM_SHUT_DOWN);
    assert_true(find(&disk, "/srv")->read_only);
    answer_count = 0;
    assert_int_equal(look_again(t, fs, &disk)->fault, FILESYSTEM_SOUND);
    done(t, fs);
}

/* By its flag in statvfs(3), at once. */
static void test_made_read_only_on_purpose(void **state)
{
    static const struct answer read_only[] = {
        {"/srv", 0, {.f_frsize = 1, .f_blocks = 9, .f_bfree = 3, .f_flag = ST_RDONLY}}};
    struct filesystems *fs;
    struct tree *t;
    struct disk_snapshot disk = sample_ext4(SRV "rw - ext4 /dev/sdb1 rw\n", "0\n", &t, &fs);

    tree_write(t, "proc/self/mountinfo", SRV "ro - ext4 /dev/sdb1 ro\n");
    tree_write(t, "proc/1/mountinfo", SRV "ro - ext4 /dev/sdb1 ro\n");
    answers = read_only;
    answer_count = 1;
    assert_int_equal(look_again(t, fs, &disk)->fault, FILESYSTEM_TURNED);
    t->now_ns += 3590 * NS_PER_SECOND;
    assert_int_equal(look_again(t, fs, &disk)->fault, FILESYSTEM_TURNED);
    t->now_ns += 10 * NS_PER_SECOND;
    assert_int_equal(look_again(t, fs, &disk)->fault, FILESYSTEM_SOUND);
    assert_true(find(&disk, "/srv")->read_only);
    done(t, fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turned_by_an_error),
        cmocka_unit_test(test_the_default_of_the_filesystem_stops_it),
        cmocka_unit_test(test_shut_down_without_a_word),
        cmocka_unit_test(test_made_read_only_on_purpose),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
