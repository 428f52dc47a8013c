/* Breakers and fallbacks that are allowed as they are configured, and without effect. */
#include "config/address.h"
#include "config/config.h"
#include "config/key.h"
#include "config/reader.h"
#include <stdio.h>

#define POINTER_BYTES 96

static bool refuses(enum breaker_mode mode)
{
    return mode == BREAKER_MODE_ENFORCE || mode == BREAKER_MODE_FORCED_OPEN;
}

/* What nothing comes of when nothing is refused. */
static void doubt_belongings(struct reader *reader, const struct config_upstream *upstream,
                             size_t index, const char *why)
{
    char pointer[POINTER_BYTES];

    if (upstream->fallback.given && upstream->fallback.enabled) {
        snprintf(pointer, sizeof(pointer), "/upstreams/%zu/fallback", index);
        config_warning_add(reader->errors, pointer, "is never used: %s", why);
    }
    if (upstream->breaker.on_open == BREAKER_ON_OPEN_CLOSE) {
        snprintf(pointer, sizeof(pointer), "/upstreams/%zu/breaker/on_open", index);
        config_warning_add(reader->errors, pointer, "closes nothing: %s", why);
    }
}

static void doubt_mode(struct reader *reader, const struct config *config, size_t index)
{
    enum breaker_mode mode = config->upstreams.items[index].breaker.mode;
    char pointer[POINTER_BYTES];

    snprintf(pointer, sizeof(pointer), "/upstreams/%zu/breaker/mode", index);
    if (!config->circuit_breaker.enabled)
        config_warning_add(reader->errors, pointer,
                           "refuses nothing: circuit_breaker.enabled is false");
    else if (config->overhead.probes.breaker == CONFIG_PROBE_OFF)
        config_warning_add(reader->errors, pointer,
                           "refuses nothing: overhead.probes.breaker is \"off\"");
    /* What is forced open needs no calls to open. */
    else if (config->overhead.probes.request == CONFIG_PROBE_OFF && mode == BREAKER_MODE_ENFORCE)
        config_warning_add(reader->errors, pointer,
                           config->upstreams.items[index].check.given
                               ? "opens by the upstream's own check alone: clients' calls are not "
                                 "counted, overhead.probes.request is \"off\""
                               : "never opens: clients' calls are not counted, "
                                 "overhead.probes.request is \"off\"");
}

/* What the port, by its number, speaks instead of plain HTTP; NULL: that is not known. */
static const char *other_protocol(const struct config_upstream *upstream, const char **ret_address)
{
    static const struct {
        uint16_t port;
        const char *protocol;
    } ports[] = {
        {443, "TLS"},    {6443, "TLS"},        {5432, "PostgreSQL"}, {3306, "MySQL"},
        {6379, "Redis"}, {27017, "MongoDB"},   {11211, "memcached"}, {9092, "Kafka"},
        {5672, "AMQP"},  {1433, "SQL Server"}, {1521, "Oracle"},     {9042, "Cassandra"},
    };
    struct address address;

    for (size_t a = 0; a < upstream->addresses.count; a++) {
        *ret_address = upstream->addresses.items[a];
        if (address_parse(&address, *ret_address) < 0)
            continue;
        for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
            if (ports[i].port == address.port)
                return ports[i].protocol;
    }
    return NULL;
}

static bool answers_itself(const struct config_fallback *fallback)
{
    return fallback->given && fallback->enabled && fallback->strategy != FALLBACK_ALTERNATIVE;
}

/* What takes plain HTTP for granted. */
static void doubt_protocol(struct reader *reader, const struct config_upstream *upstream,
                           size_t index)
{
    char pointer[POINTER_BYTES];
    const char *address, *protocol = other_protocol(upstream, &address);

    if (!protocol)
        return;
    if (upstream->read_status) {
        snprintf(pointer, sizeof(pointer), "/upstreams/%zu/read_status", index);
        config_warning_add(reader->errors, pointer,
                           "reads nothing of %.80s: that port speaks %s, not plain HTTP/1.x",
                           address, protocol);
    }
    if (answers_itself(&upstream->fallback)) {
        snprintf(pointer, sizeof(pointer), "/upstreams/%zu/fallback/strategy", index);
        config_warning_add(reader->errors, pointer,
                           "answers in plain HTTP, which clients of %.80s do not understand: that "
                           "port speaks %s (allowed: alternative)",
                           address, protocol);
    }
}

void doubt_breakers(struct reader *reader, const struct config *config)
{
    for (size_t i = 0; i < config->upstreams.count; i++) {
        const struct config_upstream *upstream = &config->upstreams.items[i];

        doubt_protocol(reader, upstream, i);
        if (refuses(upstream->breaker.mode))
            doubt_mode(reader, config, i);
        else
            doubt_belongings(reader, upstream, i,
                             upstream->breaker.mode == BREAKER_MODE_OBSERVE
                                 ? "the breaker's mode is \"observe\", which refuses nothing "
                                   "(\"enforce\" does)"
                                 : "the breaker's mode is \"disabled\"");
    }
}
