/* Which mounts are rows, and in which order. */
#include "collect/mount_choice.h"
#include "filesystems_fixture.h"

/* A disk over an automount, and what each other mount hides or lets through. */
static void test_mount_tree(void **state)
{
    static const char text[] = "28 1 254:1 / / rw - ext4 /dev/vda1 rw\n"
                               "60 28 0:55 / /data rw - autofs systemd-1 rw,direct\n"
                               "90 60 8:17 / /data rw - ext4 /dev/sdb1 rw\n"
                               "61 28 0:56 / /misc rw - autofs auto.misc rw,indirect\n"
                               "91 61 8:33 / /misc/usb rw - ext4 /dev/sdc1 rw\n"
                               "62 28 0:57 / /srv rw - nfs4 server:/export rw\n"
                               "92 62 8:49 / /srv rw - xfs /dev/sdd1 rw\n"
                               "93 92 8:65 / /srv/inner rw - xfs /dev/sde1 rw\n"
                               "63 28 0:58 / /net rw - fuse.sshfs me@there: rw\n"
                               "94 63 8:81 / /net/local rw - xfs /dev/sdf1 rw\n"
                               "64 28 8:97 / /old rw - xfs /dev/sdg1 rw\n"
                               "95 64 8:98 / /old rw - xfs /dev/sdg2 rw\n"
                               "65 28 8:99 / /old/deep rw - xfs /dev/sdg3 rw\n"
                               "66 28 8:113 / /a/b rw - xfs /dev/sdh1 rw\n"
                               "96 66 8:114 / /a/b/c rw - xfs /dev/sdh2 rw\n"
                               "67 28 8:115 / /a rw - xfs /dev/sdh3 rw\n"
                               "68 28 8:116 / /ab rw - xfs /dev/sdh4 rw\n";
    static const char *const wanted[] = {"/",          "/data", "/misc/usb", "/srv",
                                         "/srv/inner", "/old",  "/a",        "/ab"};
    struct filesystems *fs;
    struct tree *t;
    struct disk_snapshot disk = sample(text, &t, &fs);

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (!find(&disk, wanted[i]))
            fail_msg("no row for %s", wanted[i]);
    assert_int_equal(disk.filesystem_count, sizeof(wanted) / sizeof(wanted[0]));
    assert_string_equal(find(&disk, "/data")->device, "/dev/sdb1");
    assert_string_equal(find(&disk, "/old")->device, "/dev/sdg2");
    assert_null(strstr(asked, "/net"));
    assert_true(asked_automounted);
    done(t, fs);
}

static void test_what_has_no_row_has_a_reason(void **state)
{
    static const char text[] = "28 1 254:1 / / rw - ext4 /dev/vda1 rw\n"
                               "29 28 0:21 / /proc rw - proc proc rw\n"
                               "62 28 0:57 / /srv rw - nfs4 server:/export rw\n"
                               "63 28 0:58 / /net rw - fuse.sshfs me@there: rw\n"
                               "94 63 8:81 / /net/local rw - xfs /dev/sdf1 rw\n"
                               "64 28 8:97 / /data rw - xfs /dev/sdg1 rw\n"
                               "65 28 0:59 / /covered rw - nfs4 server:/covered rw\n"
                               "66 65 8:98 / /covered rw - xfs /dev/sdg2 rw\n"
                               "67 28 0:60 / /run/user/7 rw - tmpfs tmpfs rw\n"
                               "68 28 0:61 / /tmp rw - tmpfs tmpfs rw\n"
                               "69 28 7:1 / /snap/core ro - squashfs /dev/loop1 ro\n";
    static const struct {
        const char *root, *path, *reason;
    } cases[] = {
        {"/", "/srv", "behind a server"},
        {"/", "/net", "behind a server"},
        {"/", "/net/local", "behind a server"},
        {"/", "/proc", "no storage"},
        {"/", "/run/user/7", "memory"},
        {"/", "/run/user/8", "session"},
        {"/", "/", NULL},
        {"/", "/data", NULL},
        {"/", "/covered", NULL},
        {"/", "/tmp", NULL},
        {"/", "/snap/core", NULL},
        {"/", "/not/mounted", NULL},
        {"/net", "/local", NULL},
        {"/data", "/srv", NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *reason =
            mount_hidden(scan_of(text, sizeof(text) - 1), cases[i].root, cases[i].path);

        if (!reason != !cases[i].reason || (reason && !strstr(reason, cases[i].reason)))
            fail_msg("%s: %s", cases[i].path, reason ? reason : "has a row");
    }
}

static void test_tree_in_circles(void **state)
{
    struct filesystems *fs;
    struct tree *t;
    struct disk_snapshot disk = sample("5 6 8:1 / /a rw - ext4 /dev/a rw\n"
                                       "6 5 8:2 / /b rw - ext4 /dev/b rw\n"
                                       "7 7 8:3 / / rw - ext4 /dev/c rw\n",
                                       &t, &fs);

    assert_int_equal(disk.filesystem_count, 1);
    assert_string_equal(disk.filesystems[0].device, "/dev/c");
    done(t, fs);
}

/* The snap packages of a desktop, before everything else. */
static void test_what_matters_first(void **state)
{
    static const struct answer full[] = {
        {"/var", 0, {.f_frsize = 1, .f_blocks = 100, .f_bfree = 1, .f_bavail = 1}},
        {"/tmp", 0, {.f_frsize = 1, .f_blocks = 100}},
    };
    static const char *const order[] = {"/", "/var", "/home", "/tmp"};
    struct text text;
    struct filesystems *fs;
    struct tree *t;
    struct disk_snapshot disk;

    text_init(&text, 1 << 20);
    for (int i = 0; i < 2000; i++)
        text_printf(&text, "%d 28 7:%d / /snap/s%d/1 ro,nodev - squashfs /dev/loop%d ro\n", 100 + i,
                    i, i, i);
    text_add(&text, "20 28 0:30 / /tmp rw - tmpfs tmpfs rw\n21 28 8:2 / /home rw - ext4 /dev/b rw\n"
                    "22 28 8:3 / /var rw - ext4 /dev/c rw\n28 1 8:1 / / rw - ext4 /dev/a rw\n");
    answers = full;
    answer_count = sizeof(full) / sizeof(full[0]);
    disk = sample(text.data, &t, &fs);
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        assert_string_equal(disk.filesystems[i].mount, order[i]);
    assert_int_equal(disk.filesystem_count + disk.filesystems_omitted, 2004);
    assert_true(disk.filesystems_omitted > 0);
    text_free(&text);
    done(t, fs);
}

/* Memory that people fill; not what the system hands credentials and sockets around in. */
static void test_memory_filesystems(void **state)
{
    static const char text[] = "28 1 8:1 / / rw - ext4 /dev/a rw\n"
                               "30 28 0:30 / /tmp rw - tmpfs tmpfs rw,size=1g\n"
                               "31 32 0:31 / /dev/shm rw - tmpfs tmpfs rw\n"
                               "32 28 0:32 / /dev rw - devtmpfs udev rw\n"
                               "33 28 0:33 / /run/credentials/x.service ro - tmpfs tmpfs rw\n"
                               "34 28 0:34 / /run/user/1000 rw - tmpfs tmpfs rw\n"
                               "35 28 0:35 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"
                               "36 28 0:36 / /var/lib/kubelet/pods/x/secret rw - tmpfs tmpfs rw\n"
                               "37 28 0:37 / /mnt/ram rw - tmpfs none rw\n"
                               "38 28 0:38 / /srv/static rw - tmpfs none ro\n";
    struct filesystems *fs;
    struct tree *t;
    struct disk_snapshot disk = sample(text, &t, &fs);

    assert_int_equal(disk.filesystem_count, 4);
    assert_non_null(find(&disk, "/tmp"));
    assert_non_null(find(&disk, "/dev/shm"));
    assert_non_null(find(&disk, "/mnt/ram"));
    assert_false(find(&disk, "/tmp")->on_device);
    assert_known(find(&disk, "/tmp")->usage_percent, 100.0 * 600 / 950);
    done(t, fs);
}

/* A directory of a mount outside, or a server: a row that says what it is, not "unknown". */
static void test_root_of_its_own(void **state)
{
    struct filesystems *fs;
    struct tree *t;
    struct disk_snapshot disk = sample("40 39 0:20 / /proc rw - proc proc rw\n", &t, &fs);

    assert_null(disk.missing);
    assert_int_equal(disk.filesystem_count, 1);
    assert_string_equal(disk.filesystems[0].mount, "/");
    assert_known(disk.filesystems[0].usage_percent, 100.0 * 600 / 950);
    done(t, fs);
    disk = sample("28 1 0:40 / / rw - nfs4 server:/root rw\n"
                  "29 28 8:1 / /scratch rw - xfs /dev/a rw\n",
                  &t, &fs);
    assert_null(disk.missing);
    assert_int_equal(disk.filesystem_count, 2);
    assert_missing(find(&disk, "/")->usage_percent, "on a server");
    assert_null(strstr(asked, "/ "));
    done(t, fs);
    disk = sample("28 1 0:41 / / rw - tmpfs none rw\n", &t, &fs);
    assert_known(disk.filesystems[0].usage_percent, 100.0 * 600 / 950);
    done(t, fs);
}

/* The host's list has what did not come along below the root that the agent was given. */
static void test_what_did_not_come_along(void **state)
{
    static const char came[] = "28 1 8:1 / %s rw - ext4 /dev/a rw\n"
                               "29 28 8:2 / %s/data rw - ext4 /dev/b rw\n";
    static const char later[] = "30 28 8:%d / /later%d rw - ext4 /dev/c rw\n";
    struct disk_snapshot disk = {.missing = NULL};
    struct tree *t = tree_create();
    struct filesystems *fs;
    char own[512], host[4096], own_proc[128];
    size_t len;

    snprintf(own_proc, sizeof(own_proc), "%s/own", t->root);
    t->host.root = t->root;
    t->host.own_proc = own_proc;
    snprintf(own, sizeof(own), came, t->root, t->root);
    tree_write(t, "own/self/mountinfo", own);
    snprintf(host, sizeof(host), came, "/", "");
    tree_write(t, "proc/1/mountinfo", host);
    assert_int_equal(filesystems_create(&fs, &t->host, &ops), 0);
    filesystems_sample(fs, t->now_ns, &disk);
    assert_int_equal(disk.filesystem_count, 2);
    assert_null(disk.unseen);

    len = strlen(host);
    for (int i = 3; i < 9; i++)
        len += (size_t)snprintf(host + len, sizeof(host) - len, later, i, i);
    tree_write(t, "proc/1/mountinfo", host);
    filesystems_sample(fs, t->now_ns + 100 * NS_PER_SECOND, &disk);
    assert_int_equal(disk.filesystem_count, 8);
    assert_non_null(strstr(disk.unseen, "/later3, /later4, /later5, /later6 and 2 more: "));
    assert_non_null(strstr(disk.unseen, ":ro,rslave"));
    assert_null(strstr(disk.unseen, "/data"));

    snprintf(host, sizeof(host), came, "/", "");
    tree_write(t, "proc/1/mountinfo", host);
    filesystems_sample(fs, t->now_ns + 200 * NS_PER_SECOND, &disk);
    assert_null(disk.unseen);
    done(t, fs);
}

/* Three volumes whose paths differ only beyond what a row holds. */
static void test_long_paths_are_told_apart(void **state)
{
    char base[400], text[4096];
    struct filesystems *fs;
    struct tree *t;
    struct disk_snapshot disk;

    memset(base, 'x', sizeof(base));
    base[0] = '/';
    base[sizeof(base) - 1] = '\0';
    snprintf(text, sizeof(text),
             "28 1 8:1 / / rw - ext4 /dev/a rw\n"
             "41 28 8:2 / %s1 rw - ext4 /dev/b rw\n"
             "42 28 8:3 / %s2 rw - ext4 /dev/c rw\n"
             "43 28 8:4 / %s\xc3\xa4 rw - ext4 /dev/d rw\n",
             base, base, base);
    disk = sample(text, &t, &fs);
    assert_int_equal(disk.filesystem_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_ptr_equal(find(&disk, disk.filesystems[i].mount), &disk.filesystems[i]);
    done(t, fs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mount_tree),
        cmocka_unit_test(test_what_has_no_row_has_a_reason),
        cmocka_unit_test(test_tree_in_circles),
        cmocka_unit_test(test_what_matters_first),
        cmocka_unit_test(test_memory_filesystems),
        cmocka_unit_test(test_root_of_its_own),
        cmocka_unit_test(test_what_did_not_come_along),
        cmocka_unit_test(test_long_paths_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
