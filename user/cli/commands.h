/* The commands behind the table of cli/cli.c, and what they share. */
#ifndef MOONWATCH_CLI_COMMANDS_H
#define MOONWATCH_CLI_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>

/* Each gets the arguments after its name, `--help` already answered, and returns an exit code of
 * cli/cli.h. */
int cli_alert(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_status(int argc, char **argv);
int cli_breaker(int argc, char **argv);

#define CLI_URL_DEFAULT "http://127.0.0.1:8000"

/* One option: a switch (`flag`) or one with a value (`value`), given as "--name V" or "--name=V".
 */
struct cli_option {
    const char *name; /* "--json" */
    bool *flag;
    const char **value;
    bool may_be_empty; /* the value; elsewhere it is a variable that nobody set */
};

/* Applies the options found anywhere in `argv` and moves the operands to its front ("--" ends the
 * options). Returns the number of operands, or -1 after one line on stderr when an option is
 * unknown, lacks its value or has one too many, or when there are more than `operands_max`: the
 * command then returns EXIT_USAGE. */
int cli_parse(const char *command, int argc, char **argv, const struct cli_option *options,
              size_t count, int operands_max);

struct config;
struct config_errors;
/* What stands in a configuration that was loaded, beyond its keys: what `moonwatch check` and the
 * agent refuse, and what they warn of. 0 or a negative errno. */
int cli_check_config(const struct config *config, struct config_errors *errors);
/* A configuration's errors on stderr, one line each: "FILE: /pointer: what is wrong". `file` is
 * NULL where the pointers begin with it. */
void cli_print_config_errors(const char *file, const struct config_errors *errors);

/* One line on stderr, "moonwatch: ..." */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
