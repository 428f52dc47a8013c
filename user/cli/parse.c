#include "base/cleanup.h"
#include "base/text.h"
#include "cli/commands.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What it names may be anybody's: an answer, a file, what was typed. */
void cli_error(const char *format, ...)
{
    CLEANUP_FREE char *line = NULL, *clean = NULL;
    va_list args;
    int len;

    va_start(args, format);
    len = vasprintf(&line, format, args);
    va_end(args);
    if (len < 0)
        line = NULL;
    clean = line ? text_cleaned(line) : NULL;
    fprintf(stderr, "moonwatch: %s\n", clean ? clean : "out of memory");
}

static const struct cli_option *find_option(const char *argument, size_t length,
                                            const struct cli_option *options, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (strlen(options[i].name) == length && strncmp(options[i].name, argument, length) == 0)
            return &options[i];
    return NULL;
}

int cli_parse(const char *command, int argc, char **argv, const struct cli_option *options,
              size_t count, int operands_max)
{
    const struct cli_option *option;
    bool options_ended = false;
    const char *value;
    size_t length;
    int i, operands = 0;

    for (i = 0; i < argc; i++) {
        /* A lone "-" is an operand, as everywhere. */
        if (options_ended || argv[i][0] != '-' || !argv[i][1]) {
            argv[operands++] = argv[i];
            continue;
        }
        if (strcmp(argv[i], "--") == 0) {
            options_ended = true;
            continue;
        }
        value = NULL;
        length = strcspn(argv[i], "=");
        option = find_option(argv[i], length, options, count);
        if (!option) {
            cli_error("%s: unknown option %.*s (see moonwatch %s --help)", command, (int)length,
                      argv[i], command);
            return -1;
        }
        if (option->flag) {
            if (argv[i][length]) {
                cli_error("%s: %s takes no value", command, option->name);
                return -1;
            }
            *option->flag = true;
        } else if (argv[i][length]) {
            value = argv[i] + length + 1;
        } else if (i + 1 < argc) {
            value = argv[++i];
        }
        if (value && (*value || option->may_be_empty)) {
            *option->value = value;
        } else if (option->value) {
            cli_error("%s: %s wants a value (see moonwatch %s --help)", command, option->name,
                      command);
            return -1;
        }
    }
    if (operands > operands_max) {
        cli_error("%s: unexpected argument %s (see moonwatch %s --help)", command,
                  argv[operands_max], command);
        return -1;
    }
    return operands;
}
