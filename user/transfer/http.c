#include "transfer/http.h"
#include "transfer/http_state.h"
#include "transfer/watch.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

struct http {
    struct loop *loop;
    const struct clock *clock;
    const struct curl_api *curl;
    CURLM *multi;
    struct loop_source *alarm;
    struct http_transfer *transfers;
    struct http_view view;
};

/* One per socket of libcurl's. */
struct http_socket {
    struct http *http;
    struct watch watch;
};

static void free_transfer(struct http_transfer *transfer)
{
    struct http *http = transfer->http;

    if (transfer->previous)
        transfer->previous->next = transfer->next;
    else if (http->transfers == transfer)
        http->transfers = transfer->next;
    if (transfer->next)
        transfer->next->previous = transfer->previous;
    if (transfer->easy) {
        http->curl->curl_multi_remove_handle(http->multi, transfer->easy);
        http->curl->curl_easy_cleanup(transfer->easy);
    }
    http->curl->curl_slist_free_all(transfer->headers);
    http->curl->curl_slist_free_all(transfer->mail_to);
    free(transfer->upload);
    text_free(&transfer->body);
    free(transfer);
}

static void finish(struct http *http, struct http_transfer *transfer, CURLcode code)
{
    struct http_result result;

    http_conclude(transfer, code, &result);
    http->view.in_flight--;
    http->view.ended_total[result.outcome.class]++;
    transfer->fn(transfer->ctx, &result);
    free_transfer(transfer);
}

static void finish_all(struct http *http)
{
    struct http_transfer *transfer;
    CURLMsg *message;
    CURLcode code;
    int left;

    while ((message = http->curl->curl_multi_info_read(http->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        /* The message is gone once the handle is. */
        code = message->data.result;
        http->curl->curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        finish(http, transfer, code);
    }
}

static void act(struct http *http, curl_socket_t socket, int what)
{
    int running;

    http->curl->curl_multi_socket_action(http->multi, socket, what, &running);
    finish_all(http);
}

static void on_socket_ready(void *ctx, uint32_t epoll_events)
{
    const struct http_socket *socket = ctx;
    int what = 0;

    if (epoll_events & EPOLLIN)
        what |= CURL_CSELECT_IN;
    if (epoll_events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (epoll_events & (EPOLLERR | EPOLLHUP))
        what |= CURL_CSELECT_ERR;
    act(socket->http, socket->watch.fd, what);
}

static void on_alarm(void *ctx, uint64_t now_ns)
{
    (void)now_ns;
    act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static int on_curl_timer(CURLM *multi, long timeout_ms, void *ctx)
{
    struct http *http = ctx;

    (void)multi;
    loop_set_alarm(http->alarm, timeout_ms < 0 ? 0
                                               : clock_monotonic_ns(http->clock) +
                                                     (uint64_t)timeout_ms * NS_PER_MS);
    return 0;
}

static int on_curl_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    static const uint32_t events[] = {
        [CURL_POLL_IN] = EPOLLIN,
        [CURL_POLL_OUT] = EPOLLOUT,
        [CURL_POLL_INOUT] = EPOLLIN | EPOLLOUT,
    };
    struct http *http = ctx;
    struct http_socket *socket = socket_ctx;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (socket)
            watch_end(&socket->watch);
        free(socket);
        return 0;
    }
    if (!socket) {
        socket = calloc(1, sizeof(*socket));
        if (!socket)
            return -1;
        socket->http = http;
        http->curl->curl_multi_assign(http->multi, fd, socket);
    }
    return watch_set(&socket->watch, http->loop, fd, events[what], on_socket_ready, socket) < 0 ? -1
                                                                                                : 0;
}

static int load(struct http *http, char error[HTTP_ERROR_BYTES])
{
    static bool initialized;
    const struct curl_api *curl = curl_api(error);

    if (!curl)
        return -ELIBACC;
    http->curl = curl;
    if (!initialized && curl->curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        snprintf(error, HTTP_ERROR_BYTES, "libcurl cannot be initialized");
        return -EIO;
    }
    initialized = true;
    http->multi = curl->curl_multi_init();
    if (!http->multi) {
        snprintf(error, HTTP_ERROR_BYTES, "out of memory");
        return -ENOMEM;
    }
    curl->curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_curl_socket);
    curl->curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl->curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_curl_timer);
    curl->curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    http->view.loaded = true;
    return 0;
}

int http_create(struct http **ret, struct loop *loop, const struct clock *clock)
{
    struct http *http = calloc(1, sizeof(*http));
    int r;

    if (!http)
        return -ENOMEM;
    http->loop = loop;
    http->clock = clock;
    r = loop_add_alarm(loop, &http->alarm, on_alarm, http);
    if (r < 0) {
        free(http);
        return r;
    }
    *ret = http;
    return 0;
}

void http_destroy(struct http *http)
{
    if (!http)
        return;
    while (http->transfers)
        free_transfer(http->transfers); // NOLINT(clang-analyzer-unix.Malloc): it takes it out
    if (http->multi)
        http->curl->curl_multi_cleanup(http->multi);
    loop_remove(http->alarm);
    free(http);
}

int http_start(struct http *http, struct http_transfer **ret, const struct http_request *request,
               http_done_fn *fn, void *ctx, char error[HTTP_ERROR_BYTES])
{
    struct http_transfer *transfer;
    int r = http->multi ? 0 : load(http, error);

    if (r < 0)
        return r;
    transfer = calloc(1, sizeof(*transfer));
    if (transfer) {
        transfer->http = http;
        transfer->curl = http->curl;
        transfer->fn = fn;
        transfer->ctx = ctx;
        transfer->easy = http->curl->curl_easy_init();
    }
    if (!transfer || !transfer->easy) {
        free(transfer);
        snprintf(error, HTTP_ERROR_BYTES, "out of memory");
        return -ENOMEM;
    }
    r = http_prepare(transfer, request, error);
    if (r == 0 && http->curl->curl_multi_add_handle(http->multi, transfer->easy) != CURLM_OK) {
        snprintf(error, HTTP_ERROR_BYTES, "out of memory");
        r = -ENOMEM;
    }
    if (r < 0) {
        free_transfer(transfer);
        return r;
    }
    transfer->next = http->transfers;
    if (transfer->next)
        transfer->next->previous = transfer;
    http->transfers = transfer;
    http->view.started_total++;
    http->view.in_flight++;
    if (ret)
        *ret = transfer;
    return 0;
}

void http_cancel(struct http_transfer *transfer)
{
    if (!transfer)
        return;
    transfer->http->view.in_flight--;
    transfer->http->view.cancelled_total++;
    free_transfer(transfer);
}

void http_view(const struct http *http, struct http_view *ret)
{
    *ret = http->view;
}
