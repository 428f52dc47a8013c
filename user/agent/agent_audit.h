/* Who did what over HTTP, and who tried to. */
#ifndef MOONWATCH_AGENT_AGENT_AUDIT_H
#define MOONWATCH_AGENT_AGENT_AUDIT_H

#include "base/log.h"
#include "http/server.h"

/* `log` is a struct log: what server_sources asks for. */
void agent_audit_request(void *log, const struct audit_entry *entry);
void agent_audit_failed(void *log, const struct guess_report *report);

#endif
