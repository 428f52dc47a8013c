/* The responder on real sockets, with a clock that stands still until it is turned forward. */
#include "config_text.h"
#include "peer.h"
#include "transfer/answer_store.h"
#include "transfer/responder.h"
#include <errno.h>
#include <netinet/in.h>

struct scene {
    struct loop *loop;
    struct clock clock;
    uint64_t ahead_ns;
    struct responder *responder;
    struct loop_source *source;
    int fd;
    size_t used;
    char answer[65536];
};

static uint64_t scene_now(void *ctx)
{
    return 1000 * NS_PER_SECOND + ((const struct scene *)ctx)->ahead_ns;
}

static void begin(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    s->clock = (struct clock){scene_now, scene_now, s};
    assert_int_equal(loop_create(&s->loop, &s->clock), 0);
    assert_int_equal(responder_create(&s->responder, s->loop, &s->clock), 0);
}

static void end(struct scene *s)
{
    responder_destroy(s->responder);
    loop_destroy(s->loop);
}

static void configure(struct scene *s, const char *text)
{
    struct config *config = load_valid(text, NULL);

    assert_int_equal(responder_stage(s->responder, config), 0);
    responder_commit(s->responder);
    config_destroy(config);
}

static void on_readable(void *ctx, uint32_t events)
{
    struct scene *s = ctx;
    ssize_t n = recv(s->fd, s->answer + s->used, sizeof(s->answer) - 1 - s->used, 0);

    if (n > 0) {
        s->used += (size_t)n;
        s->answer[s->used] = '\0';
        return;
    }
    loop_remove(s->source);
    loop_stop(s->loop);
}

/* Until the responder closes, as it does after each answer. */
static void ask_port(struct scene *s, int family, uint16_t port, const char *request)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.any.sa_family = (sa_family_t)family};

    if (family == AF_INET) {
        address.v4.sin_port = htons(port);
        address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    } else {
        address.v6.sin6_port = htons(port);
        address.v6.sin6_addr = in6addr_loopback;
    }
    s->used = 0;
    s->answer[0] = '\0';
    s->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(s->fd, &address.any, sizeof(address)), 0);
    assert_int_equal(send(s->fd, request, strlen(request), 0), (ssize_t)strlen(request));
    assert_int_equal(loop_add_fd(s->loop, &s->source, s->fd, EPOLLIN, on_readable, s), 0);
    assert_int_equal(loop_run(s->loop), 0);
    close(s->fd);
}

static void ask(struct scene *s, const char *upstream, const char *first_line)
{
    struct responder_view view;
    char request[512];

    snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: shop.example\r\n\r\n", first_line);
    assert_int_equal(responder_find(s->responder, upstream, &view), 0);
    ask_port(s, AF_INET, view.ipv4_port, request);
}

static void expect(const struct scene *s, const char *text)
{
    if (!strstr(s->answer, text))
        fail_msg("no \"%s\" in \"%s\"", text, s->answer);
}

static void keep(struct scene *s, const char *upstream, const char *path, const char *body)
{
    responder_keep(s->responder, &(struct upstream_answer){.upstream = upstream,
                                                           .path = path,
                                                           .good = body != NULL,
                                                           .status = 200,
                                                           .content_type = "text/plain",
                                                           .body = body,
                                                           .body_bytes = body ? strlen(body) : 0});
}

#define CACHED(name, ttl)                                                                          \
    "{\"name\":\"" name                                                                            \
    "\",\"address\":\"h:1\",\"check\":{\"type\":\"http\",\"url\":\"http://h/\"},"                  \
    "\"fallback\":{\"strategy\":\"cached\",\"cache_ttl\":" ttl "}}"
#define REDUCED(name)                                                                              \
    "{\"name\":\"" name                                                                            \
    "\",\"address\":\"h:2\",\"fallback\":{\"strategy\":\"reduced\",\"response\":{"                 \
    "\"status\":206,\"content_type\":\"text/html\",\"body\":\"<p>later</p>\"}}}"
#define OTHER                                                                                      \
    "{\"name\":\"other\",\"address\":\"h:3\",\"fallback\":{\"strategy\":\"alternative\","          \
    "\"endpoints\":\"h:4\"}}"
#define CONFIG(upstreams) "{\"upstreams\":[" upstreams "]}"

static void kept_answers_are_served_with_their_age(void **state)
{
    struct scene s;

    begin(&s);
    configure(&s, CONFIG(CACHED("shop", "100")));
    keep(&s, "shop", "/prices?a=1", "42 crowns");
    s.ahead_ns += 7 * NS_PER_SECOND;
    ask(&s, "shop", "GET /prices?a=1");
    expect(&s, "HTTP/1.1 200 ");
    expect(&s, "\r\nAge: 7\r\n");
    expect(&s, "\r\nWarning: 110 ");
    expect(&s, "\r\nContent-Type: text/plain\r\n");
    expect(&s, "\r\nConnection: close\r\n");
    expect(&s, "\r\n\r\n42 crowns");
    assert_null(strstr(s.answer, "Warning: 111"));
    keep(&s, "shop", "/prices?a=1", NULL);
    ask(&s, "shop", "GET /prices?a=1");
    expect(&s, "\r\nWarning: 111 ");
    expect(&s, "42 crowns");
    ask(&s, "shop", "HEAD /prices?a=1");
    expect(&s, "\r\nContent-Length: 9\r\n");
    assert_null(strstr(s.answer, "crowns"));
    /* A good one takes the warning back. */
    keep(&s, "shop", "/prices?a=1", "43 crowns");
    ask(&s, "shop", "GET /prices?a=1");
    expect(&s, "43 crowns");
    expect(&s, "\r\nAge: 0\r\n");
    assert_null(strstr(s.answer, "Warning: 111"));
    end(&s);
}

static void what_is_not_kept_is_refused_with_the_reason(void **state)
{
    struct responder_view view;
    struct scene s;

    begin(&s);
    configure(&s, CONFIG(CACHED("shop", "100")));
    keep(&s, "shop", "/a", "kept");
    ask(&s, "shop", "GET /a?b");
    expect(&s, "HTTP/1.1 503 ");
    expect(&s, "\"code\": \"fallback_unknown_path\"");
    expect(&s, "no answer of /a?b is kept");
    ask(&s, "shop", "DELETE /a");
    expect(&s, "\"code\": \"fallback_method\"");
    s.ahead_ns += 100 * NS_PER_SECOND;
    responder_view(s.responder, 0, &view);
    assert_int_equal(view.answers, 1);
    ask(&s, "shop", "GET /\"\\\x01");
    s.ahead_ns += NS_PER_SECOND;
    ask(&s, "shop", "GET /a");
    expect(&s, "HTTP/1.1 503 ");
    expect(&s, "\"code\": \"fallback_expired\"");
    expect(&s, "101 s old (cache_ttl 100 s)");
    responder_view(s.responder, 0, &view);
    assert_int_equal(view.answers_fresh, 0);
    assert_int_equal(view.served_total, 0);
    assert_true(view.requests_total >= 3);
    end(&s);
}

static void a_reduced_answer_fits_every_request(void **state)
{
    struct responder_view view;
    struct scene s;

    begin(&s);
    configure(&s, CONFIG(REDUCED("page") "," OTHER));
    assert_int_equal(responder_count(s.responder), 1);
    ask(&s, "page", "GET /any?x");
    expect(&s, "HTTP/1.1 206 ");
    expect(&s, "\r\nContent-Type: text/html\r\n");
    expect(&s, "<p>later</p>");
    responder_find(s.responder, "page", &view);
    ask_port(&s, AF_INET, view.ipv4_port,
             "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde");
    expect(&s, "<p>later</p>");
    /* The same under the other family, where this host has it. */
    if (view.ipv6_port) {
        ask_port(&s, AF_INET6, view.ipv6_port, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        expect(&s, "<p>later</p>");
    } else {
        assert_non_null(strstr(view.reason, "::1"));
    }
    assert_int_equal(responder_find(s.responder, "other", &view), -ENOENT);
    end(&s);
}

static void a_reload_keeps_ports_and_answers(void **state)
{
    struct responder_view before, after, page;
    struct scene s;

    begin(&s);
    configure(&s, CONFIG(CACHED("shop", "100") "," REDUCED("page")));
    keep(&s, "shop", "/", "kept");
    keep(&s, "page", "/", "not a cached one");
    keep(&s, "nobody", "/", "unknown");
    assert_int_equal(responder_find(s.responder, "shop", &before), 0);
    assert_int_equal(responder_find(s.responder, "page", &page), 0);
    assert_int_not_equal(before.ipv4_port, page.ipv4_port);
    configure(&s, CONFIG(CACHED("shop", "5")));
    assert_int_equal(responder_count(s.responder), 1);
    assert_int_equal(responder_find(s.responder, "shop", &after), 0);
    assert_int_equal(after.ipv4_port, before.ipv4_port);
    assert_int_equal(after.answers, 1);
    s.ahead_ns += 6 * NS_PER_SECOND;
    ask(&s, "shop", "GET /");
    expect(&s, "fallback_expired");
    /* Gone and come back, it begins anew. */
    configure(&s, "{}");
    assert_int_equal(responder_count(s.responder), 0);
    configure(&s, CONFIG(CACHED("shop", "100")));
    responder_view(s.responder, 0, &after);
    assert_int_equal(after.answers, 0);
    end(&s);
    responder_destroy(NULL);
}

static void the_store_is_bounded(void **state)
{
    struct answer_store store = {.limit_bytes = 4096};
    static char body[5000];
    char path[16];

    memset(body, 'x', sizeof(body));
    assert_int_equal(answer_store_put(&store, "u", "/big", "", 200, body, 5000, 1), -EFBIG);
    assert_int_equal(store.bytes, 0);
    for (int i = 0; i < 100; i++) {
        snprintf(path, sizeof(path), "/%d", i);
        assert_int_equal(answer_store_put(&store, "u", path, "a/b", 200, body, 1000, 1), 0);
        assert_true(store.bytes <= store.limit_bytes);
    }
    assert_int_equal(store.evicted_total, 97);
    assert_non_null(answer_store_find(&store, "u", "/99"));
    assert_null(answer_store_find(&store, "u", "/96"));
    assert_null(answer_store_find(&store, "v", "/99"));
    /* The same path again takes the place of the old one. */
    assert_int_equal(answer_store_put(&store, "u", "/99", "a/b", 200, body, 10, 1), 0);
    assert_int_equal(answer_store_find(&store, "u", "/99")->body->bytes, 10);
    assert_non_null(answer_store_find(&store, "u", "/97"));
    answer_store_drop(&store, "v");
    assert_non_null(store.newest);
    answer_store_drop(&store, NULL);
    assert_int_equal(store.bytes, 0);
    assert_null(store.newest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_answers_are_served_with_their_age),
        cmocka_unit_test(what_is_not_kept_is_refused_with_the_reason),
        cmocka_unit_test(a_reduced_answer_fits_every_request),
        cmocka_unit_test(a_reload_keeps_ports_and_answers),
        cmocka_unit_test(the_store_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
