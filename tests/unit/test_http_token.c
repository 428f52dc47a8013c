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
    enum role role;

    write_tokens("# who may do what\n\nviewer \t " SECRET_SHA256 "  grafana of the team\r\n");
    assert_int_equal(tokens_load(&tokens, path, error), 0);
    assert_true(tokens_find(tokens, &secret, &role));
    assert_int_equal(role, ROLE_VIEWER);
    assert_false(tokens_find(tokens, &other, &role));
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
    write_tokens("viewer " SECRET_SHA256 " x\n");
    assert_int_equal(chmod(path, 0602), 0);
    assert_int_equal(tokens_load(&tokens, path, error), -EPERM);
    assert_non_null(strstr(error, "chmod"));
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

static void test_hosts(void **state)
{
    static const char *const local[] = {"localhost",     "LocalHost:1", "127.0.0.1",
                                        "10.1.2.3:8000", "[::1]",       "[fe80::1]:8000"};
    static const char *const foreign[] = {"",
                                          "evil.example",
                                          "localhost.evil",
                                          "127.0.0.1.evil.example:80",
                                          "[evil]:80",
                                          "[::1",
                                          "::1",
                                          "127.0.0.1@evil.example",
                                          "localhost ",
                                          "0x7f000001"};

    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
        assert_true(auth_host_is_local(local[i]));
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        assert_false(auth_host_is_local(foreign[i]));
}

static void test_callers_without_tokens(void **state)
{
    struct auth auth = {.has_local = true, .local = hash_of("secret")};
    struct caller caller = auth_caller(&auth, NULL, "127.0.0.1:8000");

    assert_int_equal(caller.role, ROLE_VIEWER);
    assert_false(caller.bad_token);
    assert_int_equal(auth_caller(&auth, NULL, NULL).role, ROLE_VIEWER);
    caller = auth_caller(&auth, NULL, "evil.example");
    assert_int_equal(caller.role, ROLE_PUBLIC);
    assert_true(caller.foreign_host);
    assert_int_equal(auth_caller(&auth, "Bearer secret", NULL).role, ROLE_ADMIN);
    assert_int_equal(auth_caller(&auth, "bearer  secret", NULL).role, ROLE_ADMIN);
    caller = auth_caller(&auth, "Bearer wrong", NULL);
    assert_int_equal(caller.role, ROLE_VIEWER);
    assert_true(caller.bad_token);
    assert_true(auth_caller(&auth, "Basic secret", NULL).bad_token);
    assert_true(auth_caller(&auth, "Bearer ", NULL).bad_token);
    auth.has_local = false;
    assert_int_equal(auth_caller(&auth, "Bearer secret", NULL).role, ROLE_VIEWER);
}

static void test_callers_with_tokens(void **state)
{
    char error[TOKEN_ERROR_BYTES], huge[TOKEN_MAX + 32] = "Bearer ";
    struct auth auth = {0};

    write_tokens("viewer " SECRET_SHA256 " x\n");
    assert_int_equal(tokens_load(&auth.tokens, path, error), 0);
    assert_int_equal(auth_caller(&auth, NULL, "127.0.0.1").role, ROLE_PUBLIC);
    assert_int_equal(auth_caller(&auth, "Bearer secret", "any.example").role, ROLE_VIEWER);
    assert_int_equal(auth_caller(&auth, "Bearer wrong", NULL).role, ROLE_PUBLIC);
    memset(huge + 7, 'a', TOKEN_MAX + 8);
    assert_true(auth_caller(&auth, huge, NULL).bad_token);
    tokens_destroy(auth.tokens);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_local_token),
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_callers_without_tokens),
        cmocka_unit_test(test_callers_with_tokens),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
