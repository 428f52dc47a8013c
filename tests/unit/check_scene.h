/* The checks of a configuration, run on a loop until a condition holds. */
#ifndef TEST_CHECK_SCENE_H
#define TEST_CHECK_SCENE_H

#include "config_text.h"
#include "endpoint/endpoint_checks.h"
#include "peer.h"
#include "program.h"

struct check_scene {
    struct loop *loop;
    struct random_source random;
    struct http *http;
    struct resolver *resolver;
    struct endpoint_checks *checks;
    struct config *config;
    unsigned results, answers, stop_at, stop_at_answers;
    struct endpoint_check_view last;
    char last_reason[ENDPOINT_REASON_BYTES];
    struct {
        char upstream[32], path[64], body[64], content_type[32];
        bool good;
    } answered[8];
};

/* The first attempts begin at once. */
static uint64_t check_scene_zero(void *ctx)
{
    (void)ctx;
    return 0;
}

static inline void check_scene_result(void *ctx, const struct endpoint_check_view *view)
{
    struct check_scene *s = ctx;

    s->last = *view;
    snprintf(s->last_reason, sizeof(s->last_reason), "%s", view->reason);
    if (++s->results == s->stop_at)
        loop_stop(s->loop);
}

static inline void check_scene_answer(void *ctx, const struct upstream_answer *answer)
{
    struct check_scene *s = ctx;
    unsigned i = s->answers % 8;

    snprintf(s->answered[i].upstream, 32, "%s", answer->upstream);
    snprintf(s->answered[i].path, 64, "%s", answer->path);
    snprintf(s->answered[i].body, 64, "%s", answer->good ? answer->body : "");
    snprintf(s->answered[i].content_type, 32, "%s", answer->good ? answer->content_type : "");
    s->answered[i].good = answer->good;
    if (++s->answers == s->stop_at_answers)
        loop_stop(s->loop);
}

static inline void check_scene_begin(struct check_scene *s)
{
    *s = (struct check_scene){.random = {check_scene_zero, NULL}};
    assert_int_equal(loop_create(&s->loop, clock_system()), 0);
    assert_int_equal(http_create(&s->http, s->loop, clock_system()), 0);
    assert_int_equal(resolver_create(&s->resolver, s->loop, clock_system(), &s->random), 0);
    assert_int_equal(endpoint_checks_create(
                         &s->checks,
                         &(struct endpoint_check_sources){s->loop, clock_system(), &s->random,
                                                          s->http, s->resolver},
                         &(struct endpoint_check_ops){check_scene_result, check_scene_answer, s}),
                     0);
}

static inline void check_scene_configure(struct check_scene *s, const char *text)
{
    struct config *config = load_valid(text, NULL);

    assert_int_equal(endpoint_checks_stage(s->checks, config), 0);
    endpoint_checks_commit(s->checks);
    config_destroy(s->config);
    s->config = config;
}

/* One service, whose check is `check`. */
static inline void check_scene_service(struct check_scene *s, const char *format, ...)
{
    char check[2048], text[4096];
    va_list args;

    va_start(args, format);
    vsnprintf(check, sizeof(check), format, args);
    va_end(args);
    snprintf(text, sizeof(text),
             "{\"services\":[{\"name\":\"a\",\"kind\":\"job\",\"match\":{\"comm\":\"a\"},\"check\":"
             "{%s}}]}",
             check);
    check_scene_configure(s, text);
}

static inline void check_scene_run(struct check_scene *s, unsigned more)
{
    s->stop_at = s->results + more;
    assert_int_equal(loop_run(s->loop), 0);
}

static inline void check_scene_end(struct check_scene *s)
{
    endpoint_checks_destroy(s->checks);
    resolver_destroy(s->resolver);
    http_destroy(s->http);
    loop_destroy(s->loop);
    config_destroy(s->config);
}

#define expect_failure(s, text)                                                                    \
    do {                                                                                           \
        assert_int_equal((s)->last.status, ENDPOINT_FAILED);                                       \
        if (!strstr((s)->last_reason, (text)))                                                     \
            fail_msg("\"%s\" has no \"%s\"", (s)->last_reason, (text));                            \
    } while (0)

#define expect_success(s)                                                                          \
    do {                                                                                           \
        assert_string_equal((s)->last_reason, "");                                                 \
        assert_int_equal((s)->last.status, ENDPOINT_OK);                                           \
    } while (0)

#endif
