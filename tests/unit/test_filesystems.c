#include "filesystems_fixture.h"

#define MOUNTS_MAX 32
#define ATTEMPTS 1000

/* A Debian host with a bit of everything. */
static const char debian[] =
    "22 28 0:21 / /proc rw,nosuid shared:12 - proc proc rw\n"
    "23 28 0:22 / /sys rw shared:7 - sysfs sysfs rw\n"
    "26 28 0:24 / /run rw shared:5 - tmpfs tmpfs rw,size=1k\n"
    "28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro\n"
    "40 28 254:15 / /boot/efi rw shared:3 - vfat /dev/vda15 rw\n"
    "41 28 8:17 / /srv/my\\040data\\134x rw - xfs /dev/sdb1 rw\n"
    "42 28 8:17 /sub /home/bind rw - xfs /dev/sdb1 rw\n"
    "43 28 254:1 /var/lib/x /mnt/bind ro - ext4 /dev/vda1 rw\n"
    "44 28 7:0 / /snap/core/1 ro,nodev shared:9 - squashfs /dev/loop0 ro\n"
    "45 28 0:40 / /pool rw - zfs tank/data rw\n"
    "46 28 0:41 /@home /home rw - btrfs /dev/sdc rw,subvol=/@home\n"
    "47 28 0:41 /@ /btr rw - btrfs /dev/sdc rw,subvol=/@\n"
    "48 28 0:50 / /var/lib/docker/overlay2/a/merged rw - overlay overlay rw,lowerdir=a\n"
    "49 28 0:51 / /net rw - nfs4 server:/export rw\n"
    "50 49 8:33 / /net/local rw - ext4 /dev/sdc1 rw\n"
    "51 28 0:52 / /remote rw - fuse.sshfs me@there: rw\n"
    "52 28 8:49 / /usb rw - fuseblk /dev/sdd1 rw\n"
    "53 28 0:53 / /sys/fs/fuse/connections rw - fusectl fusectl rw\n"
    "54 28 8:65 / /network rw - ext4 /dev/sde1 rw\n";

static void test_choice_of_mounts(void **state)
{
    static const char *const wanted[] = {"/",     "/boot/efi", "/srv/my data\\x", "/snap/core/1",
                                         "/pool", "/btr",      "/network",        "/run"};
    struct filesystems *fs;
    struct tree *t;
    struct disk_snapshot disk = sample(debian, &t, &fs);

    assert_null(disk.missing);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (!find(&disk, wanted[i]))
            fail_msg("no row for %s", wanted[i]);
    assert_int_equal(disk.filesystem_count, sizeof(wanted) / sizeof(wanted[0]));
    /* Never asked, not even once: a hung server would stop the agent. */
    assert_null(strstr(asked, "/net "));
    assert_null(strstr(asked, "/net/local"));
    assert_null(strstr(asked, "/remote"));
    assert_null(strstr(asked, "/usb"));
    assert_string_equal(find(&disk, "/")->device, "/dev/vda1");
    assert_string_equal(find(&disk, "/")->type, "ext4");
    assert_false(find(&disk, "/")->read_only);
    assert_true(find(&disk, "/snap/core/1")->read_only);
    done(t, fs);
}

static void test_figures_as_df(void **state)
{
    struct filesystems *fs;
    struct tree *t;
    struct disk_snapshot disk = sample(debian, &t, &fs);
    const struct filesystem *f = find(&disk, "/");

    assert_known(f->size_bytes, 4096000);
    assert_known(f->free_bytes, 400 * 4096);
    assert_known(f->available_bytes, 350 * 4096);
    assert_known(f->usage_percent, 100.0 * 600 / 950);
    assert_known(f->inodes_total, 100);
    assert_known(f->inodes_free, 90);
    assert_known(f->inodes_usage_percent, 10);
    assert_missing(f->full_in_seconds, "ten minutes");
    assert_missing(find(&disk, "/snap/core/1")->full_in_seconds, "read-only");
    done(t, fs);
}

static void test_odd_answers(void **state)
{
    static const struct answer odd[] = {
        {"/", 0, {.f_frsize = 4096}},
        {"/boot/efi", 0, {.f_frsize = 512, .f_blocks = 10, .f_bfree = 5, .f_bavail = 5}},
        {"/pool", -EIO, {0}},
        {"/network",
         0,
         {.f_frsize = 1, .f_blocks = 1, .f_bfree = 1, .f_bavail = 0, .f_files = 3, .f_ffree = 7}},
        {"/btr",
         0,
         {.f_frsize = 1, .f_blocks = 9, .f_bfree = 1, .f_bavail = (fsblkcnt_t)-2, .f_files = 3}},
        {"/srv/my data\\x", 0, {.f_frsize = 1, .f_blocks = 9, .f_bfree = (fsblkcnt_t)-3}},
    };
    struct filesystems *fs;
    struct disk_snapshot disk;
    struct tree *t;

    answers = odd;
    answer_count = sizeof(odd) / sizeof(odd[0]);
    disk = sample(debian, &t, &fs);
    assert_missing(find(&disk, "/")->usage_percent, "no size");
    assert_missing(find(&disk, "/")->size_bytes, "no size");
    assert_known(find(&disk, "/boot/efi")->usage_percent, 50);
    assert_missing(find(&disk, "/boot/efi")->inodes_usage_percent, "inodes");
    assert_missing(find(&disk, "/pool")->usage_percent, "Input/output error");
    assert_missing(find(&disk, "/network")->usage_percent, "no size");
    assert_missing(find(&disk, "/network")->inodes_usage_percent, "more free inodes");
    /* Less than nothing is available: full, not empty. */
    assert_known(find(&disk, "/btr")->available_bytes, 0);
    assert_known(find(&disk, "/btr")->usage_percent, 100);
    assert_known(find(&disk, "/srv/my data\\x")->free_bytes, 0);
    assert_known(find(&disk, "/srv/my data\\x")->usage_percent, 100);
    done(t, fs);
}

/* Whoever cuts the list cuts its end. */
static void test_what_matters_comes_first(void **state)
{
    static const char *const wanted[] = {"/", "/full", "/empty", "/run", "/iso"};
    static const struct answer fullness[] = {
        {"/", 0, {.f_frsize = 1, .f_blocks = 9, .f_bfree = 8, .f_bavail = 8}},
        {"/iso", 0, {.f_frsize = 1, .f_blocks = 9}},
        {"/empty", 0, {.f_frsize = 1, .f_blocks = 9, .f_bfree = 9, .f_bavail = 9}},
        {"/full", 0, {.f_frsize = 1, .f_blocks = 9, .f_bfree = 1, .f_bavail = 1}},
    };
    struct filesystems *fs;
    struct disk_snapshot disk;
    struct tree *t;

    answers = fullness;
    answer_count = sizeof(fullness) / sizeof(fullness[0]);
    disk = sample("30 28 7:0 / /iso ro - squashfs /dev/loop0 ro\n"
                  "31 28 0:24 / /run rw - tmpfs tmpfs rw\n"
                  "32 28 8:1 / /empty rw - ext4 /dev/sda1 rw\n"
                  "33 28 8:2 / /full rw - ext4 /dev/sda2 rw\n"
                  "28 1 8:3 / / rw - ext4 /dev/sda3 rw\n",
                  &t, &fs);
    assert_int_equal(disk.filesystem_count, sizeof(wanted) / sizeof(wanted[0]));
    for (size_t i = 0; i < disk.filesystem_count; i++)
        assert_string_equal(disk.filesystems[i].mount, wanted[i]);
    done(t, fs);
}

/* A mount that another one covers answers for the other: the next mount of its device is taken. */
static void test_covered_mount(void **state)
{
    static const struct answer covered[] = {{"/a", -ESTALE, {0}}};
    struct filesystems *fs;
    struct disk_snapshot disk;
    struct tree *t;

    answers = covered;
    answer_count = 1;
    disk = sample("60 1 8:1 / /a rw - ext4 /dev/sda1 rw\n61 1 8:1 / /much/longer rw - ext4 "
                  "/dev/sda1 rw\n",
                  &t, &fs);
    assert_int_equal(disk.filesystem_count, 2);
    assert_non_null(find(&disk, "/much/longer"));
    done(t, fs);
}

static void test_inside_a_container(void **state)
{
    struct filesystems *fs;
    struct tree *t;
    struct disk_snapshot disk =
        sample("70 1 0:60 / / rw - overlay overlay rw,lowerdir=x\n"
               "71 70 8:1 /var/lib/docker/containers/x/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n"
               "72 70 8:1 /var/lib/docker/containers/x/resolv /etc/resolv.conf rw - ext4 "
               "/dev/sda1 rw\n",
               &t, &fs);

    assert_int_equal(disk.filesystem_count, 2);
    assert_non_null(find(&disk, "/"));
    assert_non_null(find(&disk, "/etc/hosts"));
    done(t, fs);
}

static void test_nothing_to_read(void **state)
{
    struct filesystems *fs;
    struct tree *t;
    struct disk_snapshot disk = sample(NULL, &t, &fs);

    assert_string_equal(disk.missing, "/proc/self/mountinfo: No such file or directory");
    assert_string_equal(disk.unseen, disk.missing);
    assert_int_equal(disk.filesystem_count, 0);
    tree_write(t, "proc/self/mountinfo", debian);
    filesystems_sample(fs, t->now_ns + 6 * NS_PER_SECOND, &disk);
    assert_null(disk.missing);
    assert_null(disk.unseen);
    done(t, fs);
    disk = sample("garbage\n1 2\n\n3 4 5:6 / / rw\n1 2 x:y / / rw - ext4 /dev/a rw\n", &t, &fs);
    assert_non_null(strstr(disk.missing, "no filesystem"));
    done(t, fs);
}

static void test_mount_lines(void **state)
{
    static struct mount_line line;
    const char *text = "1 0 8:1 / /a rw master:1 propagate_from:2 - ext4  rw,data=ordered\n"
                       "2 0 8:2 / /b\\999\\04 rw - ext4 /dev/b ro\n";
    struct scan file = scan_of(text, strlen(text));

    assert_true(mounts_next(&file, &line));
    assert_string_equal(line.source, "");
    assert_true(mounts_option(line.options, "data=ordered"));
    assert_false(mounts_option(line.options, "data"));
    assert_false(mounts_option(line.options, "ro"));
    assert_true(mounts_next(&file, &line));
    assert_string_equal(line.target, "/b\\999\\04");
    assert_true(mounts_option(line.options, "ro"));
    assert_true(mounts_option(line.mount_options, "rw"));
    assert_false(mounts_next(&file, &line));
}

/* Of a mount: its size, and what is available. */
struct figures {
    double size, available;
};

static bool take_figures(struct filesystems *fs, uint64_t *now_ns, const char *mount,
                         struct figures *ret)
{
    struct disk_snapshot disk = {.missing = NULL};
    const struct filesystem *f;

    *now_ns += 10 * NS_PER_SECOND;
    filesystems_sample(fs, *now_ns, &disk);
    f = find(&disk, mount);
    if (!f || !reading_known(f->usage_percent))
        return false;
    *ret = (struct figures){f->size_bytes.value, f->available_bytes.value};
    return true;
}

static bool ask_df(const char *mount, struct figures *ret)
{
    char command[512];
    FILE *df;
    int n;

    snprintf(command, sizeof(command), "df -B1 --output=size,avail '%s' 2>/dev/null | tail -n 1",
             mount);
    df = popen(command, "re");
    assert_non_null(df);
    n = fscanf(df, "%lf %lf", &ret->size, &ret->available);
    pclose(df);
    return n == 2;
}

static bool lies_between(double value, double a, double b)
{
    return fmin(a, b) <= value && value <= fmax(a, b);
}

/* Others write meanwhile: what df says lies between what was read before and after it, if not the
 * first time, then soon. False: the mount is gone. */
static bool compare_with_df(struct filesystems *fs, uint64_t *now_ns, const char *mount)
{
    struct figures before, df = {NAN, NAN}, after;

    for (int i = 0; i < ATTEMPTS; i++) {
        if (!take_figures(fs, now_ns, mount, &before))
            return false;
        if (!ask_df(mount, &df))
            continue;
        if (!take_figures(fs, now_ns, mount, &after))
            return false;
        if (lies_between(df.size, before.size, after.size) &&
            lies_between(df.available, before.available, after.available))
            return true;
    }
    fail_msg("%s: df says %.0f, %.0f available; not %.0f, %.0f", mount, df.size, df.available,
             after.size, after.available);
    return false;
}

/* The real host, against df at the same time. */
static void test_agrees_with_df(void **state)
{
    struct disk_snapshot disk = {.missing = NULL};
    char mounts[MOUNTS_MAX][sizeof(disk.filesystems->mount)];
    size_t count = 0, compared = 0;
    uint64_t now_ns = NS_PER_SECOND;
    struct filesystems *fs;

    assert_int_equal(filesystems_create(&fs, &host_default, NULL), 0);
    filesystems_sample(fs, now_ns, &disk);
    for (size_t i = 0; i < disk.filesystem_count && count < MOUNTS_MAX; i++)
        if (!strchr(disk.filesystems[i].mount, '\''))
            strcpy(mounts[count++], disk.filesystems[i].mount);
    for (size_t i = 0; i < count; i++)
        compared += compare_with_df(fs, &now_ns, mounts[i]);
    filesystems_destroy(fs);
    if (compared == 0) {
        print_message("skipped: %s\n", disk.missing ? disk.missing : "no filesystem to compare");
        skip();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice_of_mounts), cmocka_unit_test(test_figures_as_df),
        cmocka_unit_test(test_odd_answers),      cmocka_unit_test(test_what_matters_comes_first),
        cmocka_unit_test(test_covered_mount),    cmocka_unit_test(test_inside_a_container),
        cmocka_unit_test(test_nothing_to_read),  cmocka_unit_test(test_mount_lines),
        cmocka_unit_test(test_agrees_with_df),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
