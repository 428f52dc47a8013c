/* The pin directory of the test, another agent that holds it, and what others pin there. */
#ifndef MOONWATCH_TEST_PINS_FIXTURE_H
#define MOONWATCH_TEST_PINS_FIXTURE_H

#include "loader_fixture.h"
#include "probe/pin.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct loader loader;
static pid_t other_agent;

static inline int setup(void **state)
{
    loader_init(&loader);
    return 0;
}

static inline int teardown(void **state)
{
    if (other_agent > 0) {
        kill(other_agent, SIGKILL);
        waitpid(other_agent, NULL, 0);
        other_agent = 0;
    }
    loader_close(&loader);
    rmdir(loader.pins);
    return 0;
}

/* Forks another that has done `take`, which returns 0, and holds what it took until it is killed.
 */
static inline void start_another(int (*take)(void))
{
    int ready[2];
    char said = 0;

    assert_int_equal(pipe(ready), 0);
    other_agent = fork();
    assert_true(other_agent >= 0);
    if (other_agent == 0) {
        if (take() != 0 || write(ready[1], "1", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &said, 1), 1);
    close(ready[0]);
}

static inline int take_pins(void)
{
    return loader_open(&loader, &flood_object, 1);
}

/* An agent that holds the test's pin directory. */
static inline void start_other_agent(void)
{
    start_another(take_pins);
}

/* What `act` returns in a child, which ends with it. */
static inline int in_a_child(int (*act)(void))
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        _exit(act());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static inline void kill_other_agent(void)
{
    kill(other_agent, SIGKILL);
    assert_int_equal(waitpid(other_agent, NULL, 0), other_agent);
    other_agent = 0;
}

/* A map of somebody else, pinned as libbpf does it: under its own name. */
static inline void pin_foreign(const char *map, const char *pin)
{
    int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, map, 4, 8, 1, NULL);
    char path[128];

    assert_true(fd >= 0);
    snprintf(path, sizeof(path), "%s/%s", loader.pins, pin);
    assert_int_equal(bpf_obj_pin(fd, path), 0);
    close(fd);
}

static inline void unpin_foreign(const char *pin)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", loader.pins, pin);
    assert_int_equal(remove(path), 0);
}

#endif
