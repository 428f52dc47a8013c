/* One line saying why the kernel refused, made of errno and of what libbpf and the verifier said.
 */
#ifndef MOONWATCH_PROBE_REASON_H
#define MOONWATCH_PROBE_REASON_H

#define PROBE_REASON_BYTES 232
#define REASON_LINE_BYTES 160

/* From here on libbpf's messages are kept instead of printed; for the life of the process, since a
 * library layer never writes to stderr. */
void reason_capture(void);
/* The verifier's objection in a log of its; "": there is none. */
void reason_of_log(const char *log, char out[REASON_LINE_BYTES]);
/* Forgets what was said so far. */
void reason_forget(void);
/* Writes the line for `error` (negative errno) from what was said since reason_forget(). */
void reason_take(int error, char out[PROBE_REASON_BYTES]);

#endif
