/* What is wrong with channels as far as this host can tell without asking anybody. */
#include "alert/template.h"
#include "notify/notify.h"
#include "transfer/secret.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define POINTER_BYTES 96

struct place {
    size_t channel;
    struct config_errors *errors;
};

static const char *pointer_to(const struct place *place, const char *key, char ret[POINTER_BYTES])
{
    snprintf(ret, POINTER_BYTES, "/alert_manager/channels/%zu/%s", place->channel, key);
    return ret;
}

/* A file may come later. */
static void doubt(const struct place *place, const char *key, const char *what)
{
    char pointer[POINTER_BYTES];

    config_warning_add(place->errors, pointer_to(place, key, pointer),
                       "%s; nothing is sent until it is mended", what);
}

static void check_secret(const struct place *place, const char *key, const char *path)
{
    char reason[SECRET_REASON_BYTES];
    char *secret = NULL;

    if (secret_read(path, &secret, reason) < 0)
        doubt(place, key, reason);
    secret_free(secret);
}

static void check_url_file(const struct place *place, const char *path)
{
    char reason[SECRET_REASON_BYTES];
    char *url = NULL;

    if (secret_read(path, &url, reason) < 0)
        doubt(place, "url_file", reason);
    /* Not what it says: it is a secret. */
    else if (url && strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        doubt(place, "url_file", "does not hold an HTTP URL, http:// or https://");
    secret_free(url);
}

/* Receivers that refuse what a webhook sends. */
static void check_receiver(const struct place *place, const struct config_channel *channel)
{
    static const struct {
        const char *part, *type;
    } receivers[] = {
        {"://hooks.slack.com/", "slack, with the URL in url_file"},
        {"://discord.com/api/webhooks/", "discord, with the URL in url_file"},
        {"://discordapp.com/api/webhooks/", "discord, with the URL in url_file"},
        {"/api/v2/alerts", "alertmanager, with what is before /api/v2 in urls"},
    };

    if (channel->type != CHANNEL_WEBHOOK || !channel->url)
        return;
    for (size_t i = 0; i < sizeof(receivers) / sizeof(receivers[0]); i++) {
        const char *at = strstr(channel->url, receivers[i].part);
        char pointer[POINTER_BYTES];

        if (at && (*receivers[i].part == ':' || !at[strlen(receivers[i].part)]))
            config_warning_add(place->errors, pointer_to(place, "url", pointer),
                               "refuses what a webhook sends (allowed: the type %s)",
                               receivers[i].type);
    }
}

static void check_channel(const struct place *place, const struct config_channel *channel)
{
    char error[TEMPLATE_ERROR_BYTES], reason[SECRET_REASON_BYTES], pointer[POINTER_BYTES];

    check_receiver(place, channel);
    check_url_file(place, channel->url_file);
    check_secret(place, "token_file", channel->token_file);
    check_secret(place, "secret_file", channel->secret_file);
    check_secret(place, "password_file", channel->password_file);
    if (channel->ca_file && secret_check_ca(channel->ca_file, reason) < 0)
        doubt(place, "ca_file", reason);
    if (channel->template && template_check(channel->template, NULL, NULL, error) < 0)
        config_error_add(place->errors, pointer_to(place, "template", pointer), "%s", error);
}

int notify_check(const struct config *config, struct config_errors *errors)
{
    size_t before = errors->count;

    for (size_t i = 0; i < config->alert_manager.channels.count; i++) {
        const struct place place = {i, errors};

        check_channel(&place, &config->alert_manager.channels.items[i]);
    }
    return errors->count == before ? 0 : -EINVAL;
}
