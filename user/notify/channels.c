/* The types of channels, a row each. */
#include "notify/channel_driver.h"

const struct channel_driver channel_drivers[CHANNEL_TYPE_COUNT] = {
    [CHANNEL_LOG] = {0},
    [CHANNEL_WEBHOOK] = {webhook_render, webhook_prepare},
    [CHANNEL_SLACK] = {slack_render, chat_prepare},
    [CHANNEL_DISCORD] = {discord_render, chat_prepare},
    [CHANNEL_EMAIL] = {email_render, email_prepare},
    [CHANNEL_ALERTMANAGER] = {alertmanager_render, alertmanager_prepare},
};
