/* Connects refused and redirected at the cgroup, IPv4 and IPv6: outside the cgroup nothing changes.
 */
#include "connect.skel.h"
#include "connect_rule.h"
#include "tcp_fixture.h"
#include <bpf/libbpf.h>

#define PORT 22100
#define OTHER_PORT 22200

static struct connect_bpf *object;
static char mount_path[128], cgroup[200];

static int setup(void **state)
{
    int fd;

    (void)state;
    netns_enter();
    object = connect_bpf__open_and_load();
    if (!object || !cgroup_mount(NULL, mount_path, sizeof(mount_path)))
        return -1;
    snprintf(cgroup, sizeof(cgroup), "%s/moonwatch-connect-%d", mount_path, getpid());
    if (!cgroup_make(cgroup))
        return -1;
    fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    object->links.connect_v4 = bpf_program__attach_cgroup(object->progs.connect_v4, fd);
    object->links.connect_v6 = bpf_program__attach_cgroup(object->progs.connect_v6, fd);
    close(fd);
    return object->links.connect_v4 && object->links.connect_v6 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    cgroup_write(mount_path, "cgroup.procs", "0");
    connect_bpf__destroy(object);
    cgroup_remove(cgroup);
    return 0;
}

static void set_rule(enum connect_verdict verdict)
{
    const struct connect_rule rule = {.port = PORT, .verdict = verdict, .to_port = OTHER_PORT};
    uint32_t zero = 0;

    assert_int_equal(
        bpf_map_update_elem(bpf_map__fd(object->maps.connect_rules), &zero, &rule, BPF_ANY), 0);
}

static struct connect_rule rule(void)
{
    struct connect_rule now;
    uint32_t zero = 0;

    assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(object->maps.connect_rules), &zero, &now), 0);
    return now;
}

static void enter(const char *path)
{
    assert_true(cgroup_write(path, "cgroup.procs", "0"));
}

static void refuses(const char *address)
{
    int listener = listen_at(address, PORT, 8);

    set_rule(CONNECT_REFUSE);
    enter(cgroup);
    assert_int_equal(connect_to(address, PORT, NULL), ECONNREFUSED);
    assert_int_equal(connect_to(address, PORT, NULL), ECONNREFUSED);
    enter(mount_path);
    assert_int_equal(rule().refused, 2);
    assert_int_equal(connect_to(address, PORT, NULL), 0);
    set_rule(CONNECT_PASS);
    enter(cgroup);
    assert_int_equal(connect_to(address, PORT, NULL), 0);
    enter(mount_path);
    close(listener);
}

static void redirects(const char *address)
{
    int listener = listen_at(address, OTHER_PORT, 8), fd;

    set_rule(CONNECT_REDIRECT);
    enter(mount_path);
    assert_int_equal(connect_to(address, PORT, NULL), ECONNREFUSED); /* nobody listens there */
    enter(cgroup);
    assert_int_equal(connect_to(address, PORT, &fd), 0);
    enter(mount_path);
    close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    assert_int_equal(rule().redirected, 1);
    close(fd);
    close(listener);
}

static void ipv4_is_refused(void **state)
{
    refuses("127.0.0.1");
}

static void ipv6_is_refused(void **state)
{
    refuses("::1");
}

static void ipv4_is_redirected(void **state)
{
    redirects("127.0.0.1");
}

static void ipv6_is_redirected(void **state)
{
    redirects("::1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv4_is_refused),
        cmocka_unit_test(ipv6_is_refused),
        cmocka_unit_test(ipv4_is_redirected),
        cmocka_unit_test(ipv6_is_redirected),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
