/* The shapes of configured values that are not plain numbers. */
#ifndef MOONWATCH_CONFIG_VALUES_H
#define MOONWATCH_CONFIG_VALUES_H

#include <stddef.h>

/* `items` is NULL when `count` is 0. The elements of every list have one layout for the reader. */
#define CONFIG_LIST(type)                                                                          \
    struct {                                                                                       \
        size_t count;                                                                              \
        type *items;                                                                               \
    }

struct config_strings {
    size_t count;
    char **items;
};

struct config_pair {
    char *key, *value;
};

struct config_map {
    size_t count;
    struct config_pair *items;
};

#endif
