/* The types of channels, a row each: what the configuration allows for it, and who it tells. How it
 * is told is the driver of its name in user/notify.
 *
 * ROW(ID, name, ...)
 *   ID    CHANNEL_ID
 *   name  in the configuration; of its driver, channel_NAME
 *   ...   the members of struct channel_kind
 */
#ifndef MOONWATCH_CONFIG_CHANNEL_TYPES_H
#define MOONWATCH_CONFIG_CHANNEL_TYPES_H

#include <stdbool.h>

#define CHANNEL_KEYS_MAX 8

#define CHANNEL_ROWS(ROW)                                                                          \
    ROW(LOG, log, .local = true)                                                                   \
    ROW(WEBHOOK, webhook, .uses = {"url", "url_file", "token_file", "secret_file"},                \
        .one_url = true)                                                                           \
    ROW(SLACK, slack, .uses = {"url_file", "template"},                                            \
        .needs = {{"url_file", "an absolute path"}})                                               \
    ROW(DISCORD, discord, .uses = {"url_file", "template"},                                        \
        .needs = {{"url_file", "an absolute path"}})                                               \
    ROW(EMAIL, email,                                                                              \
        .uses = {"smtp", "tls", "from", "to", "username", "password_file", "template"},            \
        .needs = {{"smtp", "HOST:PORT"}, {"from", "an address"}, {"to", "one or more addresses"}}) \
    ROW(ALERTMANAGER, alertmanager,                                                                \
        .uses = {"urls", "resend_interval", "token_file", "username", "password_file"},            \
        .needs = {{"urls", "one or more URLs"}}, .peers = true,                                    \
        .adds = {"/api/v2", "/api/v2/", "/api/v2/alerts", "/api/v1/alerts"})

#define CHANNEL_TYPE(id, ...) CHANNEL_##id,
enum channel_type { CHANNEL_ROWS(CHANNEL_TYPE) CHANNEL_TYPE_COUNT };
#undef CHANNEL_TYPE

struct channel_kind {
    const char *name;
    /* Of the keys that not all types have; those of a delivery all but local ones have. */
    const char *uses[CHANNEL_KEYS_MAX];
    struct {
        const char *key, *allowed;
    } needs[CHANNEL_KEYS_MAX];
    const char *adds[CHANNEL_KEYS_MAX]; /* no end of `urls`: the driver adds it */
    bool local;   /* the agent's own log: there is no receiver, and nothing can be late */
    bool peers;   /* each of `urls` is a receiver of its own */
    bool one_url; /* exactly one of `url` and `url_file` */
};

extern const struct channel_kind channel_kinds[CHANNEL_TYPE_COUNT];

#endif
