#include "probe/reason.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "probe/privilege.h"
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* libbpf's print hook has no context argument; the agent has one thread. */
static char first_warning[REASON_LINE_BYTES];
static char verdict[REASON_LINE_BYTES];

static void keep_line(char out[REASON_LINE_BYTES], const char *line, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len && n < REASON_LINE_BYTES - 1; i++) {
        if (isprint((unsigned char)line[i]))
            out[n++] = line[i];
    }
    out[n] = '\0';
}

/* How what follows the verdict begins: statistics, libbpf's frame, from Linux 7.3 on a section of
 * its own. What comes behind any of them, known or not, is not the verdict. */
static bool ends_verdict(const char *line)
{
    static const char *const ends[] = {"Verification failed", "processed ", "verification time ",
                                       "stack depth ", "-- END"};

    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (text_begins(line, ends[i]))
            return true;
    return false;
}

void reason_of_log(const char *log, char out[REASON_LINE_BYTES])
{
    char said[REASON_LINE_BYTES] = "";

    for (const char *line = log; *line && !(said[0] && ends_verdict(line));) {
        size_t len = strcspn(line, "\n");

        if (strspn(line, " \t\r") < len && !ends_verdict(line))
            keep_line(said, line, len);
        line += len;
        line += *line == '\n';
    }
    memcpy(out, said, sizeof(said));
}

__attribute__((format(printf, 2, 0))) static int capture(enum libbpf_print_level level,
                                                         const char *format, va_list args)
{
    CLEANUP_FREE char *message = NULL;
    const char *text, *log;

    if (level != LIBBPF_WARN || vasprintf(&message, format, args) < 0)
        return 0;
    text = text_begins(message, "libbpf: ") ? message + strlen("libbpf: ") : message;
    log = strstr(text, "-- BEGIN PROG LOAD LOG --\n");
    if (log)
        reason_of_log(strchr(log, '\n') + 1, verdict);
    else if (!first_warning[0] && !strstr(text, "BPF program load failed"))
        keep_line(first_warning, text, strlen(text));
    return 0;
}

void reason_capture(void)
{
    libbpf_set_print(capture);
}

void reason_forget(void)
{
    first_warning[0] = '\0';
    verdict[0] = '\0';
}

void reason_take(int error, char out[PROBE_REASON_BYTES])
{
    const char *said = verdict[0] ? verdict : first_warning;
    const char *lacking = privilege_missing_for_bpf();
    char what[64];

    /* Without CAP_PERFMON the verifier forbids what pointers are good for, and words it so. */
    if ((error == -EPERM || error == -EACCES) && lacking) {
        error = -EPERM;
        said = lacking;
    }
    /* strerror() of the C library has no name for the kernel's ENOTSUPP. */
    if (error == -524)
        snprintf(what, sizeof(what), "Operation not supported");
    else
        snprintf(what, sizeof(what), "%s", strerror(-error));
    if (said[0])
        snprintf(out, PROBE_REASON_BYTES, "%s: %s", what, said);
    else
        snprintf(out, PROBE_REASON_BYTES, "%s", what);
}
