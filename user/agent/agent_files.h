/* The agent within its limit of open files. */
#ifndef MOONWATCH_AGENT_AGENT_FILES_H
#define MOONWATCH_AGENT_AGENT_FILES_H

#include "base/log.h"
#include "base/open_files.h"
#include "config/config.h"
#include "facts/server_view.h"

/* Raises the limit as far as it goes, and while the BPF programs are loaded keeps what all else
 * needs from them. -EMFILE after one line on stderr: not even that is allowed. */
int agent_files_begin(struct open_files_held *held);

/* Says when it is less than what the configuration asks for. */
void agent_files_log(struct log *log, const struct config *config,
                     const struct server_view *served);

#endif
