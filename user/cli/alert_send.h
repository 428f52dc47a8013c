/* moonwatch alert send-test. */
#ifndef MOONWATCH_CLI_ALERT_SEND_H
#define MOONWATCH_CLI_ALERT_SEND_H

/* Sends one notification to the channel's receivers and says what became of it; an exit code. It is
 * tried once. `config_path` NULL: the configuration that the agent reads. */
int cli_alert_send(const char *config_path, const char *channel);

#endif
