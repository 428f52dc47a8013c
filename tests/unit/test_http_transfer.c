/* The transfer engine against peers that misbehave, and against nginx and an SMTP server. */
#include "peer.h"
#include "program.h"
#include "transfer/http.h"
#include <dirent.h>
#include <sys/resource.h>
#include <time.h>

#define TIMEOUT_NS (120 * NS_PER_SECOND)

struct scene {
    struct loop *loop;
    struct http *http;
    unsigned ended, expected;
    unsigned by_class[OUTCOME_CLASSES];
    struct http_result last;
    char body[4096], reason[512], content_type[64];
};

static void begin(struct scene *s)
{
    *s = (struct scene){0};
    assert_int_equal(loop_create(&s->loop, clock_system()), 0);
    assert_int_equal(http_create(&s->http, s->loop, clock_system()), 0);
}

static void end(struct scene *s)
{
    http_destroy(s->http);
    loop_destroy(s->loop);
}

static void on_done(void *ctx, const struct http_result *result)
{
    struct scene *s = ctx;

    s->last = *result;
    s->by_class[result->outcome.class]++;
    snprintf(s->body, sizeof(s->body), "%s", result->body);
    snprintf(s->reason, sizeof(s->reason), "%s", result->reason);
    snprintf(s->content_type, sizeof(s->content_type), "%s", result->content_type);
    if (++s->ended == s->expected)
        loop_stop(s->loop);
}

static void start(struct scene *s, const struct http_request *request)
{
    struct http_request filled = *request;
    char error[HTTP_ERROR_BYTES] = "";

    if (!filled.timeout_ns)
        filled.timeout_ns = TIMEOUT_NS;
    if (!filled.response_bytes_max)
        filled.response_bytes_max = 2048;
    if (http_start(s->http, NULL, &filled, on_done, s, error) < 0)
        fail_msg("%s: %s", filled.url, error);
    s->expected++;
}

static void ask(struct scene *s, const struct http_request *request)
{
    start(s, request);
    assert_int_equal(loop_run(s->loop), 0);
    assert_int_equal(s->ended, s->expected);
}

#define ASK(s, ...) ask((s), &(struct http_request){__VA_ARGS__})

static void an_answer_is_passed_on_whole(void **state)
{
    static const char *const headers[] = {"X-Trace: 7", "Content-Type: application/json"};
    struct scene s;
    struct peer *peer;
    struct http_view view;

    begin(&s);
    http_view(s.http, &view);
    peer =
        peer_start(s.loop, PEER_ANSWERS,
                   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
    ASK(&s, .url = peer->url, .method = "POST", .headers = headers, .header_count = 2,
        .body = "{\"a\":1}", .body_bytes = 7, .bearer_token = "secret");
    assert_int_equal(s.last.outcome.class, OUTCOME_OK);
    assert_int_equal(s.last.status, 200);
    assert_string_equal(s.body, "hello");
    assert_string_equal(s.content_type, "text/plain");
    assert_string_equal(s.reason, "");
    assert_false(s.last.body_cut);
    assert_int_equal(s.last.certificate_days, HTTP_CERTIFICATE_DAYS_UNKNOWN);
    assert_true(s.last.connected_ns > 0 && s.last.connected_ns <= s.last.first_byte_ns &&
                s.last.first_byte_ns <= s.last.total_ns);
    assert_non_null(strstr(peer->request, "POST / HTTP/1.1\r\n"));
    assert_non_null(strstr(peer->request, "X-Trace: 7\r\n"));
    assert_non_null(strstr(peer->request, "Authorization: Bearer secret\r\n"));
    http_view(s.http, &view);
    assert_true(view.loaded);
    assert_int_equal(view.in_flight, 0);
    assert_int_equal(view.started_total, 1);
    assert_int_equal(view.ended_total[OUTCOME_OK], 1);
    peer_stop(peer);
    end(&s);
}

static void redirects_are_not_followed(void **state)
{
    struct scene s;
    struct peer *peer;

    begin(&s);
    peer = peer_start(
        s.loop, PEER_ANSWERS,
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
    ASK(&s, .url = peer->url);
    assert_int_equal(s.last.status, 302);
    assert_int_equal(s.last.outcome.class, OUTCOME_OK);
    assert_int_equal(peer->accepted, 1);
    peer_stop(peer);
    end(&s);
}

static void failures_have_their_class(void **state)
{
    static const char garbage[] = "\x16\x03\x01 garbage \x00\xff\xfe\r\n\r\n";
    static const struct {
        enum peer_manner manner;
        const char *answer;
        size_t answer_bytes;
        enum outcome_class class;
        const char *reason; /* part of it */
    } cases[] = {
        {PEER_RESETS, "", 0, OUTCOME_RETRYABLE, "reset"},
        {PEER_ANSWERS, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", 0, OUTCOME_RETRYABLE,
         "HTTP status 500"},
        {PEER_ANSWERS, "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 0, OUTCOME_PERMANENT,
         "HTTP status 404"},
        {PEER_ANSWERS, garbage, sizeof(garbage) - 1, OUTCOME_RETRYABLE, "HTTP/0.9"},
        {PEER_SPEAKS_FIRST, "220 mail.example ESMTP\r\n", 0, OUTCOME_RETRYABLE, ""},
        {PEER_ANSWERS, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort", 0, OUTCOME_RETRYABLE,
         "45 bytes"},
        {PEER_ANSWERS, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 0,
         OUTCOME_RETRYABLE, ""},
    };
    struct scene s;

    begin(&s);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct peer *peer = peer_start(s.loop, cases[i].manner, cases[i].answer);

        peer->answer_bytes = cases[i].answer_bytes;
        ASK(&s, .url = peer->url);
        if (s.last.outcome.class != cases[i].class || !strstr(s.reason, cases[i].reason) ||
            !s.reason[0])
            fail_msg("case %zu: class %d, reason \"%s\"", i, s.last.outcome.class, s.reason);
        peer_stop(peer);
    }
    end(&s);
}

static void refused_unknown_and_misspelt_are_told_apart(void **state)
{
    struct scene s;
    char url[64];

    begin(&s);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", free_port());
    ASK(&s, .url = url);
    assert_int_equal(s.last.outcome.class, OUTCOME_RETRYABLE);
    assert_int_equal(s.last.status, 0);
    ASK(&s, .url = "http://name.invalid/");
    assert_int_equal(s.last.outcome.class, OUTCOME_RETRYABLE);
    assert_non_null(strstr(s.reason, "name.invalid"));
    ASK(&s, .url = "gopher://127.0.0.1/");
    assert_int_equal(s.last.outcome.class, OUTCOME_PERMANENT);
    ASK(&s, .url = "http://[::1/");
    assert_int_equal(s.last.outcome.class, OUTCOME_PERMANENT);
    end(&s);
}

static void retry_after_is_read_as_seconds_and_as_a_date(void **state)
{
    struct scene s;
    struct peer *peer;
    time_t at = time(NULL) + 3600;
    char answer[256], date[64];

    begin(&s);
    peer = peer_start(s.loop, PEER_ANSWERS, "HTTP/1.1 429 Slow\r\nRetry-After: 120\r\n\r\n");
    ASK(&s, .url = peer->url);
    assert_int_equal(s.last.outcome.class, OUTCOME_THROTTLED);
    assert_int_equal(s.last.outcome.retry_after_ns, 120 * NS_PER_SECOND);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&at));
    snprintf(answer, sizeof(answer), "HTTP/1.1 503 Busy\r\nRetry-After: %s\r\n\r\n", date);
    peer->answer = answer;
    ASK(&s, .url = peer->url);
    assert_int_equal(s.last.outcome.class, OUTCOME_THROTTLED);
    assert_in_range(s.last.outcome.retry_after_ns, 3500 * NS_PER_SECOND, 3600 * NS_PER_SECOND);
    /* What is not a time is no wish. */
    peer->answer = "HTTP/1.1 503 Busy\r\nRetry-After: soon\r\n\r\n";
    ASK(&s, .url = peer->url);
    assert_int_equal(s.last.outcome.class, OUTCOME_RETRYABLE);
    assert_int_equal(s.last.outcome.retry_after_ns, 0);
    peer->answer = "HTTP/1.1 503 Busy\r\nRetry-After: 99999999999999999\r\n\r\n";
    ASK(&s, .url = peer->url);
    assert_int_equal(s.last.outcome.retry_after_ns, 6 * 3600 * NS_PER_SECOND);
    peer_stop(peer);
    end(&s);
}

static void answers_without_end_are_cut(void **state)
{
    struct scene s;
    struct peer *peer;

    begin(&s);
    peer = peer_start(s.loop, PEER_NEVER_ENDS, "HTTP/1.1 200 OK\r\n\r\n");
    peer->filler = "0123456789abcdef";
    ASK(&s, .url = peer->url, .response_bytes_max = 1000);
    assert_int_equal(s.last.outcome.class, OUTCOME_OK);
    assert_int_equal(s.last.status, 200);
    assert_true(s.last.body_cut);
    assert_int_equal(s.last.body_bytes, 1000);
    peer->answer = "HTTP/1.1 200 OK\r\n";
    peer->filler = "X-Filler: 0123456789abcdef\r\n";
    ASK(&s, .url = peer->url);
    assert_int_equal(s.last.outcome.class, OUTCOME_RETRYABLE);
    assert_non_null(strstr(s.reason, "headers"));
    peer_stop(peer);
    end(&s);
}

/* Were one of them to hold up the loop, the answers of the others would not come. */
static void a_thousand_at_once_do_not_block(void **state)
{
    enum { EACH = 250 };
    struct rlimit limit;
    struct http_view view;
    struct scene s;
    struct peer *good, *hanging, *resetting, *garbled;

    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 8192 ? limit.rlim_max : 8192;
    setrlimit(RLIMIT_NOFILE, &limit);
    begin(&s);
    good = peer_start(s.loop, PEER_ANSWERS, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    hanging = peer_start(s.loop, PEER_HANGS, "");
    resetting = peer_start(s.loop, PEER_RESETS, "");
    garbled = peer_start(s.loop, PEER_ANSWERS, "\x01\x02\x03\xff nothing\r\n");
    for (int i = 0; i < EACH; i++) {
        start(&s, &(struct http_request){.url = hanging->url, .timeout_ns = 120 * NS_PER_SECOND});
        start(&s, &(struct http_request){.url = good->url, .timeout_ns = 100 * NS_PER_SECOND});
        start(&s, &(struct http_request){.url = resetting->url, .timeout_ns = 100 * NS_PER_SECOND});
        start(&s, &(struct http_request){.url = garbled->url, .timeout_ns = 100 * NS_PER_SECOND});
    }
    s.expected = 3 * EACH;
    assert_int_equal(loop_run(s.loop), 0);
    assert_int_equal(s.by_class[OUTCOME_OK], EACH);
    assert_int_equal(s.by_class[OUTCOME_RETRYABLE], 2 * EACH);
    http_view(s.http, &view);
    assert_int_equal(view.in_flight, EACH);
    /* Those that hang are let go of. */
    http_destroy(s.http);
    peer_stop(good);
    peer_stop(hanging);
    peer_stop(resetting);
    peer_stop(garbled);
    loop_destroy(s.loop);
}

static unsigned open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    unsigned count = 0;

    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

static void a_hanging_server_is_given_up_and_cancelled_ones_are_silent(void **state)
{
    struct http_request request = {.timeout_ns = 100 * NS_PER_MS, .response_bytes_max = 10};
    char error[HTTP_ERROR_BYTES];
    struct http_transfer *transfer = NULL;
    struct http_view view;
    struct scene s;
    struct peer *peer;
    unsigned files;

    begin(&s);
    peer = peer_start(s.loop, PEER_HANGS, "");
    ASK(&s, .url = peer->url, .timeout_ns = 100 * NS_PER_MS);
    assert_int_equal(s.last.outcome.class, OUTCOME_RETRYABLE);
    assert_non_null(strstr(s.reason, "timed out"));
    assert_true(s.last.total_ns >= 100 * NS_PER_MS);
    files = open_files();
    request.url = peer->url;
    assert_int_equal(http_start(s.http, &transfer, &request, on_done, &s, error), 0);
    http_cancel(transfer);
    http_cancel(NULL);
    assert_int_equal(open_files(), files);
    http_view(s.http, &view);
    assert_int_equal(view.cancelled_total, 1);
    assert_int_equal(view.in_flight, 0);
    ASK(&s, .url = peer->url, .timeout_ns = 200 * NS_PER_MS);
    assert_int_equal(s.ended, 2);
    peer_stop(peer);
    end(&s);
}

static void a_connection_alone_can_be_asked_for(void **state)
{
    struct scene s;
    struct peer *peer;
    char url[64];

    begin(&s);
    peer = peer_start(s.loop, PEER_HANGS, "");
    ASK(&s, .url = peer->url, .connect_only = true);
    assert_int_equal(s.last.outcome.class, OUTCOME_OK);
    assert_int_equal(s.last.status, 0);
    assert_true(s.last.connected_ns > 0);
    peer_stop(peer);
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/", free_port());
    ASK(&s, .url = url, .connect_only = true);
    assert_int_equal(s.last.outcome.class, OUTCOME_RETRYABLE);
    end(&s);
}

/* nginx with a certificate that openssl made for 30 days. */
static void https_is_verified_and_its_certificate_read(void **state)
{
    static const struct {
        const char *file, *says;
    } unusable[] = {
        {"/nonexistent/ca.pem", "/nonexistent/ca.pem: No such file"},
        {"/dev/zero", "/dev/zero: it is not a regular file"},
    };
    char directory[64], text[2048], path[128], certificate[128], key[128], url[64], other[64];
    uint16_t port = free_port();
    struct scene s;
    pid_t nginx;

    make_directory(directory, NULL);
    snprintf(certificate, sizeof(certificate), "%s/cert.pem", directory);
    snprintf(key, sizeof(key), "%s/key.pem", directory);
    snprintf(path, sizeof(path), "%s/nginx.conf", directory);
    program_run((char *[]){"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
                           "30", "-subj", "/CN=localhost", "-addext",
                           "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
                           NULL},
                NULL);
    snprintf(text, sizeof(text),
             "daemon off; master_process off; pid %s/pid; error_log %s/error.log;\n"
             "events {}\n"
             "http { access_log off; client_body_temp_path %s/b; proxy_temp_path %s/p;\n"
             "  fastcgi_temp_path %s/f; uwsgi_temp_path %s/u; scgi_temp_path %s/s;\n"
             "  server { listen 127.0.0.1:%u ssl; ssl_certificate %s; ssl_certificate_key %s;\n"
             "    location / { default_type text/plain; return 200 'from nginx'; }\n"
             "    location /secret { return 403; } } }\n",
             directory, directory, directory, directory, directory, directory, directory, port,
             certificate, key);
    write_file(path, text);
    nginx = program_start((char *[]){"/usr/sbin/nginx", "-c", path, NULL}, NULL, NULL);
    wait_for_port(port);
    begin(&s);
    snprintf(url, sizeof(url), "https://localhost:%u/", port);
    snprintf(other, sizeof(other), "https://127.0.0.1:%u/", port);
    ASK(&s, .url = url, .ca_file = certificate);
    assert_string_equal(s.reason, "");
    assert_string_equal(s.body, "from nginx");
    assert_in_range(s.last.certificate_days, 29, 30);
    assert_true(s.last.secured_ns >= s.last.connected_ns);
    /* Not signed by anybody the system knows; and the wrong name. */
    ASK(&s, .url = url);
    assert_int_equal(s.last.outcome.class, OUTCOME_PERMANENT);
    assert_int_equal(s.last.status, 0);
    ASK(&s, .url = other, .ca_file = certificate);
    assert_int_equal(s.last.outcome.class, OUTCOME_PERMANENT);
    for (size_t i = 0; i < sizeof(unusable) / sizeof(*unusable); i++) {
        const struct http_request request = {
            .url = url, .ca_file = unusable[i].file, .timeout_ns = TIMEOUT_NS};
        char error[HTTP_ERROR_BYTES] = "";

        assert_true(http_start(s.http, NULL, &request, on_done, &s, error) < 0);
        assert_non_null(strstr(error, unusable[i].says));
    }
    end(&s);
    program_stop(nginx, SIGTERM);
    remove_directory(directory);
}

static void a_mail_reaches_an_smtp_server(void **state)
{
    static const char *const to[] = {"oncall@example.org", "second@example.org"};
    const char *mail = "Subject: disk full\r\n\r\n/var has 2 percent left\r\n.\r\nend\r\n";
    char directory[64], log[128], url[64], address[32], text[4096] = "";
    uint16_t port = free_port();
    struct scene s;
    FILE *file;
    pid_t server;

    make_directory(directory, NULL);
    snprintf(log, sizeof(log), "%s/log", directory);
    snprintf(address, sizeof(address), "127.0.0.1:%u", port);
    snprintf(url, sizeof(url), "smtp://127.0.0.1:%u", port);
    server = program_start((char *[]){"/usr/bin/python3", "-um", "aiosmtpd", "-n", "-l", address,
                                      "-c", "aiosmtpd.handlers.Debugging", "stdout", NULL},
                           NULL, log);
    wait_for_port(port);
    begin(&s);
    ASK(&s, .url = url, .mail_from = "agent@example.org", .mail_to = to, .mail_to_count = 2,
        .body = mail, .body_bytes = strlen(mail));
    assert_string_equal(s.reason, "");
    assert_int_equal(s.last.outcome.class, OUTCOME_OK);
    assert_int_equal(s.last.status, 250);
    /* It speaks no TLS, and without it nothing is sent. */
    ASK(&s, .url = url, .mail_from = "agent@example.org", .mail_to = to, .mail_to_count = 2,
        .body = "secret", .body_bytes = 6, .start_tls = true);
    assert_int_equal(s.last.outcome.class, OUTCOME_PERMANENT);
    end(&s);
    program_stop(server, SIGTERM);
    file = fopen(log, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    fclose(file);
    assert_non_null(strstr(text, "Subject: disk full"));
    assert_non_null(strstr(text, "2 percent left"));
    assert_null(strstr(text, "secret"));
    remove_directory(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_passed_on_whole),
        cmocka_unit_test(redirects_are_not_followed),
        cmocka_unit_test(failures_have_their_class),
        cmocka_unit_test(refused_unknown_and_misspelt_are_told_apart),
        cmocka_unit_test(retry_after_is_read_as_seconds_and_as_a_date),
        cmocka_unit_test(answers_without_end_are_cut),
        cmocka_unit_test(a_thousand_at_once_do_not_block),
        cmocka_unit_test(a_hanging_server_is_given_up_and_cancelled_ones_are_silent),
        cmocka_unit_test(a_connection_alone_can_be_asked_for),
        cmocka_unit_test(https_is_verified_and_its_certificate_read),
        cmocka_unit_test(a_mail_reaches_an_smtp_server),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
