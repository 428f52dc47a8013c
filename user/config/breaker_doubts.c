/* Breakers and fallbacks that are allowed as they are configured, and without effect. */
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

void doubt_breakers(struct reader *reader, const struct config *config)
{
    for (size_t i = 0; i < config->upstreams.count; i++) {
        const struct config_upstream *upstream = &config->upstreams.items[i];

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
