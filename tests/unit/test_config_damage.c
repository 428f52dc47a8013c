/* Files that were cut off or damaged: an error or a valid configuration, never a crash. */
#include "base/file.h"
#include "config_text.h"
#include "paths.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define DEFAULT_FILE TEST_CONFIG_DIRECTORY "/monitoring.json"
#define FLIPS 20000

/* Everything that has structure, so that damage reaches every kind of key. */
static const char structured[] =
    "{\"alert_manager\":{\"rules\":[{\"name\":\"r\",\"metric\":\"m\",\"above\":3,\"labels\":{\"a\":"
    "\"b\"}}],\"channels\":[{\"name\":\"mail\",\"type\":\"email\",\"smtp\":\"h:25\",\"from\":\"a@"
    "x\","
    "\"to\":[\"b@x\",\"c@x\"]}],\"routes\":[{\"channels\":[\"mail\"],\"match\":{\"x\":\"y\"}}],"
    "\"mute_windows\":[{\"name\":\"n\",\"days\":[\"sat\"],\"start\":\"22:00\",\"end\":\"06:00\"}]},"
    "\"services\":[{\"name\":\"w\",\"kind\":\"http\",\"match\":{\"port\":80},\"check\":{\"type\":"
    "\"http\",\"url\":\"https://h\",\"expect\":{\"status\":200,\"json\":{\"/"
    "a\":[1]},\"body\":\"b\"},"
    "\"token_file\":\"/t\"},\"healing\":{\"actions\":[\"restart\"]}}],"
    "\"upstreams\":[{\"name\":\"d\",\"address\":[\"10.0.0.0/8:1\",\"[::1]:2\"],\"breaker\":{"
    "\"window\":10},\"fallback\":{\"strategy\":\"alternative\",\"endpoints\":\"h:1\"}}],"
    "\"tuning\":{\"parameters\":[{\"name\":\"p\",\"minimum\":1,\"maximum\":9}]}}";

/* Loads and judges: success with a configuration, or errors on one line each. */
static bool survives(const char *bytes, size_t n)
{
    struct config_errors errors;
    struct config *config = NULL;
    int err = load_bytes(&config, bytes, n, NULL, &errors);
    size_t i;

    if (!err) {
        assert_non_null(config);
        assert_int_equal(errors.count, 0);
        config_destroy(config);
        return true;
    }
    assert_null(config);
    assert_true(errors.count > 0);
    for (i = 0; i < errors.count && i < CONFIG_ERRORS_KEPT; i++) {
        assert_true(*errors.list[i].message);
        assert_null(strpbrk(errors.list[i].message, "\n\r\x1b"));
        assert_null(strpbrk(errors.list[i].pointer, "\n\r\x1b"));
    }
    return false;
}

static void every_prefix_is_an_error(void **state)
{
    char *content;
    size_t len, whole, n;

    assert_int_equal(file_read_all(NULL, DEFAULT_FILE, 1 << 20, &content, &len), 0);
    for (whole = len; isspace((unsigned char)content[whole - 1]); whole--)
        ;
    for (n = 0; n < whole; n++)
        assert_false(survives(content, n));
    assert_true(survives(content, whole));
    free(content);
    for (n = 0; n < sizeof(structured) - 1; n++)
        assert_false(survives(structured, n));
    assert_true(survives(structured, sizeof(structured) - 1));
}

/* xorshift64: the same damage in every run. */
static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void random_damage_never_crashes(void **state)
{
    static const char marks[] = "{}[]\",:0123456789-+.eE\\/ntu \n";
    char bytes[sizeof(structured)];
    uint64_t seed = 88172645463325252ULL, r;
    size_t i, flips, n = sizeof(structured) - 1, accepted = 0;

    for (i = 0; i < FLIPS; i++) {
        memcpy(bytes, structured, n);
        for (flips = 1 + next_random(&seed) % 3; flips; flips--) {
            r = next_random(&seed);
            /* Half of it arbitrary, half such that it stays near JSON. */
            bytes[r % n] = r >> 63 ? marks[(r >> 32) % (sizeof(marks) - 1)] : (char)(r >> 40);
        }
        accepted += survives(bytes, n);
    }
    /* Some damage only changes a name or a number. */
    assert_in_range(accepted, 1, FLIPS - 1);
}

static void repeated_and_removed_pieces_never_crash(void **state)
{
    char bytes[2 * sizeof(structured)];
    uint64_t seed = 1234567, r;
    size_t i, n = sizeof(structured) - 1, from, length, at;

    for (i = 0; i < FLIPS / 4; i++) {
        r = next_random(&seed);
        from = r % n;
        length = (r >> 20) % (n - from);
        at = (r >> 40) % n;
        memcpy(bytes, structured, at);
        memcpy(bytes + at, structured + from, length);
        memcpy(bytes + at + length, structured + at, n - at);
        survives(bytes, n + length);
        memcpy(bytes, structured, from);
        memcpy(bytes + from, structured + from + length, n - from - length);
        survives(bytes, n - length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prefix_is_an_error),
        cmocka_unit_test(random_damage_never_crashes),
        cmocka_unit_test(repeated_and_removed_pieces_never_crash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
