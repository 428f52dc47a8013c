/* What is wrong with channels as far as this host can tell without asking anybody. */
#include "alert/template.h"
#include "notify/channel_driver.h"
#include "notify/notify.h"
#include "transfer/secret.h"
#include "transfer/secret_doubt.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define CHANNEL_POINTER "/alert_manager/channels/%zu"
#define POINTER_BYTES 96
#define UNTIL "nothing is sent until it is mended"

struct place {
    size_t channel;
    struct config_errors *errors;
};

static const char *pointer_to(const struct place *place, const char *key, char ret[POINTER_BYTES])
{
    snprintf(ret, POINTER_BYTES, CHANNEL_POINTER "/%s", place->channel, key);
    return ret;
}

/* A file may come later. */
static void doubt(const struct place *place, const char *key, const char *what)
{
    char pointer[POINTER_BYTES];

    config_warning_add(place->errors, pointer_to(place, key, pointer), "%s; " UNTIL, what);
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

static void check_channel(const struct place *place, const struct config_channel *channel)
{
    const struct {
        const char *key, *path;
        void (*doubt)(struct config_errors *errors, const char *pointer, const char *path,
                      const char *until);
    } files[] = {
        {"token_file", channel->token_file, secret_doubt},
        {"secret_file", channel->secret_file, secret_doubt},
        {"password_file", channel->password_file, secret_doubt},
        {"ca_file", channel->ca_file, secret_doubt_ca},
    };
    char error[TEMPLATE_ERROR_BYTES], pointer[POINTER_BYTES];

    if (channel_drivers[channel->type]->doubt) {
        snprintf(pointer, sizeof(pointer), CHANNEL_POINTER, place->channel);
        channel_drivers[channel->type]->doubt(channel, pointer, place->errors);
    }
    check_url_file(place, channel->url_file);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        files[i].doubt(place->errors, pointer_to(place, files[i].key, pointer), files[i].path,
                       UNTIL);
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
