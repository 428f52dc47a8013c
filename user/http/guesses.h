/* Tokens that were not ours, by where they came from: whoever guesses has to wait, and the log has
 * a line for each source and minute, not for each guess. */
#ifndef MOONWATCH_HTTP_GUESSES_H
#define MOONWATCH_HTTP_GUESSES_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct guesses;

/* So many at once, then one for each pause. */
#define GUESSES_AT_ONCE 20
#define GUESS_PAUSE_NS 2000000000ULL
/* Sources remembered; the one not heard of for longest makes room. */
#define GUESS_SOURCES 256
/* Between two lines about a source; of all sources there are so many lines in that time. */
#define GUESS_LINE_NS 60000000000ULL
#define GUESS_LINES 10

#define GUESS_SOURCE_BYTES INET6_ADDRSTRLEN

struct guess_report {
    char source[GUESS_SOURCE_BYTES]; /* its latest address */
    uint64_t failures;               /* since the line before */
    uint64_t unread;                 /* tokens that were not looked at meanwhile */
    uint64_t of_others;              /* failures of sources that got no line */
};

typedef void guess_report_fn(void *ctx, const struct guess_report *report);

int guesses_create(struct guesses **ret);
void guesses_destroy(struct guesses *guesses); /* NULL is fine */

/* A wrong token from `source`, an address of IPv4 or IPv6; of the latter a /64 counts as one. */
void guesses_add(struct guesses *guesses, const struct sockaddr *source, uint64_t now_ns);
/* A token from `source` was not looked at. */
void guesses_add_unread(struct guesses *guesses, const struct sockaddr *source);
/* How long `source` has to wait before a token of it is looked at, in seconds; 0: not at all. */
unsigned guesses_wait_seconds(const struct guesses *guesses, const struct sockaddr *source,
                              uint64_t now_ns);
/* Tells what is due. Returns when to ask again, 0: after the next guesses_add(). */
uint64_t guesses_report(struct guesses *guesses, uint64_t now_ns, guess_report_fn *fn, void *ctx);

/* The address as text, that of IPv4 also where it comes as one of IPv6; "unknown" for none. */
void guess_source_text(const struct sockaddr *source, char out[GUESS_SOURCE_BYTES]);

#endif
