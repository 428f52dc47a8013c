#include "probe/reason.h"
#include "base/cleanup.h"
#include "probe/privilege.h"
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 160

/* libbpf's print hook has no context argument; the agent has one thread. */
static char first_warning[LINE_BYTES];
static char verdict[LINE_BYTES];

static void keep_line(char out[LINE_BYTES], const char *line, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len && n < LINE_BYTES - 1; i++) {
        if (isprint((unsigned char)line[i]))
            out[n++] = line[i];
    }
    out[n] = '\0';
}

static bool starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* The verifier ends its log with statistics; what it objects to is the line before them. */
static void keep_verdict(const char *log)
{
    static const char *const statistics[] = {"processed ", "verification time", "stack depth",
                                             "-- END", "-- BEGIN"};
    const char *line = log;

    while (*line) {
        size_t len = strcspn(line, "\n");
        bool telling = len > 0;

        for (size_t i = 0; i < sizeof(statistics) / sizeof(statistics[0]); i++)
            telling = telling && !starts_with(line, statistics[i]);
        if (telling)
            keep_line(verdict, line, len);
        line += len;
        line += *line == '\n';
    }
}

__attribute__((format(printf, 2, 0))) static int capture(enum libbpf_print_level level,
                                                         const char *format, va_list args)
{
    CLEANUP_FREE char *message = NULL;
    const char *text, *log;

    if (level != LIBBPF_WARN || vasprintf(&message, format, args) < 0)
        return 0;
    text = starts_with(message, "libbpf: ") ? message + strlen("libbpf: ") : message;
    log = strstr(text, "-- BEGIN PROG LOAD LOG --\n");
    if (log)
        keep_verdict(strchr(log, '\n') + 1);
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
