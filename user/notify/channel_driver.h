/* What differs between the types of channels: how a notification is written, and how it is sent.
 * Inside this layer only. */
#ifndef MOONWATCH_NOTIFY_CHANNEL_DRIVER_H
#define MOONWATCH_NOTIFY_CHANNEL_DRIVER_H

#include "alert/notification.h"
#include "base/log.h"
#include "base/text.h"
#include "config/config.h"
#include "transfer/http.h"
#include "transfer/secret.h"

/* A hundred alerts with all the labels they may have. */
#define PAYLOAD_BYTES_MAX (4 << 20)
/* What a label or sentence may take of it. */
#define FIELD_BYTES_MAX 4096

/* Where one message goes. */
struct receiver {
    const struct config_channel *channel;
    const char *peer; /* "" but for Alertmanager */
};

struct message {
    const char *key;
    const char *payload; /* as it was rendered */
    size_t payload_bytes;
    uint64_t now_realtime_ns;
};

#define ATTEMPT_HEADERS_MAX 6

/* One attempt: the request and what it points to. */
struct attempt {
    struct http_request request;
    const char *headers[ATTEMPT_HEADERS_MAX];
    char *owned[ATTEMPT_HEADERS_MAX + 4]; /* freed and wiped by attempt_end() */
    size_t owned_count;
};

struct channel_driver {
    /* Of a local channel, instead of all below: nothing is stored, nothing can fail. */
    void (*write)(struct log *log, const struct notification *n);
    /* The payload, which is stored and sent as it is. */
    void (*render)(const struct notification *n, const char *host, struct text *out);
    /* Fills the request but for the timeout. -ENOMEM, or another negative errno with the reason
     * when it takes a person to mend it. */
    int (*prepare)(struct attempt *attempt, const struct receiver *receiver,
                   const struct message *message, char reason[SECRET_REASON_BYTES]);
    /* An element of the JSON array that the receiver is sent every resend_interval of what still
     * fires. NULL: it needs no reminding. */
    void (*remind)(const struct alert_view *alert, const char *host, struct text *out);
    /* Warns of what is surely not meant in a channel of this type, whose pointer it is. May be
     * NULL. */
    void (*doubt)(const struct config_channel *channel, const char *pointer,
                  struct config_errors *errors);
};

/* Each in a file of its own. */
#define DRIVER(id, name, ...) extern const struct channel_driver channel_##name;
CHANNEL_ROWS(DRIVER)
#undef DRIVER
extern const struct channel_driver *const channel_drivers[CHANNEL_TYPE_COUNT];

/* attempt.c */
/* Takes ownership of `string`, also on failure: -ENOMEM when it is NULL. */
int attempt_own(struct attempt *attempt, char *string);
int attempt_header(struct attempt *attempt, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A POST of the payload as JSON, with the channel's own trust. */
int attempt_post_json(struct attempt *attempt, const struct receiver *receiver,
                      const struct message *message, char *owned_url);
/* The same to `url_file`, with nothing else. */
int attempt_post_to_secret(struct attempt *attempt, const struct receiver *receiver,
                           const struct message *message, char reason[SECRET_REASON_BYTES]);
/* From the file that the key names; `*ret` NULL when `path` is. */
int attempt_secret(struct attempt *attempt, const char *path, const char **ret,
                   char reason[SECRET_REASON_BYTES]);
void attempt_end(struct attempt *attempt);

#endif
