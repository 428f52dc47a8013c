/* Random numbers, injected so that tests own them. */
#ifndef MOONWATCH_TRANSFER_RANDOM_H
#define MOONWATCH_TRANSFER_RANDOM_H

#include <stdint.h>

struct random_source {
    uint64_t (*next)(void *ctx); /* 64 uniform bits */
    void *ctx;
};

/* The kernel's. */
const struct random_source *random_system(void);

/* Uniform in [0, maximum]. */
uint64_t random_up_to(const struct random_source *source, uint64_t maximum);

#endif
