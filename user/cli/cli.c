#include "cli/cli.h"
#include "cli/commands.h"
#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    const char *arguments;
    const char *summary;
    const char *options; /* one line each */
    int (*main)(int argc, char **argv);
};

#define OPTION_HELP "  --help                 this text\n"
#define CLIENT_OPTIONS                                                                             \
    "  --json                 as JSON\n"                                                           \
    "  --config FILE          the configuration of the agent to ask (default: as run)\n"           \
    "  --url URL              the agent to ask instead, http://HOST:PORT\n"                        \
    "  --token-file FILE      the bearer token (default: the agent's own, from\n"                  \
    "                         RUNTIME_DIRECTORY/admin.token, when it is on this host)\n"

/* `run` has no main: the agent stands above this layer. */
static const struct command commands[] = {
    {"run", "[--config FILE] [--listen HOST:PORT] [--dry-run]", "run the agent in the foreground",
     "  --config FILE          the configuration (default: $MOONWATCH_CONFIG,\n"
     "                         /etc/moonwatch/monitoring.json, else built-in)\n"
     "  --listen HOST:PORT     serve HTTP there instead of where the configuration says\n"
     "  --dry-run              decide and say so, but do not act on the host: no connect is\n"
     "                         refused or redirected, no connection closed, nothing mounted;\n"
     "                         notifications are sent\n",
     NULL},
    {"check", "FILE | --schema | --reference | --metrics", "validate a configuration",
     "  FILE                   the configuration to validate; exit code 2 if it is wrong\n"
     "  --schema               print the JSON Schema instead\n"
     "  --reference            print the reference in Markdown instead\n"
     "  --metrics              print what /metrics tells in Markdown instead\n",
     cli_check},
    {"doctor", "[--json] [--config FILE]", "say what this kernel and these privileges allow",
     "  --json                 as JSON\n"
     "  --config FILE          the configuration of the agent (default: as run)\n",
     cli_doctor},
    {"alert", "list|ack|silence|unsilence|test|send-test [ARGUMENTS]",
     "list alerts, acknowledge and silence them; try rules out",
     "  list                   alerts, silences and what is over\n"
     "    --state STATE        only pending, firing or resolved\n"
     "    --severity SEVERITY  only info, warning, error or critical\n"
     "    --matcher MATCHERS   only those that match, as 'severity=~\"error|critical\"'\n"
     "    --limit N            so many at most (default 100)\n"
     "  ack ID                 no repeats and no escalation of a firing alert\n"
     "    --for TIME           so long, as 90s, 30m, 2h or 7d (default: until it is over)\n"
     "  silence MATCHER...     do not tell of alerts that all of these match, as "
     "alertname=HostDisk\n"
     "    --for TIME           so long (default 1h)\n"
     "  unsilence ID           end a silence\n"
     "  --by NAME              of ack and silence: who does it (default: this user)\n"
     "  --comment TEXT         of ack and silence: why\n" CLIENT_OPTIONS "\n"
     "  test                   say what alert rules would have said over a recording\n"
     "  --rules FILE           rules, {\"rules\": [...]}, beside those of --config\n"
     "  --input FILE           the recording: CSV with a column `timestamp` and one per series,\n"
     "                         as in /metrics, or check:NAME[:SUBJECT], or event:NAME{LABELS};\n"
     "                         a pipe will do, - is standard input\n"
     "  --config FILE          routes, inhibition, mute windows, limits and rules (default: the\n"
     "                         built-in ones)\n\n"
     "  send-test CHANNEL      send one test notification and say what became of it\n"
     "  --config FILE          where the channel is (default: as the agent)\n",
     cli_alert},
    {"status", "[--json | --check] [--config FILE] [--url URL] [--token-file FILE]",
     "summarize a running agent's health",
     "  --check                one line for a monitoring core; exit code 0 OK, 1 WARNING,\n"
     "                         2 CRITICAL, 3 UNKNOWN\n" CLIENT_OPTIONS,
     cli_status},
    {"breaker",
     "list|reset|open|close [NAME] [--json] [--config FILE] [--url URL] [--token-file FILE]",
     "list circuit breakers, and set them by hand",
     "  list                   all circuit breakers\n"
     "  reset [NAME]           make all of them, or one, as new\n"
     "  open NAME              hold back all calls until it is closed or reset\n"
     "  close NAME             let calls through again at once\n" CLIENT_OPTIONS,
     cli_breaker},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void print_help(void)
{
    size_t i;

    puts("Moonwatch, a kernel-assisted stability agent for Linux hosts\n\n"
         "usage: moonwatch COMMAND [ARGUMENTS]\n");
    for (i = 0; i < COMMAND_COUNT; i++)
        printf("  %-10s %s\n", commands[i].name, commands[i].summary);
    puts("\n  --help     this text; `moonwatch COMMAND --help` for a command\n"
         "  --version  the version\n\n"
         "exit codes: 0 done, 1 failed at run time, 2 wrong usage or configuration");
}

static void print_command_help(const struct command *command)
{
    printf("usage: moonwatch %s %s\n\n%s\n\n%s%s", command->name, command->arguments,
           command->summary, command->options, OPTION_HELP);
}

static bool asks_for_help(int argc, char **argv)
{
    int i;

    for (i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

static int main_run(int argc, char **argv, cli_run_fn *run)
{
    struct run_options run_options = {0};
    const struct cli_option options[] = {
        {"--config", .value = &run_options.config_path},
        {"--listen", .value = &run_options.listen},
        {"--dry-run", .flag = &run_options.dry_run},
    };

    if (cli_parse("run", argc, argv, options, sizeof(options) / sizeof(options[0]), 0) < 0)
        return EXIT_USAGE;
    return run(&run_options);
}

/* Output that could not be written (a full disk, a closed pipe) is a failure too. */
static int finish(int code)
{
    if (fflush(stdout) == EOF && code == EXIT_DONE) {
        cli_error("cannot write to standard output: %m");
        return EXIT_FAILED;
    }
    return code;
}

int cli_main(int argc, char **argv, cli_run_fn *run)
{
    size_t i;

    if (argc < 2) {
        cli_error("a command is missing (see moonwatch --help)");
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help();
        return finish(EXIT_DONE);
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("moonwatch " MOONWATCH_VERSION);
        return finish(EXIT_DONE);
    }
    for (i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        if (asks_for_help(argc - 2, argv + 2)) {
            print_command_help(&commands[i]);
            return finish(EXIT_DONE);
        }
        if (!commands[i].main)
            return main_run(argc - 2, argv + 2, run);
        return finish(commands[i].main(argc - 2, argv + 2));
    }
    cli_error("unknown %s %s (see moonwatch --help)", argv[1][0] == '-' ? "option" : "command",
              argv[1]);
    return EXIT_USAGE;
}
