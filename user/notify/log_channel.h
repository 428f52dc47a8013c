/* The channel that needs no receiver: a line of the agent's log per alert. Inside this layer only.
 */
#ifndef MOONWATCH_NOTIFY_LOG_CHANNEL_H
#define MOONWATCH_NOTIFY_LOG_CHANNEL_H

#include "alert/notification.h"
#include "base/log.h"

void log_channel_write(struct log *log, const struct notification *n);

#endif
