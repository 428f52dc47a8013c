/* The command line: one binary, a table of commands. */
#ifndef MOONWATCH_CLI_CLI_H
#define MOONWATCH_CLI_CLI_H

#include <stdbool.h>

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct run_options {
    const char *config_path; /* NULL: look in the usual places */
    const char *listen;      /* NULL: as configured */
    bool dry_run;            /* nothing acts on the host */
};

/* `moonwatch run`: the agent itself stands above this layer and is handed in. Returns an exit code.
 */
typedef int cli_run_fn(const struct run_options *options);

int cli_main(int argc, char **argv, cli_run_fn *run);

#endif
