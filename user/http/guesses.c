#include "http/guesses.h"
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 16
#define PREFIX_BYTES 8

struct guesser {
    uint8_t key[KEY_BYTES];
    char text[GUESS_SOURCE_BYTES];
    uint64_t used_ns; /* 0: an empty place */
    uint64_t free_ns; /* when the last of its guesses is paid for */
    uint64_t line_ns; /* the latest line; 0: none */
    uint64_t unsaid, unread;
};

struct guesses {
    struct guesser sources[GUESS_SOURCES];
    uint64_t lines_ns; /* begin of the time that `lines` were written in */
    unsigned lines;
    uint64_t of_others;
};

int guesses_create(struct guesses **ret)
{
    *ret = calloc(1, sizeof(**ret));
    return *ret ? 0 : -ENOMEM;
}

void guesses_destroy(struct guesses *guesses)
{
    free(guesses);
}

static bool is_mapped(const struct sockaddr *source)
{
    return source->sa_family == AF_INET6 &&
           IN6_IS_ADDR_V4MAPPED(&((const struct sockaddr_in6 *)source)->sin6_addr);
}

void guess_source_text(const struct sockaddr *source, char out[GUESS_SOURCE_BYTES])
{
    const void *address = NULL;
    int family = AF_INET;

    if (source && source->sa_family == AF_INET)
        address = &((const struct sockaddr_in *)source)->sin_addr;
    else if (source && is_mapped(source))
        address = &((const struct sockaddr_in6 *)source)->sin6_addr.s6_addr[12];
    else if (source && source->sa_family == AF_INET6)
        address = &((const struct sockaddr_in6 *)source)->sin6_addr;
    if (source && source->sa_family == AF_INET6 && !is_mapped(source))
        family = AF_INET6;
    if (!address || !inet_ntop(family, address, out, GUESS_SOURCE_BYTES))
        snprintf(out, GUESS_SOURCE_BYTES, "unknown");
}

static void make_key(const struct sockaddr *source, uint8_t key[KEY_BYTES])
{
    memset(key, 0, KEY_BYTES);
    if (!source)
        return;
    if (source->sa_family == AF_INET) {
        memcpy(key + 12, &((const struct sockaddr_in *)source)->sin_addr, 4);
    } else if (source->sa_family == AF_INET6) {
        const struct in6_addr *address = &((const struct sockaddr_in6 *)source)->sin6_addr;

        if (is_mapped(source))
            memcpy(key + 12, address->s6_addr + 12, 4);
        else
            memcpy(key, address->s6_addr, PREFIX_BYTES);
    }
}

static const struct guesser *find(const struct guesses *guesses, const uint8_t key[KEY_BYTES])
{
    for (size_t i = 0; i < GUESS_SOURCES; i++)
        if (guesses->sources[i].used_ns && memcmp(guesses->sources[i].key, key, KEY_BYTES) == 0)
            return &guesses->sources[i];
    return NULL;
}

static struct guesser *find_or_make(struct guesses *guesses, const uint8_t key[KEY_BYTES])
{
    const struct guesser *known = find(guesses, key);
    struct guesser *oldest = guesses->sources;

    if (known)
        return &guesses->sources[known - guesses->sources];
    for (size_t i = 0; i < GUESS_SOURCES; i++)
        if (guesses->sources[i].used_ns < oldest->used_ns)
            oldest = &guesses->sources[i];
    guesses->of_others += oldest->unsaid + oldest->unread;
    *oldest = (struct guesser){0};
    memcpy(oldest->key, key, KEY_BYTES);
    return oldest;
}

void guesses_add(struct guesses *guesses, const struct sockaddr *address, uint64_t now_ns)
{
    uint8_t key[KEY_BYTES];
    struct guesser *source;

    make_key(address, key);
    source = find_or_make(guesses, key);
    guess_source_text(address, source->text);
    source->used_ns = now_ns;
    source->unsaid++;
    source->free_ns = (source->free_ns > now_ns ? source->free_ns : now_ns) + GUESS_PAUSE_NS;
}

void guesses_add_unread(struct guesses *guesses, const struct sockaddr *address)
{
    uint8_t key[KEY_BYTES];
    const struct guesser *source;

    make_key(address, key);
    source = find(guesses, key);
    if (source)
        guesses->sources[source - guesses->sources].unread++;
}

unsigned guesses_wait_seconds(const struct guesses *guesses, const struct sockaddr *address,
                              uint64_t now_ns)
{
    uint64_t allowed_ns = now_ns + (GUESSES_AT_ONCE - 1) * GUESS_PAUSE_NS;
    const struct guesser *source;
    uint8_t key[KEY_BYTES];

    make_key(address, key);
    source = find(guesses, key);
    if (!source || source->free_ns <= allowed_ns)
        return 0;
    return (unsigned)((source->free_ns - allowed_ns + 999999999ULL) / 1000000000ULL);
}

static bool may_write(struct guesses *guesses, uint64_t now_ns)
{
    if (!guesses->lines || now_ns - guesses->lines_ns >= GUESS_LINE_NS) {
        guesses->lines_ns = now_ns;
        guesses->lines = 0;
    }
    return guesses->lines < GUESS_LINES;
}

static void say(struct guesses *guesses, struct guesser *source, uint64_t now_ns,
                guess_report_fn *fn, void *ctx)
{
    struct guess_report report = {
        .failures = source->unsaid, .unread = source->unread, .of_others = guesses->of_others};

    memcpy(report.source, source->text, sizeof(report.source));
    source->line_ns = now_ns;
    source->unsaid = 0;
    source->unread = 0;
    guesses->of_others = 0;
    guesses->lines++;
    fn(ctx, &report);
}

uint64_t guesses_report(struct guesses *guesses, uint64_t now_ns, guess_report_fn *fn, void *ctx)
{
    uint64_t next_ns = 0;

    for (size_t i = 0; i < GUESS_SOURCES; i++) {
        struct guesser *source = &guesses->sources[i];
        bool due = !source->line_ns || now_ns - source->line_ns >= GUESS_LINE_NS;
        uint64_t again_ns;

        if (!source->unsaid && !source->unread)
            continue;
        if (due && may_write(guesses, now_ns)) {
            say(guesses, source, now_ns, fn, ctx);
            continue;
        }
        again_ns = (due ? guesses->lines_ns : source->line_ns) + GUESS_LINE_NS;
        if (!next_ns || again_ns < next_ns)
            next_ns = again_ns;
    }
    return next_ns;
}
