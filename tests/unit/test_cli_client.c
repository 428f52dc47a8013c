/* Which agent a command asks, and with whose token. */
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/commands.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/moonwatch-client-XXXXXX";
static char config[64], token[64];

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    if (!mkdtemp(directory))
        return -1;
    snprintf(config, sizeof(config), "%s/config.json", directory);
    snprintf(token, sizeof(token), "%s/admin.token", directory);
    write_file(token, "own-token\n");
    return setenv("RUNTIME_DIRECTORY", directory, 1) || setenv("MOONWATCH_CONFIG", config, 1);
}

static int clean_up(void **state)
{
    unlink(config);
    unlink(token);
    return rmdir(directory);
}

static void assert_asked(const struct client_options *options, const char *authority,
                         const char *with)
{
    struct client_agent agent = {0};
    char error[HTTP_ERROR_BYTES];

    assert_int_equal(client_find_agent(options, &agent, error), EXIT_DONE);
    assert_string_equal(agent.url.authority, authority);
    if (with)
        assert_string_equal(agent.token ? agent.token : "none", with);
    else
        assert_null(agent.token);
    client_release_agent(&agent);
}

static void listens(const char *listen)
{
    char text[128];

    snprintf(text, sizeof(text), "{\"server\": {\"listen\": \"%s\"}}", listen);
    write_file(config, text);
}

static void where_the_configuration_says(void **state)
{
    static const struct {
        const char *listen, *authority;
    } cases[] = {
        {"127.0.0.1:9123", "127.0.0.1:9123"}, {"[::1]:9123", "[::1]:9123"},
        {"0.0.0.0:9123", "127.0.0.1:9123"},   {"[::]:9123", "[::1]:9123"},
        {"localhost:9123", "localhost:9123"}, {"192.0.2.1:9123", "192.0.2.1:9123"},
    };
    const struct client_options named = {.config = config};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        listens(cases[i].listen);
        assert_asked(&(struct client_options){0}, cases[i].authority, "own-token");
        setenv("MOONWATCH_CONFIG", "/nowhere", 1);
        assert_asked(&named, cases[i].authority, "own-token");
        assert_asked(&(struct client_options){0}, "127.0.0.1:8000", "own-token");
        setenv("MOONWATCH_CONFIG", config, 1);
    }
}

/* Whoever asks for a report is not kept from it by a mistake in the new file. */
static void a_file_that_is_wrong(void **state)
{
    const struct client_options named = {.config = config};
    struct client_agent agent = {0};
    char error[HTTP_ERROR_BYTES];

    write_file(config, "{\"server\": {\"lisen\": 1}}");
    assert_asked(&(struct client_options){0}, "127.0.0.1:8000", "own-token");
    assert_int_equal(client_find_agent(&named, &agent, error), EXIT_USAGE);
    assert_non_null(strstr(error, "/server/lisen"));
    listens("127.0.0.1:0");
    assert_int_equal(client_find_agent(&(struct client_options){0}, &agent, error), EXIT_FAILED);
    assert_non_null(strstr(error, "--url"));
    assert_asked(&(struct client_options){.url = "http://[::1]:7"}, "[::1]:7", "own-token");
    write_file(config,
               "{\"server\": {\"tls_certificate_file\": \"/c\", \"tls_key_file\": \"/k\"}}");
    assert_int_equal(client_find_agent(&(struct client_options){0}, &agent, error), EXIT_FAILED);
    assert_non_null(strstr(error, "--url"));
    assert_null(agent.token);
}

static void whose_token(void **state)
{
    char other[64];
    struct client_options elsewhere = {.url = "http://192.0.2.1:8000"};

    listens("127.0.0.1:9123");
    snprintf(other, sizeof(other), "%s/other.token", directory);
    write_file(other, "other-token\n");
    /* An administrator here is none there, and the token is nobody else's business. */
    assert_asked(&elsewhere, "192.0.2.1:8000", NULL);
    assert_asked(&(struct client_options){.url = "http://127.evil.example:80"},
                 "127.evil.example:80", NULL);
    assert_asked(&(struct client_options){.url = "http://127.0.0.1:8000"}, "127.0.0.1:8000",
                 "own-token");
    elsewhere.token_file = other;
    assert_asked(&elsewhere, "192.0.2.1:8000", "other-token");
    assert_asked(&(struct client_options){.token_file = other}, "127.0.0.1:9123", "other-token");
    unlink(other);
    unlink(token);
    assert_asked(&(struct client_options){0}, "127.0.0.1:9123", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_the_configuration_says),
        cmocka_unit_test(a_file_that_is_wrong),
        cmocka_unit_test(whose_token),
    };

    return cmocka_run_group_tests(tests, set_up, clean_up);
}
