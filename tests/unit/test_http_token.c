/* Token files, the local token, and what a request makes of its caller. */
#include "base/file.h"
#include "http/auth.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* printf %s secret | sha256sum */
#define SECRET_SHA256 "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

#define NOTHING_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static char directory[] = "/tmp/moonwatch-token-XXXXXX";
static char path[64];

static int make_directory(void **state)
{
    if (!mkdtemp(directory))
        return -1;
    snprintf(path, sizeof(path), "%s/tokens", directory);
    return 0;
}

static int remove_directory(void **state)
{
    unlink(path);
    return rmdir(directory);
}

static void write_tokens(const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static struct token_hash hash_of(const char *token)
{
    struct token_hash hash;

    assert_int_equal(token_hash_of(token, strlen(token), &hash), 0);
    return hash;
}

static void test_file(void **state)
{
    char error[TOKEN_ERROR_BYTES];
    struct tokens *tokens;
    struct token_hash secret = hash_of("secret"), other = hash_of("secreT");
    const struct token_owner *owner;

    write_tokens("# who may do what\n\nviewer \t " SECRET_SHA256 "  grafana of the team\r\n");
    assert_int_equal(tokens_load(&tokens, path, error), 0);
    owner = tokens_find(tokens, &secret);
    assert_non_null(owner);
    assert_int_equal(owner->role, ROLE_VIEWER);
    assert_string_equal(owner->name, "grafana of the team");
    assert_null(tokens_find(tokens, &other));
    tokens_destroy(tokens);
}

static void test_bad_files(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "holds no token"},
        {"# nothing\n\n", "holds no token"},
        {"root " SECRET_SHA256 " x\n", ":1: the role is unknown"},
        {"viewer\n", ":1: the second field"},
        {"\nviewer abc x\n", ":2: the second field"},
        {"viewer " SECRET_SHA256 "0 x\n", ":1: the second field"},
        {"viewer g" SECRET_SHA256 " x\n", ":1: the second field"},
        {"viewer " SECRET_SHA256 "\n", ":1: the name is missing"},
        {"viewer " SECRET_SHA256 " \n", ":1: the name is missing"},
        {"viewer " NOTHING_SHA256 " x\n", ":1: that is the SHA-256 of nothing"},
    };
    struct tokens *tokens = NULL;
    char error[TOKEN_ERROR_BYTES];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_tokens(cases[i].text);
        assert_int_equal(tokens_load(&tokens, path, error), -EINVAL);
        assert_null(tokens);
        assert_non_null(strstr(error, path));
        if (!strstr(error, cases[i].error))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].text, error, cases[i].error);
    }
    unlink(path);
    assert_int_equal(tokens_load(&tokens, path, error), -ENOENT);
    assert_non_null(strstr(error, "No such file"));
}

/* What comes after would be missed, as if it had been taken away. */
static void test_a_file_holds_no_nul(void **state)
{
    static const char text[] = "viewer " SECRET_SHA256 " x\n\0\nadmin " SECRET_SHA256 " y\n";
    struct tokens *tokens = NULL;
    char error[TOKEN_ERROR_BYTES];
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(text, sizeof(text) - 1, 1, file), 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(tokens_load(&tokens, path, error), -EINVAL);
    assert_null(tokens);
    assert_non_null(strstr(error, path));
    assert_non_null(strstr(error, ":2: the line holds a NUL byte"));
}

static void assert_refused(const char *file, const char *why)
{
    struct tokens *tokens = NULL;
    char error[TOKEN_ERROR_BYTES];

    assert_int_equal(tokens_load(&tokens, file, error), -EPERM);
    assert_null(tokens);
    if (!strstr(error, why))
        fail_msg("\"%s\" lacks \"%s\"", error, why);
    assert_null(strchr(error, '\n'));
}

/* Whoever else can change or replace the file is admin. */
static void test_files_of_others(void **state)
{
    char fifo[96], error[TOKEN_ERROR_BYTES];
    struct tokens *tokens;

    write_tokens("viewer " SECRET_SHA256 " x\n");
    assert_int_equal(chmod(path, 0602), 0);
    assert_refused(path, "anybody may write to it (chmod o-w)");
    assert_int_equal(chmod(path, 0620), 0);
    assert_refused(path, "its group may write to it (chmod g-w)");
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(chmod(directory, 0777), 0);
    assert_refused(path, "anybody may write to it");
    assert_int_equal(chmod(directory, 0770), 0);
    assert_refused(path, "its group may write to it");
    assert_int_equal(chmod(directory, 01777), 0);
    assert_int_equal(tokens_load(&tokens, path, error), 0);
    tokens_destroy(tokens);
    assert_int_equal(chmod(directory, 0700), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(path, 1, 0), 0);
        assert_refused(path, "belongs to another user");
        assert_int_equal(chown(path, 0, 0), 0);
        assert_int_equal(chown(directory, 1, 0), 0);
        assert_refused(path, "belongs to another user");
        assert_int_equal(chown(directory, 0, 0), 0);
    }
    snprintf(fifo, sizeof(fifo), "%s/fifo", directory);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_refused(fifo, "not a regular file");
    unlink(fifo);
    assert_refused(directory, "not a regular file");
    assert_int_equal(tokens_load(&tokens, path, error), 0);
    tokens_destroy(tokens);
}

/* As Kubernetes mounts a secret: tokens -> ..data/tokens, ..data -> a directory of its own. */
static void test_links(void **state)
{
    char own[96], data[96], below[128], link[96], error[TOKEN_ERROR_BYTES];
    struct tokens *tokens;

    write_tokens("viewer " SECRET_SHA256 " x\n");
    snprintf(own, sizeof(own), "%s/own", directory);
    snprintf(data, sizeof(data), "%s/..data", directory);
    snprintf(below, sizeof(below), "%s/tokens", own);
    snprintf(link, sizeof(link), "%s/link", directory);
    assert_int_equal(mkdir(own, 0700), 0);
    assert_int_equal(rename(path, below), 0);
    assert_int_equal(symlink("own", data), 0);
    assert_int_equal(symlink("..data/tokens", link), 0);
    assert_int_equal(tokens_load(&tokens, link, error), 0);
    tokens_destroy(tokens);
    assert_int_equal(chmod(own, 0777), 0);
    assert_refused(link, "anybody may write to it");
    assert_int_equal(chmod(own, 0700), 0);
    assert_int_equal(chmod(directory, 0777), 0);
    assert_refused(link, "anybody may write to it");
    assert_int_equal(chmod(directory, 0700), 0);
    assert_int_equal(chmod(below, 0602), 0);
    assert_refused(link, "anybody may write to it");
    unlink(below);
    assert_int_equal(tokens_load(&tokens, link, error), -ENOENT);
    unlink(link);
    unlink(data);
    rmdir(own);
}

/* The link's own directory counts when what it leads to is safe. */
static void test_links_of_others(void **state)
{
    char link[96];

    write_tokens("viewer " SECRET_SHA256 " x\n");
    snprintf(link, sizeof(link), "%s/open", directory);
    assert_int_equal(mkdir(link, 0700), 0);
    assert_int_equal(chmod(link, 0777), 0);
    snprintf(link, sizeof(link), "%s/open/link", directory);
    assert_int_equal(symlink(path, link), 0);
    assert_refused(link, "anybody may write to it");
    unlink(link);
    snprintf(link, sizeof(link), "%s/open", directory);
    rmdir(link);
}

static void test_local_token(void **state)
{
    char error[TOKEN_ERROR_BYTES], run[64], file[96];
    struct token_hash first, second, read;
    char *token;
    size_t len;
    struct stat st;

    snprintf(run, sizeof(run), "%s/run/deeper", directory);
    snprintf(file, sizeof(file), "%s/admin.token", run);
    assert_int_equal(token_write_local(run, &first, error), 0);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(file_read_all(NULL, file, 4096, &token, &len), 0);
    assert_int_equal(len, 65);
    assert_int_equal(token_hash_of(token, 64, &read), 0);
    assert_true(token_hash_equal(&first, &read));
    free(token);
    /* What a killed agent left is replaced by a new one. */
    assert_int_equal(token_write_local(run, &second, error), 0);
    assert_false(token_hash_equal(&first, &second));
    token_remove_local(run);
    assert_int_equal(stat(file, &st), -1);
    assert_int_equal(rmdir(run), 0);
    snprintf(run, sizeof(run), "%s/run", directory);
    assert_int_equal(rmdir(run), 0);
    assert_true(token_write_local("/proc/none", &first, error) < 0);
    assert_non_null(strstr(error, "/proc/none/admin.token"));
}

static struct caller caller_of(const struct auth *auth, const char *authorization, const char *host)
{
    return auth_caller(auth, &(struct auth_headers){.authorization = authorization, .host = host});
}

static void test_hosts(void **state)
{
    char machine[] = "db7.example.org", *allowed[] = {"mon.example.com"};
    struct auth_hosts hosts = {.machine = machine};
    static const char *const local[] = {"localhost",
                                        "LocalHost:1",
                                        "127.0.0.1",
                                        "10.1.2.3:8000",
                                        "[::1]",
                                        "[fe80::1]:8000",
                                        "db7",
                                        "DB7.example.org:8000",
                                        "localhost:",
                                        "[::1]:65535",
                                        "mon.example.com:443"};
    static const char *const foreign[] = {"",
                                          "evil.example",
                                          "localhost.evil",
                                          "127.0.0.1.evil.example:80",
                                          "[evil]:80",
                                          "[::1",
                                          "::1",
                                          "127.0.0.1@evil.example",
                                          "localhost ",
                                          "db7.example.com",
                                          "db",
                                          "mon.example.co",
                                          "[::1",
                                          "[127.0.0.1]",
                                          "0x7f000001",
                                          "localhost:80/evil",
                                          "127.0.0.1:80, evil.example",
                                          "localhost:80@evil.example",
                                          "localhost:123456",
                                          "[::1]evil",
                                          "[::1]:x",
                                          "mon.example.com:443.evil"};

    assert_int_equal(auth_hosts_set(&hosts, allowed, 1), 0);
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
        assert_true(auth_host_is_ours(&hosts, local[i]));
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        assert_false(auth_host_is_ours(&hosts, foreign[i]));
    hosts.machine = NULL;
    assert_int_equal(auth_hosts_set(&hosts, NULL, 0), 0);
    assert_false(auth_host_is_ours(&hosts, "mon.example.com"));
    assert_false(auth_host_is_ours(&hosts, "db7"));
    auth_hosts_free(&hosts);
}

static void test_callers_without_tokens(void **state)
{
    struct auth auth = {.has_local = true, .local = hash_of("secret")};
    struct caller caller = caller_of(&auth, NULL, "127.0.0.1:8000");

    assert_int_equal(caller.role, ROLE_VIEWER);
    assert_false(caller.bad_token);
    assert_int_equal(caller_of(&auth, NULL, NULL).role, ROLE_VIEWER);
    caller = caller_of(&auth, NULL, "evil.example");
    assert_int_equal(caller.role, ROLE_PUBLIC);
    assert_true(caller.foreign_host);
    assert_int_equal(caller_of(&auth, "Bearer secret", NULL).role, ROLE_ADMIN);
    assert_int_equal(caller_of(&auth, "bearer  secret", NULL).role, ROLE_ADMIN);
    caller = caller_of(&auth, "Bearer wrong", NULL);
    assert_int_equal(caller.role, ROLE_VIEWER);
    assert_true(caller.bad_token);
    assert_true(caller_of(&auth, "Basic secret", NULL).bad_token);
    assert_true(caller_of(&auth, "Bearer ", NULL).bad_token);
    auth.has_local = false;
    assert_int_equal(caller_of(&auth, "Bearer secret", NULL).role, ROLE_VIEWER);
}

static void test_callers_with_tokens(void **state)
{
    char error[TOKEN_ERROR_BYTES], huge[TOKEN_MAX + 32] = "Bearer ";
    struct auth auth = {0};

    write_tokens("viewer " SECRET_SHA256 " x\n");
    assert_int_equal(tokens_load(&auth.tokens, path, error), 0);
    assert_int_equal(caller_of(&auth, NULL, "127.0.0.1").role, ROLE_PUBLIC);
    assert_int_equal(caller_of(&auth, "Bearer secret", "any.example").role, ROLE_VIEWER);
    assert_int_equal(caller_of(&auth, "Bearer wrong", NULL).role, ROLE_PUBLIC);
    memset(huge + 7, 'a', TOKEN_MAX + 8);
    assert_true(caller_of(&auth, huge, NULL).bad_token);
    tokens_destroy(auth.tokens);
}

/* Pages of other sites that a browser shows; what is asked without a browser has no such headers.
 */
static void test_other_sites(void **state)
{
    static const struct {
        struct auth_headers headers;
        bool other;
    } cases[] = {
        {{.host = "127.0.0.1:8000"}, false},
        {{.host = "127.0.0.1:8000", .origin = "http://127.0.0.1:8000"}, false},
        {{.host = "Mon:8000", .origin = "https://mon:8000"}, false},
        {{.host = "127.0.0.1:8000", .origin = "https://mon.example.com"}, false},
        {{.host = "127.0.0.1:8000", .origin = "https://mon.example.com:8443"}, false},
        {{.host = "127.0.0.1:8000", .origin = "http://127.0.0.1:3000"}, true},
        {{.host = "127.0.0.1:8000", .origin = "http://evil.example"}, true},
        {{.host = "127.0.0.1:8000", .origin = "https://mon.example.com.evil"}, true},
        {{.host = "127.0.0.1:8000", .origin = "null"}, true},
        {{.origin = "http://127.0.0.1:8000"}, true},
        {{.fetch_site = "same-origin", .fetch_mode = "cors", .fetch_dest = "empty"}, false},
        {{.fetch_site = "none", .fetch_mode = "navigate", .fetch_dest = "document"}, false},
        {{.fetch_site = "cross-site", .fetch_mode = "no-cors", .fetch_dest = "image"}, true},
        {{.fetch_site = "cross-site", .fetch_mode = "navigate", .fetch_dest = "iframe"}, true},
        {{.fetch_site = "cross-site", .fetch_mode = "navigate", .fetch_dest = "document"}, false},
        {{.fetch_site = "cross-site"}, true},
    };
    char *allowed[] = {"mon.example.com"}, mon[] = "mon";
    struct auth auth = {.hosts = {.machine = mon}};

    assert_int_equal(auth_hosts_set(&auth.hosts, allowed, 1), 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct caller caller = auth_caller(&auth, &cases[i].headers);

        if (caller.cross_site != cases[i].other)
            fail_msg("case %zu", i);
        assert_int_equal(caller.role, cases[i].other ? ROLE_PUBLIC : ROLE_VIEWER);
    }
    auth.hosts.machine = NULL;
    auth_hosts_free(&auth.hosts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_a_file_holds_no_nul),
        cmocka_unit_test(test_files_of_others),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_links_of_others),
        cmocka_unit_test(test_local_token),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_callers_without_tokens),
        cmocka_unit_test(test_callers_with_tokens),
        cmocka_unit_test(test_other_sites),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
