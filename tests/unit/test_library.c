/* Libraries that are opened when needed: what is missing is named, with the package that has it. */
#include "endpoint/hiredis_api.h"
#include "endpoint/pq_api.h"
#include "transfer/cares_api.h"
#include "transfer/curl_api.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void a_missing_library_is_named_with_its_package(void **state)
{
    char error[LIBRARY_ERROR_BYTES];
    struct library library = {.soname = "libnothing.so.7", .package = "libnothing7"};

    assert_int_equal(library_open(&library, error), -ELIBACC);
    assert_string_equal(error,
                        "cannot load libnothing.so.7 (install the Debian package libnothing7)");
    assert_null(library.handle);
}

static void a_missing_function_is_named(void **state)
{
    static const char *const functions[] = {"ares_version", "ares_nothing"};
    void *api[2] = {NULL, NULL};
    char error[LIBRARY_ERROR_BYTES];
    struct library library = {.soname = "libcares.so.2",
                              .package = "libc-ares2",
                              .functions = functions,
                              .count = 2,
                              .api = api};

    assert_int_equal(library_open(&library, error), -ELIBACC);
    assert_non_null(strstr(error, "has no ares_nothing (install a newer version"));
    assert_null(library.handle);
    library.count = 1;
    assert_int_equal(library_open(&library, error), 0);
    assert_int_equal(library_open(&library, error), 0);
    assert_non_null(api[0]);
}

static void each_library_has_all_that_is_used(void **state)
{
    char error[LIBRARY_ERROR_BYTES] = "";

    assert_true(curl_api(error) && curl_api(error) == curl_api(error));
    assert_true(pq_api(error) && pq_api(error)->PQconnectPoll);
    assert_true(hiredis_api(error) && hiredis_api(error)->redisAsyncFree);
    assert_true(cares_api(error) && cares_api(error)->ares_getaddrinfo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_library_is_named_with_its_package),
        cmocka_unit_test(a_missing_function_is_named),
        cmocka_unit_test(each_library_has_all_that_is_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
