/* What the service manager is told, as sd_notify(3) has it: one datagram to $NOTIFY_SOCKET. Unlike
 * libsystemd's this never waits, so a manager that hangs does not stop the loop. */
#ifndef MOONWATCH_AGENT_AGENT_SUPERVISOR_H
#define MOONWATCH_AGENT_AGENT_SUPERVISOR_H

/* Assignments, one per line: "READY=1". 0, also when nobody supervises; -EAGAIN: it reads nothing
 * at present; or another negative errno. */
int supervisor_tell(const char *state);

#endif
