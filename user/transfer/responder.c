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
    size_t count;
    struct stand_in **stand_ins;
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

static int set_answer(struct stand_in *stand_in, const struct config_fallback *fallback)
{
    const char *body = fallback->response.body ? fallback->response.body : "";
    char *content_type =
        strdup(fallback->response.content_type ? fallback->response.content_type : "");
    struct answer_body *made = answer_body_create(body, strlen(body));

    if (!content_type || !made) {
        free(content_type);
        answer_body_release(made);
        return -ENOMEM;
    }
    free(stand_in->content_type);
    answer_body_release(stand_in->body);
    stand_in->content_type = content_type;
    stand_in->body = made;
    stand_in->status = fallback->response.status;
    stand_in->strategy = fallback->strategy;
    stand_in->ttl_ns = (uint64_t)(fallback->cache_ttl_seconds * 1e9);
    return 0;
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

/* The one of before if there was one, which is taken out of the list; NULL: no memory. */
static struct stand_in *take_or_make(struct responder *responder, struct stand_in **old,
                                     size_t count, const struct config_upstream *upstream)
{
    struct stand_in *stand_in = NULL;

    for (size_t i = 0; i < count && !stand_in; i++) {
        if (!old[i] || strcmp(old[i]->upstream, upstream->name) != 0)
            continue;
        stand_in = old[i];
        old[i] = NULL;
    }
    if (!stand_in) {
        stand_in = calloc(1, sizeof(*stand_in));
        if (!stand_in)
            return NULL;
        stand_in->responder = responder;
        stand_in->upstream = strdup(upstream->name);
    }
    if (!stand_in->upstream || set_answer(stand_in, &upstream->fallback) < 0) {
        free_stand_in(stand_in);
        return NULL;
    }
    stand_in->reason[0] = '\0';
    open_port(stand_in, &stand_in->ipv6, AF_INET6);
    open_port(stand_in, &stand_in->ipv4, AF_INET);
    return stand_in;
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
    for (size_t i = 0; i < responder->count; i++)
        free_stand_in(responder->stand_ins[i]);
    free(responder->stand_ins);
    answer_store_drop(&responder->store, NULL);
    free(responder);
}

int responder_configure(struct responder *responder, const struct config *config)
{
    struct stand_in **old = responder->stand_ins, *stand_in;
    size_t old_count = responder->count, i, wanted = 0;
    int r = 0;

    for (i = 0; i < config->upstreams.count; i++)
        wanted += needs_one(&config->upstreams.items[i]);
    responder->count = 0;
    responder->stand_ins = wanted ? calloc(wanted, sizeof(struct stand_in *)) : NULL;
    if (wanted && !responder->stand_ins)
        r = -ENOMEM;
    for (i = 0; r == 0 && i < config->upstreams.count; i++) {
        if (!needs_one(&config->upstreams.items[i]))
            continue;
        stand_in = take_or_make(responder, old, old_count, &config->upstreams.items[i]);
        if (stand_in)
            responder->stand_ins[responder->count++] = stand_in;
        else
            r = -ENOMEM;
    }
    for (i = 0; i < old_count; i++) {
        if (old[i])
            answer_store_drop(&responder->store, old[i]->upstream);
        free_stand_in(old[i]);
    }
    free(old);
    return r;
}

static struct stand_in *find(const struct responder *responder, const char *upstream)
{
    for (size_t i = 0; i < responder->count; i++)
        if (strcmp(responder->stand_ins[i]->upstream, upstream) == 0)
            return responder->stand_ins[i];
    return NULL;
}

void responder_keep(struct responder *responder, const struct endpoint_answer *answer)
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
