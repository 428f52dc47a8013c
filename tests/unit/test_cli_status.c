/* The client of `moonwatch status`: addresses, responses, and the text made of them. */
#include "cli/http_client.h"
#include "cli/status_check.h"
#include "cli/summary.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_urls(void **state)
{
    static const struct {
        const char *text, *host, *port;
    } good[] = {
        {"http://127.0.0.1:8000", "127.0.0.1", "8000"},
        {"HTTP://localhost:8000/", "localhost", "8000"},
        {"http://[::1]:81", "::1", "81"},
        {"http://host", "host", "80"},
    };
    static const char *const wrong[] = {"",
                                        "127.0.0.1:8000",
                                        "https://x",
                                        "http://",
                                        "http:///",
                                        "http://:80",
                                        "http://x:y",
                                        "http://[::1",
                                        "http://x/metrics",
                                        "http://x:123456789",
                                        "http://[::1]x"};
    char error[HTTP_ERROR_BYTES];
    struct http_url url;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(http_url_parse(good[i].text, &url, error), 0);
        assert_string_equal(url.host, good[i].host);
        assert_string_equal(url.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        if (http_url_parse(wrong[i], &url, error) != -EINVAL)
            fail_msg("\"%s\" was taken for an address", wrong[i]);
}

static void test_responses(void **state)
{
    static const char *const wrong[] = {"", "HTTP/1.1 200 OK\r\n", "SSH-2.0-x\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcd",
                                        "HTTP/1.1 \r\n\r\n"};
    char whole[] = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nabcdef";
    char open_ended[] = "HTTP/1.0 200 OK\r\n\r\nabc";
    unsigned status;
    char *body;
    size_t len;

    assert_int_equal(http_parse_response(whole, strlen(whole), &status, &body, &len), 0);
    assert_int_equal(status, 503);
    assert_int_equal(len, 4);
    assert_memory_equal(body, "abcd", 4);
    assert_int_equal(http_parse_response(open_ended, strlen(open_ended), &status, &body, &len), 0);
    assert_int_equal(len, 3);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char *copy = strdup(wrong[i]);

        assert_int_equal(http_parse_response(copy, strlen(copy), &status, &body, &len), -EBADMSG);
        free(copy);
    }
}

static char *summary_of(const char *answers)
{
    cJSON *json = cJSON_Parse(answers);
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(json);
    assert_int_equal(summary_print(out, json, "127.0.0.1:1", false), 0);
    fclose(out);
    cJSON_Delete(json);
    return text;
}

static void test_summary(void **state)
{
    char *text = summary_of(
        "{\"health\":{\"status\":\"degraded\",\"version\":\"1\",\"uptime_seconds\":7200,"
        "\"components\":{\"resources\":{\"status\":\"degraded\",\"reasons\":[\"disk /var full\"]}},"
        "\"unseen\":[{\"what\":\"disks\",\"reason\":\"/data: mount it\"}],"
        "\"probes\":[{\"program\":\"p\",\"concern\":\"oom\",\"state\":\"shed\",\"reason\":\"dear\"}"
        "]},"
        "\"resources\":{\"cpu\":{\"usage_percent\":12.3,\"cores\":[{},{}],\"top\":[{\"comm\":"
        "\"evil\\u001b[2J\",\"pid\":7,\"cpu_percent\":99.5},{\"comm\":\"make\",\"pid\":8,\"cpu_"
        "percent\":1.5,"
        "\"short_children_cpu_percent\":90},{\"comm\":\"x\",\"pid\":9,\"cpu_percent\":null,"
        "\"short_children_cpu_percent\":null}]},"
        "\"memory\":{\"usage_percent\":null,\"usage_percent_reason\":\"x\"}},"
        "\"scheduler\":{\"run_queue_delay\":{\"recent\":null,\"recent_reason\":\"no probe\"}}}");
    static const char *const parts[] = {
        "degraded  moonwatch 1 at 127.0.0.1:1, up 2 h",
        "disk /var full",
        "12.3 % of 2 cores",
        "memory       unknown",
        "unknown: no probe",
        "evil?[2J (7) 99.5 %, make (8) 91.5 % with short processes of it, x (9) unknown",
        "not seen\n  disks        /data: mount it",
        "shed: dear"};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (!strstr(text, parts[i]))
            fail_msg("%s\nlacks %s", text, parts[i]);
    assert_null(strchr(text, '\033'));
    free(text);
}

static void test_summary_of_nothing(void **state)
{
    char *text = summary_of("{}");

    assert_non_null(strstr(text, "unknown"));
    assert_null(strstr(text, " 0 "));
    free(text);
}

static void check_line(const char *health, const char *resources, int code, const char *line)
{
    cJSON *h = cJSON_Parse(health), *r = resources ? cJSON_Parse(resources) : NULL;
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(h);
    assert_int_equal(status_check_print(out, h, r), code);
    fclose(out);
    assert_string_equal(text, line);
    cJSON_Delete(h);
    cJSON_Delete(r);
    free(text);
}

static void test_plugin_lines(void **state)
{
    check_line("{\"status\":\"healthy\"}",
               "{\"cpu\":{\"usage_percent\":3,\"thresholds\":{\"warning_percent\":70,"
               "\"critical_percent\":85}},\"memory\":{\"usage_percent\":null},\"disk\":["
               "{\"usage_percent\":10},{\"usage_percent\":81.26},{\"usage_percent\":null}]}",
               0, "OK - healthy | cpu=3.0%;70;85;0;100 disk=81.3%;;;0;100\n");
    check_line("{\"status\":\"degraded\",\"components\":{\"scheduler\":{\"status\":"
               "\"healthy\"},\"resources\":{\"status\":\"degraded\",\"reasons\":"
               "[\"a|b\\n\\u001b\"]}}}",
               NULL, 1, "WARNING - degraded; resources: a/b \xef\xbf\xbd\n");
    /* What is worst stands first, whatever its component. */
    check_line("{\"status\":\"unhealthy\",\"components\":{\"scheduler\":{\"status\":"
               "\"degraded\",\"reasons\":[\"slow\"]},\"resources\":{\"status\":\"unhealthy\","
               "\"reasons\":[\"1\",\"2\",\"3\",\"4\",\"5\"]}}}",
               NULL, 2,
               "CRITICAL - unhealthy; resources: 1; resources: 2; resources: 3; resources: 4; "
               "and 2 more\n");
    check_line("{\"status\":\"unknown\"}", NULL, 3, "UNKNOWN - unknown\n");
    check_line("{}", NULL, 3, "UNKNOWN - no status given\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),         cmocka_unit_test(test_responses),
        cmocka_unit_test(test_summary),      cmocka_unit_test(test_summary_of_nothing),
        cmocka_unit_test(test_plugin_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
