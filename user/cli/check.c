/* moonwatch check: validates a configuration file, or prints what the tables say about it. */
#include "base/text.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "config/config.h"
#include "config/document.h"
#include "endpoint/endpoint_doubts.h"
#include "facts/alert_check.h"
#include "facts/metrics_reference.h"
#include "http/certificate.h"
#include "http/listen.h"
#include "http/server.h"
#include "http/token.h"
#include "notify/notify.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#define DOCUMENT_BYTES_MAX (1024 * 1024)

static int print_document(void (*write)(struct text *))
{
    struct text text;
    int code = EXIT_DONE;

    text_init(&text, DOCUMENT_BYTES_MAX);
    write(&text);
    if (text.failed) {
        cli_error("out of memory");
        code = EXIT_FAILED;
    } else if (fputs(text.data, stdout) == EOF || fflush(stdout) == EOF) {
        cli_error("cannot write to standard output: %m");
        code = EXIT_FAILED;
    }
    text_free(&text);
    return code;
}

static void print_list(const char *file, const struct config_error *list, size_t count,
                       const char *kind, const char *mark)
{
    for (size_t i = 0; i < count && i < CONFIG_ERRORS_KEPT; i++)
        fprintf(stderr, "%s%s%s%s%s\n", file, list[i].pointer, *list[i].pointer ? ": " : "", mark,
                list[i].message);
    if (count > CONFIG_ERRORS_KEPT)
        fprintf(stderr, "%sand more %s, %zu in all\n", file, kind, count);
}

void cli_print_config_errors(const char *file, const struct config_errors *errors)
{
    struct text prefix;

    text_init(&prefix, SIZE_MAX / 2);
    if (file) {
        text_add_clean(&prefix, file);
        text_add(&prefix, ": ");
    }
    file = prefix.data ? prefix.data : "";
    print_list(file, errors->list, errors->count, "errors", "");
    print_list(file, errors->warnings, errors->warning_count, "warnings", "warning: ");
    text_free(&prefix);
}

int cli_check_config(const struct config *config, struct config_errors *errors)
{
    int alerts = facts_alert_check(config, errors), channels = notify_check(config, errors);

    endpoint_doubts_add(config, errors);
    return alerts < 0 ? alerts : channels;
}

/* The agent refuses them when it starts, whose --listen may say otherwise. */
static int check_server(const struct config *config, struct config_errors *errors)
{
    char error[SERVER_ERROR_BYTES];
    struct certificate certificate = {0};
    struct listen_address address;
    struct tokens *tokens = NULL;

    if (listen_parse(config->server.listen, &address) < 0)
        config_error_add(errors, "/server/listen",
                         "%.80s is not an address to listen on (allowed: 127.0.0.1:8000, "
                         "[::1]:8000)",
                         config->server.listen);
    else if (!config->auth.tokens_file && !listen_is_loopback(&address))
        config_error_add(errors, "/server/listen",
                         "%.80s is not a loopback address, and there are no tokens (allowed: "
                         "127.0.0.1, or auth.tokens_file)",
                         config->server.listen);
    if (config->auth.tokens_file && tokens_load(&tokens, config->auth.tokens_file, error) < 0)
        config_error_add(errors, "/auth/tokens_file", "%s", error);
    tokens_destroy(tokens);
    if (config->server.tls_certificate_file &&
        certificate_load(&certificate, config->server.tls_certificate_file,
                         config->server.tls_key_file, error, sizeof(error)) < 0)
        config_error_add(errors, "/server/tls_certificate_file", "%s", error);
    certificate_free(&certificate);
    return errors->count ? -EINVAL : 0;
}

int cli_check(int argc, char **argv)
{
    bool schema = false, reference = false, metrics = false;
    const struct cli_option options[] = {{"--schema", .flag = &schema},
                                         {"--reference", .flag = &reference},
                                         {"--metrics", .flag = &metrics}};
    struct config_errors errors;
    struct config *config;
    int operands = cli_parse("check", argc, argv, options, 3, 1);

    if (operands < 0)
        return EXIT_USAGE;
    if (schema + reference + metrics + operands != 1) {
        cli_error("check wants one of FILE, --schema, --reference and --metrics (see moonwatch "
                  "check --help)");
        return EXIT_USAGE;
    }
    if (schema)
        return print_document(config_schema);
    if (reference)
        return print_document(config_reference);
    if (metrics)
        return print_document(metrics_reference);
    if (!*argv[0]) {
        cli_error("check: FILE is empty (see moonwatch check --help)");
        return EXIT_USAGE;
    }
    if (config_load(&config, argv[0], environ, &errors) < 0) {
        cli_print_config_errors(argv[0], &errors);
        return EXIT_USAGE;
    }
    if (cli_check_config(config, &errors) < 0 || check_server(config, &errors) < 0) {
        cli_print_config_errors(argv[0], &errors);
        config_destroy(config);
        return EXIT_USAGE;
    }
    config_destroy(config);
    cli_print_config_errors(argv[0], &errors);
    printf("%s: ok\n", argv[0]);
    return EXIT_DONE;
}
