/* services, and the active probes that upstreams have too. */
#include "config/address.h"
#include "config/config.h"
#include "config/key.h"
#include "config/reader.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY 86400
#define PORT_MAX 65535

#define IN_CHECK(member) .offset = offsetof(struct config_check, member)

#define IN_EXPECT(member) .offset = offsetof(struct config_expect, member)

static const struct key expect_keys[] = {
    {.name = "status",
     .type = KEY_WHOLE,
     IN_EXPECT(status),
     .minimum = 100,
     .maximum = 599,
     .doc = "http: the status (default: any 2xx or 3xx)"},
    {.name = "body",
     .type = KEY_STRING,
     IN_EXPECT(body),
     .format = &format_text,
     .doc = "http: a part of the answer; redis: a part of what INFO says"},
    {.name = "json",
     .type = KEY_MAP,
     IN_EXPECT(json),
     .format = &format_pointer,
     .any_json = true,
     .doc = "http: JSON pointers and the values there, e.g. {\"/status\": \"ok\"}"},
    {.name = "certificate_days",
     .type = KEY_NUMBER,
     IN_EXPECT(certificate_days),
     .minimum = 0,
     .maximum = 3650,
     .unit = "days",
     .doc = "https: how long the certificate has to be good for"},
};

static const struct key_table expect_table = {KEY_TABLE(expect_keys)};

static const struct key check_keys[] = {
    {.name = "type",
     .type = KEY_CHOICE,
     IN_CHECK(type),
     .choices = check_type_names,
     .required = true,
     .doc = "What is spoken"},
    {.name = "url",
     .type = KEY_STRING,
     IN_CHECK(url),
     .format = &format_url,
     .required = true,
     .doc = "http://... or https://... for http, else TYPE://HOST:PORT"},
    {.name = "interval",
     .type = KEY_NUMBER,
     IN_CHECK(interval_seconds),
     .minimum = 0.1,
     .maximum = DAY,
     .unit = "s",
     .initial = "10",
     .doc = "How often it is asked"},
    {.name = "timeout",
     .type = KEY_NUMBER,
     IN_CHECK(timeout_seconds),
     .minimum = 0.01,
     .maximum = 300,
     .unit = "s",
     .initial = "2",
     .doc = "No answer within this is a failure"},
    {.name = "expect",
     .type = KEY_OBJECT,
     IN_CHECK(expect),
     .table = &expect_table,
     .optional = true,
     .short_string = "body",
     .short_whole = "status",
     .doc =
         "What the answer has to be like; a string: `body`, a number: `status` (default: any 2xx "
         "or 3xx, any answer)"},
    {.name = "password_file",
     .type = KEY_STRING,
     IN_CHECK(password_file),
     .format = &format_path,
     .doc = "The password, for http with the user of the url; not for tcp"},
    {.name = "token_file",
     .type = KEY_STRING,
     IN_CHECK(token_file),
     .format = &format_path,
     .doc = "http: the bearer token"},
    {.name = "ca_file",
     .type = KEY_STRING,
     IN_CHECK(ca_file),
     .format = &format_path,
     .doc = "Who may have signed the server's certificate, PEM (default: the system's)"},
};

/* A type and what it can be asked beside: bits of enum check_option. */
enum check_option {
    OPTION_STATUS = 1 << 0,
    OPTION_BODY = 1 << 1,
    OPTION_JSON = 1 << 2,
    OPTION_CERTIFICATE = 1 << 3,
    OPTION_PASSWORD = 1 << 4,
    OPTION_TOKEN = 1 << 5,
    OPTION_CA = 1 << 6,
};

static void check_options(struct reader *reader, const struct config_check *check)
{
    static const struct {
        unsigned option;
        const char *key;
        const char *allowed;
    } options[] = {
        {OPTION_STATUS, "expect/status", "http"},
        {OPTION_BODY, "expect/body", "http, redis"},
        {OPTION_JSON, "expect/json", "http"},
        {OPTION_CERTIFICATE, "expect/certificate_days", "http with https://..."},
        {OPTION_PASSWORD, "password_file", "http, postgres, redis"},
        {OPTION_TOKEN, "token_file", "http"},
        {OPTION_CA, "ca_file", "http with https://..., postgres"},
    };
    static const unsigned allowed[] = {
        [CHECK_HTTP] = OPTION_STATUS | OPTION_BODY | OPTION_JSON | OPTION_PASSWORD | OPTION_TOKEN,
        [CHECK_TCP] = 0,
        [CHECK_POSTGRES] = OPTION_PASSWORD | OPTION_CA,
        [CHECK_REDIS] = OPTION_BODY | OPTION_PASSWORD,
    };
    bool https = strncmp(check->url, "https:", 6) == 0;
    unsigned allows = allowed[check->type] | (https ? OPTION_CERTIFICATE | OPTION_CA : 0);
    unsigned given =
        (check->expect.status ? OPTION_STATUS : 0) | (check->expect.body ? OPTION_BODY : 0) |
        (check->expect.json.count ? OPTION_JSON : 0) |
        (check->expect.given && check->expect.certificate_days >= 0 ? OPTION_CERTIFICATE : 0) |
        (check->password_file ? OPTION_PASSWORD : 0) | (check->token_file ? OPTION_TOKEN : 0) |
        (check->ca_file ? OPTION_CA : 0);

    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        if (options[i].option & given & ~allows)
            reader_error(reader, options[i].key, "does not fit type %s (allowed: with %s)",
                         check_type_names[check->type], options[i].allowed);
}

static void check_check(struct reader *reader, void *base)
{
    const struct config_check *check = base;
    const char *type = check_type_names[check->type];
    const char *scheme_end = strstr(check->url, "://");
    size_t scheme = (size_t)(scheme_end - check->url);
    bool fits = strncmp(check->url, type, scheme) == 0 && !type[scheme];
    struct address address;

    fits = fits || (check->type == CHECK_HTTP && strncmp(check->url, "https:", 6) == 0) ||
           (check->type == CHECK_POSTGRES && strncmp(check->url, "postgresql:", 11) == 0);
    if (!fits)
        reader_error(reader, "url", "\"%.60s\" does not fit type %s (allowed: %s://...)",
                     check->url, type, type);
    if (fits && (check->type == CHECK_TCP || check->type == CHECK_REDIS) &&
        address_parse_url(&address, check->url, check->type == CHECK_REDIS ? REDIS_PORT : 0) < 0)
        reader_error(reader, "url", "\"%.60s\" has no host and port (allowed: %s)", check->url,
                     check->type == CHECK_TCP ? "tcp://HOST:PORT" : "redis://[USER@]HOST[:PORT]");
    if (fits)
        check_options(reader, check);
    if (check->timeout_seconds > check->interval_seconds)
        reader_error(reader, "timeout", "%g is over the interval %g (allowed: at most %g)",
                     check->timeout_seconds, check->interval_seconds, check->interval_seconds);
}

const struct key_table check_table = {KEY_TABLE(check_keys), .size = sizeof(struct config_check),
                                      .check = check_check};

#define IN_SERVICE(member) .offset = offsetof(struct config_service, member)

static const struct key match_keys[] = {
    {.name = "unit",
     .type = KEY_STRING,
     IN_SERVICE(match.unit),
     .format = &format_text,
     .doc = "The systemd unit, e.g. nginx.service; .service may be left out"},
    {.name = "cgroup",
     .type = KEY_STRING,
     IN_SERVICE(match.cgroup),
     .format = &format_cgroup,
     .doc =
         "That very cgroup, not those below, as in /proc/PID/cgroup; the first / may be left out"},
    {.name = "comm",
     .type = KEY_STRING,
     IN_SERVICE(match.comm),
     .format = &format_text,
     .maximum = 15,
     .doc = "The process name"},
    {.name = "exe",
     .type = KEY_STRING,
     IN_SERVICE(match.exe),
     .format = &format_path,
     .doc = "The executable"},
    {.name = "port",
     .type = KEY_WHOLE,
     IN_SERVICE(match.port),
     .minimum = 1,
     .maximum = PORT_MAX,
     .doc = "The port it listens on"},
};

static void check_match(struct reader *reader, void *base)
{
    unit_complete(reader, base);
    if (!reader->object->child)
        reader_error(reader, "",
                     "is empty (allowed: at least one of unit, cgroup, comm, exe, port)");
}

static const struct key_table match_table = {KEY_TABLE(match_keys), .check = check_match};

#define IN_SERVICE_HEALING(member)                                                                 \
    .offset =                                                                                      \
        offsetof(struct config_service, healing.member) - offsetof(struct config_service, healing)

static const struct key service_healing_keys[] = {
    {.name = "mode",
     .type = KEY_CHOICE,
     IN_SERVICE_HEALING(mode),
     .choices = healing_mode_names,
     .initial = "\"advise\"",
     .doc = "What may be done; no more than healing.mode"},
    {.name = "actions",
     .type = KEY_FLAGS,
     IN_SERVICE_HEALING(actions),
     .choices = healing_action_names,
     .initial = "[]",
     .doc = "Which actions"},
};

static const struct key_table service_healing_table = {KEY_TABLE(service_healing_keys)};

static const struct key service_keys[] = {
    {.name = "name",
     .type = KEY_STRING,
     IN_SERVICE(name),
     .format = &format_name,
     .required = true,
     .doc = "What it is called"},
    {.name = "kind",
     .type = KEY_CHOICE,
     IN_SERVICE(kind),
     .choices = service_kind_names,
     .required = true,
     .doc = "What it is"},
    {.name = "match",
     .type = KEY_OBJECT,
     .table = &match_table,
     .required = true,
     .doc =
         "Which processes it is: those of the unit, those of the cgroup, who serves the port, and "
         "those that comm and exe fit, both where both are given"},
    {.name = "netns",
     .type = KEY_STRING,
     IN_SERVICE(netns),
     .format = &format_netns,
     .initial = "\"own\"",
     .doc = "In which network namespace it serves match.port: the agent's own, any, or that of a "
            "file, e.g. /run/netns/shop or /proc/PID/ns/net"},
    {.name = "priority",
     .type = KEY_CHOICE,
     IN_SERVICE(priority),
     .choices = service_priority_names,
     .initial = "\"normal\"",
     .later = true,
     .doc = "How much it matters"},
    {.name = "check",
     .type = KEY_OBJECT,
     IN_SERVICE(check),
     .table = &check_table,
     .optional = true,
     .doc = "An active probe"},
    {.name = "healing",
     .type = KEY_OBJECT,
     IN_SERVICE(healing),
     .table = &service_healing_table,
     .optional = true,
     .later = true,
     .doc = "What may be done when it fails"},
};

const struct key_table service_table = {KEY_TABLE(service_keys),
                                        .size = sizeof(struct config_service)};
