#include "transfer/responder.h"
#include "base/text.h"
#include "transfer/answer_store.h"
#include "transfer/responder_port.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* One upstream. */
struct stand_in {
    struct responder *responder;
    char *upstream;
    enum fallback_strategy strategy;
    uint64_t ttl_ns;
    unsigned status; /* reduced: the answer */
    char *content_type;
    struct answer_body *body;
    struct responder_port *ipv4, *ipv6;
    char reason[RESPONDER_REASON_BYTES];
    uint64_t requests_total, served_total;
};

struct responder {
    struct loop *loop;
    const struct clock *clock;
    struct answer_store store;
    size_t count, capacity;
    struct stand_in **stand_ins;
    bool staged;
    size_t next_count;
    struct next_stand_in *next;
};

/* What an upstream's is to answer from now on. */
struct next_stand_in {
    const struct config_upstream *upstream;
    struct stand_in *made; /* NULL: there is one already */
    char *content_type;
    struct answer_body *body;
};

static struct MHD_Response *response_of(struct answer_body *body, const char *content_type)
{
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback_cls(
        body->bytes, body->data, answer_body_release, answer_body_share(body));

    if (!response) {
        answer_body_release(body);
        return NULL;
    }
    if (*content_type)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    /* A client that kept the connection would stay here when the upstream is back. */
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    return response;
}

static struct MHD_Response *refuse(const char *code, const char *message, unsigned *ret_status)
{
    struct MHD_Response *response;
    struct answer_body *body;
    struct text text;

    text_init(&text, 1024);
    text_printf(&text, "{\"error\": {\"code\": \"%s\", \"message\": ", code);
    text_add_json_string(&text, message, strlen(message));
    text_add(&text, "}}\n");
    body = text.data ? answer_body_create(text.data, text.len) : NULL;
    text_free(&text);
    if (!body)
        return NULL;
    response = response_of(body, "application/json");
    answer_body_release(body);
    *ret_status = MHD_HTTP_SERVICE_UNAVAILABLE;
    return response;
}

/* RFC 7234, 5.1 and 5.5. */
static struct MHD_Response *serve_kept(const struct stored_answer *answer, uint64_t age_ns)
{
    struct MHD_Response *response = response_of(answer->body, answer->content_type);
    char age[24];

    if (!response)
        return NULL;
    snprintf(age, sizeof(age), "%llu", (unsigned long long)(age_ns / NS_PER_SECOND));
    MHD_add_response_header(response, MHD_HTTP_HEADER_AGE, age);
    MHD_add_response_header(response, MHD_HTTP_HEADER_WARNING,
                            "110 moonwatch \"Response is Stale\"");
    if (answer->failing)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WARNING,
                                "111 moonwatch \"Revalidation Failed\"");
    return response;
}

static uint64_t age_of(const struct responder *responder, const struct stored_answer *answer)
{
    uint64_t now_ns = clock_monotonic_ns(responder->clock);

    return now_ns > answer->stored_ns ? now_ns - answer->stored_ns : 0;
}

static struct MHD_Response *answer_cached(struct stand_in *stand_in, const char *method,
                                          const char *uri, unsigned *ret_status)
{
    const struct responder *responder = stand_in->responder;
    const struct stored_answer *answer;
    struct MHD_Response *response;
    char message[256];
    uint64_t age_ns;

    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        snprintf(message, sizeof(message),
                 "%.63s is down, and only GET and HEAD are answered in its place",
                 stand_in->upstream);
        return refuse("fallback_method", message, ret_status);
    }
    answer = answer_store_find(&responder->store, stand_in->upstream, uri);
    if (!answer) {
        snprintf(message, sizeof(message), "%.63s is down, and no answer of %.100s is kept",
                 stand_in->upstream, uri);
        return refuse("fallback_unknown_path", message, ret_status);
    }
    age_ns = age_of(responder, answer);
    if (age_ns > stand_in->ttl_ns) {
        snprintf(message, sizeof(message),
                 "%.63s is down, and the kept answer is %llu s old (cache_ttl %llu s)",
                 stand_in->upstream, (unsigned long long)(age_ns / NS_PER_SECOND),
                 (unsigned long long)(stand_in->ttl_ns / NS_PER_SECOND));
        return refuse("fallback_expired", message, ret_status);
    }
    response = serve_kept(answer, age_ns);
    *ret_status = answer->status;
    stand_in->served_total += response != NULL;
    return response;
}

static struct MHD_Response *answer_request(void *ctx, const char *method, const char *uri,
                                           unsigned *ret_status)
{
    struct stand_in *stand_in = ctx;
    struct MHD_Response *response;

    stand_in->requests_total++;
    if (stand_in->strategy == FALLBACK_CACHED)
        return answer_cached(stand_in, method, uri, ret_status);
    response = response_of(stand_in->body, stand_in->content_type);
    if (response)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WARNING,
                                "199 moonwatch \"Reduced answer\"");
    *ret_status = stand_in->status;
    stand_in->served_total += response != NULL;
    return response;
}

static void free_stand_in(struct stand_in *stand_in)
{
    if (!stand_in)
        return;
    responder_port_close(stand_in->ipv4);
    responder_port_close(stand_in->ipv6);
    answer_body_release(stand_in->body);
    free(stand_in->content_type);
    free(stand_in->upstream);
    free(stand_in);
}

static void set_answer(struct stand_in *stand_in, struct next_stand_in *next)
{
    const struct config_fallback *fallback = &next->upstream->fallback;

    free(stand_in->content_type);
    answer_body_release(stand_in->body);
    stand_in->content_type = next->content_type;
    stand_in->body = next->body;
    next->content_type = NULL;
    next->body = NULL;
    stand_in->status = fallback->response.status;
    stand_in->strategy = fallback->strategy;
    stand_in->ttl_ns = (uint64_t)(fallback->cache_ttl_seconds * 1e9);
}

static void open_port(struct stand_in *stand_in, struct responder_port **port, int family)
{
    int r = *port ? 0
                  : responder_port_open(port, stand_in->responder->loop, stand_in->responder->clock,
                                        family, answer_request, stand_in);

    if (r < 0)
        snprintf(stand_in->reason, sizeof(stand_in->reason), "cannot listen on %s: %s",
                 family == AF_INET ? "127.0.0.1" : "::1", strerror(-r));
}

static bool needs_one(const struct config_upstream *upstream)
{
    return upstream->fallback.given && upstream->fallback.enabled &&
           upstream->fallback.strategy != FALLBACK_ALTERNATIVE;
}

int responder_create(struct responder **ret, struct loop *loop, const struct clock *clock)
{
    struct responder *responder = calloc(1, sizeof(*responder));

    if (!responder)
        return -ENOMEM;
    responder->loop = loop;
    responder->clock = clock;
    responder->store.limit_bytes = RESPONDER_BYTES_MAX;
    *ret = responder;
    return 0;
}

void responder_destroy(struct responder *responder)
{
    if (!responder)
        return;
    responder_unstage(responder);
    for (size_t i = 0; i < responder->count; i++)
        free_stand_in(responder->stand_ins[i]);
    free(responder->stand_ins);
    answer_store_drop(&responder->store, NULL);
    free(responder);
}

static struct stand_in *find(const struct responder *responder, const char *upstream)
{
    for (size_t i = 0; i < responder->count; i++)
        if (strcmp(responder->stand_ins[i]->upstream, upstream) == 0)
            return responder->stand_ins[i];
    return NULL;
}

static int make_next(struct responder *responder, struct next_stand_in *next,
                     const struct config_upstream *upstream)
{
    const struct config_fallback *fallback = &upstream->fallback;
    const char *body = fallback->response.body ? fallback->response.body : "";

    next->upstream = upstream;
    next->content_type =
        strdup(fallback->response.content_type ? fallback->response.content_type : "");
    next->body = answer_body_create(body, strlen(body));
    if (!next->content_type || !next->body)
        return -ENOMEM;
    if (find(responder, upstream->name))
        return 0;
    next->made = calloc(1, sizeof(*next->made));
    if (!next->made)
        return -ENOMEM;
    next->made->responder = responder;
    next->made->upstream = strdup(upstream->name);
    return next->made->upstream ? 0 : -ENOMEM;
}

int responder_stage(struct responder *responder, const struct config *config)
{
    int r = 0;

    responder_unstage(responder);
    responder->next = calloc(config->upstreams.count + 1, sizeof(*responder->next));
    if (!responder->next)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < config->upstreams.count; i++)
        if (needs_one(&config->upstreams.items[i]))
            r = make_next(responder, &responder->next[responder->next_count++],
                          &config->upstreams.items[i]);
    /* Of pointers to what is in use or staged, one for each: not to fail later. */
    if (r == 0 && responder->next_count > responder->capacity) {
        struct stand_in **grown =
            reallocarray(responder->stand_ins, responder->next_count, sizeof(struct stand_in *));

        r = grown ? 0 : -ENOMEM;
        if (grown) {
            responder->stand_ins = grown;
            responder->capacity = responder->next_count;
        }
    }
    if (r < 0)
        responder_unstage(responder);
    responder->staged = r == 0;
    return r;
}

void responder_unstage(struct responder *responder)
{
    for (size_t i = 0; i < responder->next_count; i++) {
        free_stand_in(responder->next[i].made);
        free(responder->next[i].content_type);
        answer_body_release(responder->next[i].body);
    }
    free(responder->next);
    responder->next = NULL;
    responder->next_count = 0;
    responder->staged = false;
}

static bool is_wanted(const struct responder *responder, const char *upstream)
{
    for (size_t i = 0; i < responder->next_count; i++)
        if (strcmp(responder->next[i].upstream->name, upstream) == 0)
            return true;
    return false;
}

/* Those that nobody wants any more are forgotten, and the others closed up. */
static void drop_old(struct responder *responder)
{
    size_t kept = 0;

    for (size_t i = 0; i < responder->count; i++) {
        struct stand_in *stand_in = responder->stand_ins[i];

        if (is_wanted(responder, stand_in->upstream)) {
            responder->stand_ins[kept++] = stand_in;
            continue;
        }
        answer_store_drop(&responder->store, stand_in->upstream);
        free_stand_in(stand_in);
    }
    responder->count = kept;
}

void responder_commit(struct responder *responder)
{
    if (!responder->staged)
        return;
    drop_old(responder);
    for (size_t i = 0; i < responder->next_count; i++) {
        struct next_stand_in *next = &responder->next[i];
        struct stand_in *stand_in = next->made;

        if (stand_in)
            responder->stand_ins[responder->count++] = stand_in;
        else
            stand_in = find(responder, next->upstream->name);
        next->made = NULL;
        set_answer(stand_in, next);
        stand_in->reason[0] = '\0';
        open_port(stand_in, &stand_in->ipv6, AF_INET6);
        open_port(stand_in, &stand_in->ipv4, AF_INET);
    }
    responder_unstage(responder);
}

void responder_keep(struct responder *responder, const struct upstream_answer *answer)
{
    const struct stand_in *stand_in = find(responder, answer->upstream);
    struct stored_answer *kept;

    if (!stand_in || stand_in->strategy != FALLBACK_CACHED)
        return;
    if (answer->good) {
        /* One that does not fit leaves nothing, which the client is then told. */
        answer_store_put(&responder->store, answer->upstream, answer->path, answer->content_type,
                         answer->status, answer->body, answer->body_bytes,
                         clock_monotonic_ns(responder->clock));
        return;
    }
    kept = answer_store_find(&responder->store, answer->upstream, answer->path);
    if (kept)
        kept->failing = true;
}

size_t responder_count(const struct responder *responder)
{
    return responder->count;
}

static void view_of(const struct stand_in *stand_in, struct responder_view *ret)
{
    const struct responder *responder = stand_in->responder;
    const struct stored_answer *answer;

    *ret = (struct responder_view){
        .upstream = stand_in->upstream,
        .ipv4_port = responder_port_number(stand_in->ipv4),
        .ipv6_port = responder_port_number(stand_in->ipv6),
        .reason = stand_in->reason,
        .requests_total = stand_in->requests_total,
        .served_total = stand_in->served_total,
    };
    if (stand_in->strategy == FALLBACK_REDUCED) {
        ret->answers = ret->answers_fresh = 1;
        return;
    }
    for (answer = responder->store.newest; answer; answer = answer->next) {
        if (strcmp(answer->upstream, stand_in->upstream) != 0)
            continue;
        ret->answers++;
        ret->answers_fresh += age_of(responder, answer) <= stand_in->ttl_ns;
    }
}

void responder_view(const struct responder *responder, size_t index, struct responder_view *ret)
{
    view_of(responder->stand_ins[index], ret);
}

int responder_find(const struct responder *responder, const char *upstream,
                   struct responder_view *ret)
{
    const struct stand_in *stand_in = find(responder, upstream);

    if (!stand_in)
        return -ENOENT;
    view_of(stand_in, ret);
    return 0;
}
