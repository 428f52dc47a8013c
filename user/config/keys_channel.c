/* alert_manager.channels: who can be told, and how a message gets there. */
#include "base/text.h"
#include "config/config.h"
#include "config/key.h"
#include "config/reader.h"
#include <stdio.h>
#include <string.h>

#define DAY 86400
#define WEEK (7 * DAY)
/* Peers of an Alertmanager cluster, recipients of a mail. */
#define RECEIVERS_MAX 64

#define IN_CHANNEL(member) .offset = offsetof(struct config_channel, member)

static const struct key retry_keys[] = {
    {.name = "max_attempts",
     .type = KEY_WHOLE,
     IN_CHANNEL(retry.max_attempts),
     .minimum = 0,
     .maximum = 1000000,
     .initial = "0",
     .doc = "A message is given up after so many attempts; 0: never for that"},
    {.name = "base_delay",
     .type = KEY_NUMBER,
     IN_CHANNEL(retry.base_delay_seconds),
     .minimum = 0.001,
     .maximum = 3600,
     .unit = "s",
     .inherits = "/retry/base_delay",
     .doc = "The first retry comes within this time; it doubles with each"},
    {.name = "max_delay",
     .type = KEY_NUMBER,
     IN_CHANNEL(retry.max_delay_seconds),
     .minimum = 0.001,
     .maximum = DAY,
     .unit = "s",
     .inherits = "/retry/max_delay",
     .doc = "No delay is longer, except one that the receiver asks for"},
    {.name = "max_elapsed",
     .type = KEY_NUMBER,
     IN_CHANNEL(retry.max_elapsed_seconds),
     .minimum = 0,
     .maximum = WEEK,
     .unit = "s",
     .initial = "86400",
     .doc = "A message is given up when it is so old; 0: never for that"},
};

static const struct key_table channel_retry_table = {KEY_TABLE(retry_keys)};

static const struct key breaker_keys[] = {
    {.name = "failure_threshold",
     .type = KEY_WHOLE,
     IN_CHANNEL(breaker.failure_threshold),
     .minimum = 1,
     .maximum = 10000,
     .inherits = "/circuit_breaker/failure_threshold",
     .doc = "Failures in a row after which the receiver is left alone"},
    {.name = "recovery_timeout",
     .type = KEY_NUMBER,
     IN_CHANNEL(breaker.recovery_timeout_seconds),
     .minimum = 0.1,
     .maximum = DAY,
     .unit = "s",
     .inherits = "/circuit_breaker/recovery_timeout",
     .doc = "For so long, and longer with each attempt that fails then, up to `max_delay`"},
};

static const struct key_table channel_breaker_table = {KEY_TABLE(breaker_keys)};

static bool is_among(const char *key, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count && keys[i]; i++)
        if (strcmp(keys[i], key) == 0)
            return true;
    return false;
}

static void add_types(struct text *out, const struct key *key)
{
    const char *before = "";

    for (int type = 0; type < CHANNEL_TYPE_COUNT; type++) {
        if (!is_among(key->name, channel_kinds[type].uses, CHANNEL_KEYS_MAX))
            continue;
        text_printf(out, "%s%s", before, channel_kinds[type].name);
        before = ", ";
    }
    text_add(out, ": ");
}

static const struct key channel_keys[] = {
    {.name = "name",
     .type = KEY_STRING,
     IN_CHANNEL(name),
     .format = &format_name,
     .required = true,
     .doc = "What routes call it"},
    {.name = "type",
     .type = KEY_CHOICE,
     IN_CHANNEL(type),
     .choices = channel_type_names,
     .required = true,
     .doc = "How it is told"},
    {.name = "minimum_severity",
     .type = KEY_CHOICE,
     IN_CHANNEL(minimum_severity),
     .choices = severity_names,
     .initial = "\"info\"",
     .doc = "Less severe alerts are not sent"},
    {.name = "url",
     .type = KEY_STRING,
     IN_CHANNEL(url),
     .format = &format_url,
     .add_users = add_types,
     .doc = "where it is posted"},
    {.name = "url_file",
     .type = KEY_STRING,
     IN_CHANNEL(url_file),
     .format = &format_path,
     .add_users = add_types,
     .doc = "the file that holds the URL, when that is a secret"},
    {.name = "urls",
     .type = KEY_STRINGS,
     IN_CHANNEL(urls),
     .format = &format_url,
     .maximum = RECEIVERS_MAX,
     .or_one = true,
     .add_users = add_types,
     .doc = "where its peers are, without /api/v2; each is told"},
    {.name = "resend_interval",
     .type = KEY_NUMBER,
     IN_CHANNEL(resend_interval_seconds),
     .minimum = 1,
     .maximum = 3600,
     .unit = "s",
     .initial = "60",
     .add_users = add_types,
     .doc = "how often it is reminded of what still fires; less than half of its "
            "resolve_timeout (by default 300 s)"},
    {.name = "token_file",
     .type = KEY_STRING,
     IN_CHANNEL(token_file),
     .format = &format_path,
     .add_users = add_types,
     .doc = "the bearer token"},
    {.name = "secret_file",
     .type = KEY_STRING,
     IN_CHANNEL(secret_file),
     .format = &format_path,
     .add_users = add_types,
     .doc = "the key of the signature, as it is or `whsec_` and base64; without it there "
            "is none"},
    {.name = "smtp",
     .type = KEY_STRING,
     IN_CHANNEL(smtp),
     .format = &format_endpoint,
     .add_users = add_types,
     .doc = "the mail server"},
    {.name = "tls",
     .type = KEY_CHOICE,
     IN_CHANNEL(tls),
     .choices = smtp_tls_names,
     .initial = "\"starttls\"",
     .add_users = add_types,
     .doc = "starttls: no mail without it; implicit: TLS from the start, as on port 465"},
    {.name = "from",
     .type = KEY_STRING,
     IN_CHANNEL(from),
     .format = &format_mail_address,
     .add_users = add_types,
     .doc = "the sender's address"},
    {.name = "to",
     .type = KEY_STRINGS,
     IN_CHANNEL(to),
     .format = &format_mail_address,
     .maximum = RECEIVERS_MAX,
     .or_one = true,
     .add_users = add_types,
     .doc = "the recipients"},
    {.name = "username",
     .type = KEY_STRING,
     IN_CHANNEL(username),
     .format = &format_text,
     .add_users = add_types,
     .doc = "for the server"},
    {.name = "password_file",
     .type = KEY_STRING,
     IN_CHANNEL(password_file),
     .format = &format_path,
     .add_users = add_types,
     .doc = "for the server"},
    {.name = "ca_file",
     .type = KEY_STRING,
     IN_CHANNEL(ca_file),
     .format = &format_path,
     .doc = "The certificates trusted instead of the system's"},
    {.name = "template",
     .type = KEY_STRING,
     IN_CHANNEL(template),
     .format = &format_text,
     .add_users = add_types,
     .doc = "what is said of each alert, with {{ $labels.NAME }}, "
            "{{ $value }}, {{ $reason }} and {{ $summary }} (default: all that is known of it)"},
    {.name = "timeout",
     .type = KEY_NUMBER,
     IN_CHANNEL(timeout_seconds),
     .minimum = 0.1,
     .maximum = 300,
     .unit = "s",
     .initial = "10",
     .doc = "One delivery attempt"},
    {.name = "retry",
     .type = KEY_OBJECT,
     .table = &channel_retry_table,
     .doc = "Failed deliveries, tried again"},
    {.name = "breaker",
     .type = KEY_OBJECT,
     .table = &channel_breaker_table,
     .doc = "Not tried for a while when that is in vain"},
};

static const char *const keys_of_all[] = {"name", "type", "minimum_severity", NULL};
static const char *const keys_of_deliveries[] = {"ca_file", "timeout", "retry", "breaker", NULL};

static bool uses(const struct channel_kind *kind, const char *key)
{
    return is_among(key, keys_of_all, SIZE_MAX) ||
           (!kind->local && is_among(key, keys_of_deliveries, SIZE_MAX)) ||
           is_among(key, kind->uses, CHANNEL_KEYS_MAX);
}

/* A key that the type does not use is a mistake, e.g. a url for email. */
static void check_unused(struct reader *reader, const struct channel_kind *kind)
{
    for (size_t i = 0; i < sizeof(channel_keys) / sizeof(channel_keys[0]); i++)
        if (reader_has(reader, channel_keys[i].name) && !uses(kind, channel_keys[i].name))
            reader_error(reader, channel_keys[i].name,
                         "is not used by type %s (allowed: leave it out)", kind->name);
}

/* Only strings and lists of them can be missing: all else has a default. */
static bool is_missing(const struct config_channel *channel, const char *name)
{
    for (size_t i = 0; i < sizeof(channel_keys) / sizeof(channel_keys[0]); i++) {
        const void *member = (const char *)channel + channel_keys[i].offset;

        if (strcmp(channel_keys[i].name, name) != 0)
            continue;
        if (channel_keys[i].type == KEY_STRINGS)
            return ((const struct config_strings *)member)->count == 0;
        return channel_keys[i].type == KEY_STRING && !*(char *const *)member;
    }
    return true;
}

static void check_needs(struct reader *reader, const struct channel_kind *kind,
                        const struct config_channel *channel)
{
    for (size_t i = 0; i < CHANNEL_KEYS_MAX && kind->needs[i].key; i++)
        if (is_missing(channel, kind->needs[i].key))
            reader_error(reader, kind->needs[i].key, "is missing (allowed: %s)",
                         kind->needs[i].allowed);
}

static void check_is_http(struct reader *reader, const char *below, const char *url)
{
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        reader_error(reader, below, "\"%.60s\" is not HTTP (allowed: http:// or https://)", url);
}

static void check_one_url(struct reader *reader, const struct config_channel *channel)
{
    if (!channel->url == !channel->url_file)
        reader_error(reader, "url", "is %s url_file (allowed: exactly one of them)",
                     channel->url ? "given together with" : "missing, and so is");
    if (channel->url)
        check_is_http(reader, "url", channel->url);
}

static void check_is_base(struct reader *reader, const char *below, const char *url,
                          const struct channel_kind *kind)
{
    for (size_t i = 0; i < CHANNEL_KEYS_MAX && kind->adds[i]; i++) {
        size_t n = strlen(url), m = strlen(kind->adds[i]);

        if (n > m && strcmp(url + n - m, kind->adds[i]) == 0)
            reader_error(reader, below, "ends in %s, which is added to it (allowed: %.*s)",
                         kind->adds[i], (int)(n - m < 120 ? n - m : 120), url);
    }
}

static void check_urls(struct reader *reader, const struct channel_kind *kind,
                       const struct config_strings *urls)
{
    char below[32];

    for (size_t i = 0; i < urls->count; i++) {
        snprintf(below, sizeof(below), "urls/%zu", i);
        check_is_http(reader, below, urls->items[i]);
        check_is_base(reader, below, urls->items[i], kind);
        for (size_t j = 0; j < i; j++)
            if (strcmp(urls->items[i], urls->items[j]) == 0)
                reader_error(reader, below, "is given twice (allowed: different URLs)");
    }
}

static void check_channel(struct reader *reader, void *base)
{
    const struct config_channel *channel = base;
    const struct channel_kind *kind = &channel_kinds[channel->type];

    check_unused(reader, kind);
    if (!channel->username != !channel->password_file)
        reader_error(reader, channel->username ? "password_file" : "username",
                     "is missing (allowed: both of username and password_file, or none)");
    check_needs(reader, kind, channel);
    if (kind->one_url)
        check_one_url(reader, channel);
    if (uses(kind, "urls"))
        check_urls(reader, kind, &channel->urls);
    if (!channel->username || !uses(kind, "username"))
        return;
    if (uses(kind, "token_file") && channel->token_file)
        reader_error(reader, "token_file",
                     "is given together with username (allowed: one of them)");
    if (uses(kind, "tls") && channel->tls == SMTP_PLAIN)
        reader_error(reader, "tls",
                     "\"none\" would show the password to everybody on the way (allowed: "
                     "\"starttls\" or \"implicit\" with a username)");
}

/* What a channel inherits stands after the channels: until then it is 0, which no key may be. */
static void inherit(struct config_channel *channel, const struct config *config)
{
    if (channel->retry.base_delay_seconds == 0)
        channel->retry.base_delay_seconds = config->retry.base_delay_seconds;
    if (channel->retry.max_delay_seconds == 0)
        channel->retry.max_delay_seconds = config->retry.max_delay_seconds;
    if (channel->breaker.failure_threshold == 0)
        channel->breaker.failure_threshold = config->circuit_breaker.failure_threshold;
    if (channel->breaker.recovery_timeout_seconds == 0)
        channel->breaker.recovery_timeout_seconds =
            config->circuit_breaker.recovery_timeout_seconds;
}

void check_channels(struct reader *reader, void *base)
{
    struct config *config = base;
    char below[80];

    for (size_t i = 0; i < config->alert_manager.channels.count; i++) {
        struct config_channel *channel = &config->alert_manager.channels.items[i];

        inherit(channel, config);
        if (channel->retry.max_delay_seconds >= channel->retry.base_delay_seconds)
            continue;
        snprintf(below, sizeof(below), "alert_manager/channels/%zu/retry/max_delay", i);
        reader_error(reader, below, "%g is below base_delay %g (allowed: at least %g)",
                     channel->retry.max_delay_seconds, channel->retry.base_delay_seconds,
                     channel->retry.base_delay_seconds);
    }
}

const struct key_table channel_table = {
    KEY_TABLE(channel_keys), .size = sizeof(struct config_channel), .check = check_channel};
