#include "agent/agent_config.h"
#include "agent/agent_log.h"
#include "cli/commands.h"
#include "http/listen.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int apply_options(const struct run_options *options, struct config *config)
{
    char *listen;

    config->dry_run = options->dry_run;
    if (!options->listen)
        return 0;
    listen = strdup(options->listen);
    if (!listen)
        return -ENOMEM;
    free(config->server.listen);
    config->server.listen = listen;
    return 0;
}

int agent_config_read(const struct run_options *options, struct log *log, struct config **ret)
{
    const char *path = config_find(options->config_path, environ);
    struct config_errors errors = {0};
    struct listen_address address;
    int r = config_load(ret, path, environ, &errors);

    if (r == 0)
        r = cli_check_config(*ret, &errors);
    if (r < 0) {
        cli_print_config_errors(path ? path : "moonwatch", &errors);
        return EXIT_USAGE;
    }
    if (apply_options(options, *ret) < 0)
        return EXIT_FAILED;
    /* Before the programs are loaded, which takes longer than finding this out. */
    if (listen_parse((*ret)->server.listen, &address) < 0) {
        cli_error("%s %s: not an address to listen on (allowed: 127.0.0.1:8000, [::1]:8000)",
                  options->listen ? "--listen" : "server.listen", (*ret)->server.listen);
        return EXIT_USAGE;
    }
    log_set_level(log, (enum log_level)(*ret)->server.log_level);
    agent_log_config_warnings(log, path, &errors);
    return EXIT_DONE;
}

int agent_config_read_again(const struct run_options *options, struct log *log, const char *path,
                            struct config **ret, char error[RELOAD_ERROR_BYTES])
{
    struct config_errors errors = {0};
    struct config *config = NULL;
    int r = config_load(&config, path, environ, &errors);

    if (r == 0)
        r = cli_check_config(config, &errors);
    if (r < 0) {
        agent_log_config_errors(log, path, &errors);
        config_errors_say(&errors, path ? path : "moonwatch", error, RELOAD_ERROR_BYTES);
    } else {
        agent_log_config_warnings(log, path, &errors);
        r = apply_options(options, config);
        if (r < 0)
            snprintf(error, RELOAD_ERROR_BYTES, "%s", strerror(-r));
    }
    if (r < 0)
        config_destroy(config);
    else
        *ret = config;
    return r;
}
