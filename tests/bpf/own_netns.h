/* A network namespace of the test's own. It goes with the last socket and process in it. */
#ifndef MOONWATCH_TEST_OWN_NETNS_H
#define MOONWATCH_TEST_OWN_NETNS_H

#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Moves the test into a fresh namespace with nothing but a loopback that is up. */
static inline void netns_enter(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd;

    assert_int_equal(unshare(CLONE_NEWNET), 0);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
    close(fd);
}

static inline void netns_run(const char *command)
{
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

/* `name` relative to /proc/sys/net, which is the namespace's own. */
static inline void netns_sysctl(const char *name, const char *value)
{
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, value, strlen(value)), (ssize_t)strlen(value));
    close(fd);
}

/* A counter of the namespace that process `pid` ("self", "1") is in, as nstat reads it: `group`
 * "Tcp:" of "snmp", "TcpExt:" of "netstat". */
static inline uint64_t netns_counter(const char *pid, const char *from, const char *group,
                                     const char *name)
{
    char path[64], names[8192] = "", values[8192] = "", *n, *v, *next_name, *next_value;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%s/net/%s", pid, from);
    file = fopen(path, "re");
    assert_non_null(file);
    while (strncmp(names, group, strlen(group)) != 0 && fgets(names, sizeof(names), file))
        ;
    assert_non_null(fgets(values, sizeof(values), file));
    fclose(file);
    n = strtok_r(names, " \n", &next_name);
    v = strtok_r(values, " \n", &next_value);
    while (n && v && strcmp(n, name) != 0) {
        n = strtok_r(NULL, " \n", &next_name);
        v = strtok_r(NULL, " \n", &next_value);
    }
    assert_non_null(v);
    return strtoull(v, NULL, 10);
}

static inline uint64_t snmp_tcp(const char *pid, const char *name)
{
    return netns_counter(pid, "snmp", "Tcp:", name);
}

#endif
