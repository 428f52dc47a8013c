/* The agent: creates, ticks and destroys every part in one order. */
#ifndef MOONWATCH_AGENT_AGENT_H
#define MOONWATCH_AGENT_AGENT_H

#include "cli/cli.h"

/* Runs until SIGTERM or SIGINT. Returns an exit code of cli/cli.h. */
int agent_run(const struct run_options *options);

#endif
