/* moonwatch alert test. */
#ifndef MOONWATCH_CLI_ALERT_TEST_H
#define MOONWATCH_CLI_ALERT_TEST_H

/* Prints the timeline of the rules over the recording; an exit code. One of `config_path` and
 * `rules_path` may be NULL. */
int cli_alert_test(const char *config_path, const char *rules_path, const char *input_path);

#endif
