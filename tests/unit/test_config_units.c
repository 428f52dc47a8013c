/* Units of services that a host has, by another name or not at all. */
#include "config_text.h"
#include "tree.h"
#include <sys/stat.h>

static struct tree *t;

static void link_to(const char *target, const char *path)
{
    char full[256];

    snprintf(full, sizeof(full), "%s/%s", t->root, path);
    assert_int_equal(symlink(target, full), 0);
}

static int make(void **state)
{
    t = tree_create();
    tree_write(t, "run/systemd/system/transient.conf", "");
    tree_write(t, "usr/lib/systemd/system/nginx.service", "");
    tree_write(t, "usr/lib/systemd/system/ssh.service", "");
    tree_write(t, "usr/lib/systemd/system/postgresql.service", "");
    tree_write(t, "usr/lib/systemd/system/worker@.service", "");
    tree_write(t, "usr/lib/systemd/system/networking.target", "");
    tree_write(t, "sys/fs/cgroup/system.slice/nginy.service/cgroup.procs", "");
    tree_write(t, "etc/systemd/system/shop.service", "");
    link_to("/usr/lib/systemd/system/ssh.service", "etc/systemd/system/sshd.service");
    link_to("/dev/null", "etc/systemd/system/cron.service");
    link_to("/opt/web/web.service", "etc/systemd/system/web.service");
    return 0;
}

static int discard(void **state)
{
    tree_destroy(t);
    return 0;
}

static void check(const char *root, const char *unit, const char *says)
{
    struct config_errors errors;
    struct config *config;
    char text[512];

    snprintf(text, sizeof(text),
             "{\"server\":{\"host_root\":\"%s\"},\"services\":[{\"name\":\"a\",\"kind\":\"job\","
             "\"match\":{\"unit\":\"%s\"}}]}",
             root, unit);
    if (load_bytes(&config, text, strlen(text), NULL, &errors) < 0)
        fail_msg("%s: %s", unit, errors.list[0].message);
    config_destroy(config);
    if (errors.warning_count != (says != NULL))
        fail_msg("%s: %zu warnings: %s", unit, errors.warning_count, errors.warnings[0].message);
    if (!says)
        return;
    assert_string_equal(errors.warnings[0].pointer, "/services/0/match/unit");
    if (!strstr(errors.warnings[0].message, says))
        fail_msg("%s: %s", unit, errors.warnings[0].message);
}

static void units_are_looked_up(void **state)
{
    static const struct {
        const char *unit, *says;
    } cases[] = {
        {"nginx", NULL},
        {"nginx.service", NULL},
        {"shop.service", NULL},
        {"worker@7.service", NULL},
        {"nginy.service", NULL},
        {"cron", NULL},
        {"web.service", NULL},
        {"not-installed-yet.service", NULL},
        {"networking.service", NULL},
        {"docker-0a1b.scope", NULL},
        {"sshd", "is another name of ssh.service"},
        {"ngnix.service", "the nearest is nginx.service"},
        {"postgres", "the nearest is postgresql.service"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check(t->root, cases[i].unit, cases[i].says);
        /* Who runs no systemd may write for one who does. */
        check("/dev", cases[i].unit, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(units_are_looked_up)};

    return cmocka_run_group_tests(tests, make, discard);
}
