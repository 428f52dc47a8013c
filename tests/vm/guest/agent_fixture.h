/* The agent itself, running in the guest: started, asked over HTTP, stopped. */
#ifndef MOONWATCH_TEST_AGENT_FIXTURE_H
#define MOONWATCH_TEST_AGENT_FIXTURE_H

#include "base/clock.h"
#include "cli/http_client.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MOONWATCH "/bin/moonwatch"
#define AGENT_URL "http://127.0.0.1:8000"
/* Emulated, and beside whatever else the host does. */
#define AGENT_DEADLINE_NS (300 * NS_PER_SECOND)

static inline uint64_t agent_now_ns(void)
{
    return clock_monotonic_ns(clock_system());
}

/* NULL when it does not answer, or not with `status`. */
static inline char *agent_try(const char *path, unsigned status)
{
    char error[HTTP_ERROR_BYTES];
    struct http_answer answer = {0};
    struct http_url url;

    assert_int_equal(http_url_parse(AGENT_URL, &url, error), 0);
    if (http_get(&url, path, NULL, &answer, error) < 0)
        return NULL;
    if (answer.status == status)
        return answer.body;
    free(answer.body);
    return NULL;
}

/* The client gives up after seconds, which can be too few here. */
static inline char *agent_get(const char *path, unsigned status)
{
    uint64_t deadline = agent_now_ns() + AGENT_DEADLINE_NS;
    char *body;

    while (!(body = agent_try(path, status))) {
        if (agent_now_ns() > deadline)
            fail_msg("GET %s: no answer", path);
        poll(NULL, 0, 50);
    }
    return body;
}

static inline cJSON *agent_get_json(const char *path)
{
    char *body = agent_get(path, 200);
    cJSON *json = cJSON_Parse(body);

    free(body);
    if (!json)
        fail_msg("GET %s: no JSON", path);
    return json;
}

/* "a.b.c" of nested objects; fails when it is not there. */
static inline const cJSON *json_at(const cJSON *json, const char *path)
{
    char copy[128], *rest = copy, *name;

    snprintf(copy, sizeof(copy), "%s", path);
    while ((name = strsep(&rest, "."))) {
        json = cJSON_GetObjectItem(json, name);
        if (!json)
            fail_msg("no %s in %s", name, path);
    }
    return json;
}

/* Ready when /health has been answered, with a first tick behind it. */
static inline pid_t agent_start(void)
{
    uint64_t deadline = agent_now_ns() + AGENT_DEADLINE_NS;
    pid_t pid = fork();
    char *body;

    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("RUNTIME_DIRECTORY", "/run/moonwatch", 1);
        setenv("STATE_DIRECTORY", "/run/moonwatch-state", 1);
        execl(MOONWATCH, MOONWATCH, "run", (char *)NULL);
        _exit(99);
    }
    while (!(body = agent_try("/health/resources", 200))) {
        if (waitpid(pid, NULL, WNOHANG) == pid)
            fail_msg("the agent ended at once");
        if (agent_now_ns() > deadline)
            fail_msg("the agent does not answer");
        poll(NULL, 0, 50);
    }
    free(body);
    return pid;
}

/* The exit code, or -1 when it did not end by itself. */
static inline int agent_stop(pid_t pid)
{
    int status;

    kill(pid, SIGTERM);
    if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

#endif
