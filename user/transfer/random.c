#include "transfer/random.h"
#include <sys/random.h>
#include <time.h>

static uint64_t kernel_bits(void *ctx)
{
    struct timespec now;
    uint64_t bits;

    (void)ctx;
    if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) == sizeof(bits))
        return bits;
    /* Early in boot. It spreads retries and keeps no secret: the clock will do. */
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15ULL;
}

const struct random_source *random_system(void)
{
    static const struct random_source source = {kernel_bits, NULL};

    return &source;
}

uint64_t random_up_to(const struct random_source *source, uint64_t maximum)
{
    /* Fixed point instead of a remainder: all 64 bits count, and no value is favoured. */
    return (uint64_t)((unsigned __int128)source->next(source->ctx) *
                          ((unsigned __int128)maximum + 1) >>
                      64);
}
