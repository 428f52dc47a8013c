/* Loads a configuration from a text, through a file as the agent does. */
#ifndef TEST_CONFIG_TEXT_H
#define TEST_CONFIG_TEXT_H

#include "config/config.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static inline int load_bytes(struct config **ret, const char *bytes, size_t n,
                             char *const *environment, struct config_errors *errors)
{
    char path[64];
    int fd = memfd_create("config", MFD_CLOEXEC), err;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    err = config_load(ret, path, environment, errors);
    close(fd);
    return err;
}

/* A configuration that must be accepted. */
static inline struct config *load_valid(const char *text, char *const *environment)
{
    struct config_errors errors;
    struct config *config = NULL;

    if (load_bytes(&config, text, strlen(text), environment, &errors) < 0)
        fail_msg("%s: %s: %s", text, errors.list[0].pointer, errors.list[0].message);
    return config;
}

#endif
