/* What `moonwatch check` finds in channels, and the secrets it does not show. */
#include "notify_fixture.h"

static char directory[64];

static int make(void **state)
{
    char path[96];

    make_directory(directory, NULL);
    snprintf(path, sizeof(path), "%s/good", directory);
    write_file(path, "https://hooks.example.org/T0/secret\n");
    snprintf(path, sizeof(path), "%s/empty", directory);
    write_file(path, "\n");
    snprintf(path, sizeof(path), "%s/ftp", directory);
    write_file(path, "ftp://secret.example.org\n");
    snprintf(path, sizeof(path), "%s/fifo", directory);
    assert_int_equal(mkfifo(path, 0600), 0);
    return 0;
}

static int discard(void **state)
{
    remove_directory(directory);
    return 0;
}

/* A `%` in the channel stands for the directory. */
static void check_for(const char *channel, const char *key, const char *says, bool refused)
{
    const struct config_error *found;
    struct config_errors errors = {0};
    struct config *config;
    struct text text;
    char pointer[96];
    int r;

    text_init(&text, 4096);
    for (const char *c = channel; *c; c++)
        if (*c == '%')
            text_add(&text, directory);
        else
            text_add_char(&text, *c);
    config = office_config(text.data);
    r = notify_check(config, &errors);
    found = errors.count ? errors.list : errors.warnings;
    if (!key) {
        if (r < 0 || errors.warning_count)
            fail_msg("%s: %s", found->pointer, found->message);
    } else {
        snprintf(pointer, sizeof(pointer), "/alert_manager/channels/0/%s", key);
        assert_int_equal(r, refused ? -EINVAL : 0);
        assert_int_equal(errors.count, refused);
        assert_int_equal(errors.warning_count, !refused);
        assert_string_equal(found->pointer, pointer);
        if (!strstr(found->message, says))
            fail_msg("\"%s\" does not say \"%s\"", found->message, says);
        assert_null(strstr(found->message, "secret."));
    }
    config_destroy(config);
    text_free(&text);
}

/* What runs all the same, since it may be mended without a reload. */
static void check(const char *channel, const char *key, const char *says)
{
    check_for(channel, key, says, false);
}

#define WEBHOOK "{\"name\":\"c\",\"type\":\"webhook\",\"url\":"
#define SLACK "{\"name\":\"c\",\"type\":\"slack\",\"url_file\":\"%/good\""
#define MAIL                                                                                       \
    "{\"name\":\"c\",\"type\":\"email\",\"smtp\":\"h:25\",\"from\":\"a@b\",\"to\":\"c@d\","        \
    "\"username\":\"u\",\"password_file\":"

static void files_that_are_missing_are_found(void **state)
{
    check(SLACK "}", NULL, NULL);
    check("{\"name\":\"c\",\"type\":\"slack\",\"url_file\":\"%/none\"}", "url_file",
          "No such file");
    check("{\"name\":\"c\",\"type\":\"discord\",\"url_file\":\"%/empty\"}", "url_file", "is empty");
    check("{\"name\":\"c\",\"type\":\"slack\",\"url_file\":\"%/ftp\"}", "url_file",
          "does not hold an HTTP URL");
    check(MAIL "\"%/none\"}", "password_file", "No such file");
    check(MAIL "\"%/good\",\"ca_file\":\"%/none\"}", "ca_file", "No such file");
    check("{\"name\":\"c\",\"type\":\"webhook\",\"url\":\"http://h\",\"secret_file\":\"%\"}",
          "secret_file", "Is a directory");
    /* Reading would wait for whoever writes. */
    check("{\"name\":\"c\",\"type\":\"discord\",\"url_file\":\"%/fifo\"}", "url_file",
          "not a regular file");
    check(MAIL "\"%/good\",\"ca_file\":\"%/fifo\"}", "ca_file", "not a regular file");
    check(MAIL "\"%/fifo\"}", "password_file", "not a regular file");
}

static void receivers_of_another_type_are_found(void **state)
{
    check(WEBHOOK "\"https://hooks.slack.com/services/T0/B0/x\"}", "url", "the type slack");
    check(WEBHOOK "\"https://discord.com/api/webhooks/1/x\"}", "url", "the type discord");
    check(WEBHOOK "\"http://am:9093/api/v2/alerts\"}", "url", "the type alertmanager");
    check(WEBHOOK "\"https://hooks.example.org/api/v2/alerts/7\"}", NULL, NULL);
    check(WEBHOOK "\"https://hooks.example.org/https://discord.com/\"}", NULL, NULL);
}

static void templates_that_make_no_sense_are_found(void **state)
{
    check(SLACK ",\"template\":\"{{ $labels.any }} {{$summary}} {{ $value }} {{ $reason }}\"}",
          NULL, NULL);
    check_for(SLACK ",\"template\":\"{{ .Labels.x }}\"}", "template", "column 1: not a place",
              true);
    check_for(SLACK ",\"template\":\"x {{ $labels. }}\"}", "template", "$summary", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_are_missing_are_found),
        cmocka_unit_test(receivers_of_another_type_are_found),
        cmocka_unit_test(templates_that_make_no_sense_are_found),
    };

    return cmocka_run_group_tests(tests, make, discard);
}
