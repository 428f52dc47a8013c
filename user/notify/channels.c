/* The types of channels, a row each. */
#include "notify/channel_driver.h"

const struct channel_driver channel_drivers[CHANNEL_TYPE_COUNT] = {
    [CHANNEL_LOG] = {.name = "log"},
    [CHANNEL_WEBHOOK] = {"webhook", webhook_render, webhook_prepare},
    [CHANNEL_SLACK] = {"slack", slack_render, chat_prepare},
    [CHANNEL_DISCORD] = {"discord", discord_render, chat_prepare},
    [CHANNEL_EMAIL] = {"email", email_render, email_prepare},
    [CHANNEL_ALERTMANAGER] = {"alertmanager", alertmanager_render, alertmanager_prepare},
};
