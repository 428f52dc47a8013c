#include "agent/agent_audit.h"

void agent_audit_request(void *log, const struct audit_entry *entry)
{
    LOG_INFO(log, "audit", "Administrative request", LOG_STRING("action", entry->action),
             LOG_STRING("target", entry->target), LOG_STRING("token", entry->token),
             LOG_STRING("role", entry->role), LOG_STRING("source", entry->source),
             LOG_U64("http_status", entry->status), LOG_STRING("request", entry->request));
}

void agent_audit_failed(void *log, const struct guess_report *report)
{
    LOG_WARNING(log, "audit", "Login failed", LOG_STRING("source", report->source),
                LOG_U64("failures", report->failures), LOG_U64("unread", report->unread),
                LOG_U64("failures_of_others", report->of_others));
}
