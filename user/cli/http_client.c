#include "cli/http_client.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>

/* More than a body of the agent can be: its metrics page has the same cap. */
#define RESPONSE_BYTES_MAX (8 << 20)

static const char scheme[] = "http://";

static void cleanup_addrinfo(struct addrinfo **list)
{
    if (*list)
        freeaddrinfo(*list);
}

static void cleanup_text(struct text *text)
{
    text_free(text);
}

/* "[::1]:8000", "localhost:8000", "localhost": host and port, false when it is none of them. */
static bool split_authority(struct http_url *url)
{
    const char *host = url->authority;
    bool bracketed = *host == '[';
    const char *end = bracketed ? strchr(host, ']') : host + strcspn(host, ":");
    const char *rest = end ? end + bracketed : NULL;
    size_t len;

    host += bracketed;
    if (!rest || (*rest && *rest != ':'))
        return false;
    len = (size_t)(end - host);
    if (len == 0 || len >= sizeof(url->host))
        return false;
    memcpy(url->host, host, len);
    url->host[len] = '\0';
    rest += *rest == ':';
    if (strlen(rest) >= sizeof(url->port) || strspn(rest, "0123456789") != strlen(rest) ||
        (*rest && (atoi(rest) < 1 || atoi(rest) > UINT16_MAX)))
        return false;
    strcpy(url->port, *rest ? rest : "80"); // NOLINT(clang-analyzer-security.insecureAPI.strcpy)
    return true;
}

int http_url_parse(const char *text, struct http_url *ret, char error[HTTP_ERROR_BYTES])
{
    struct http_url url = {0};
    const char *authority = text + sizeof(scheme) - 1;
    size_t len;

    if (strncasecmp(text, scheme, sizeof(scheme) - 1) == 0) {
        len = strcspn(authority, "/");
        if (len < sizeof(url.authority) && (!authority[len] || !authority[len + 1])) {
            memcpy(url.authority, authority, len);
            if (split_authority(&url)) {
                *ret = url;
                return 0;
            }
        }
    }
    snprintf(error, HTTP_ERROR_BYTES,
             "--url %s: not an agent's address (allowed: http://HOST:PORT)", text);
    return -EINVAL;
}

static int connect_one(const struct addrinfo *address, int *ret_fd)
{
    static const struct timeval timeout = {.tv_sec = HTTP_TIMEOUT_SECONDS};
    CLEANUP_CLOSE int fd =
        socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);

    if (fd < 0)
        return -errno;
    /* The send timeout also bounds connect(). */
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (connect(fd, address->ai_addr, address->ai_addrlen) < 0)
        return errno == EINPROGRESS ? -ETIMEDOUT : -errno;
    *ret_fd = fd;
    fd = -1; // NOLINT(clang-analyzer-deadcode.DeadStores): kept from the cleanup
    return 0;
}

static int connect_to(const struct http_url *url, int *ret_fd, char error[HTTP_ERROR_BYTES])
{
    static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    __attribute__((cleanup(cleanup_addrinfo))) struct addrinfo *list = NULL;
    int r = getaddrinfo(url->host, url->port, &hints, &list);

    if (r) {
        snprintf(error, HTTP_ERROR_BYTES,
                 "no address of http://%s is known: %s (allowed: --url http://HOST:PORT)",
                 url->authority, gai_strerror(r));
        return -EHOSTUNREACH;
    }
    r = -EHOSTUNREACH;
    for (const struct addrinfo *a = list; a && r < 0; a = a->ai_next)
        r = connect_one(a, ret_fd);
    if (r < 0)
        snprintf(error, HTTP_ERROR_BYTES,
                 "no agent answers at http://%s: %s (is `moonwatch run` running there? else --url)",
                 url->authority, strerror(-r));
    return r;
}

static int send_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

struct http_call {
    const char *method, *path, *token, *body; /* NULL: without */
};

static int send_request(int fd, const struct http_url *url, const struct http_call *r)
{
    __attribute__((cleanup(cleanup_text))) struct text request;

    text_init(&request, 4096);
    text_printf(&request, "%s %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n", r->method,
                r->path, url->authority);
    if (r->token)
        text_printf(&request, "Authorization: Bearer %s\r\n", r->token);
    if (r->body)
        text_printf(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                    strlen(r->body));
    text_printf(&request, "Connection: close\r\n\r\n%s", r->body ? r->body : "");
    return request.failed ? -EMSGSIZE : send_all(fd, request.data, request.len);
}

static int receive_all(int fd, struct text *response)
{
    char buffer[16384];

    for (;;) {
        ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (n == 0)
            return response->failed ? -EMSGSIZE : 0;
        text_add_n(response, buffer, (size_t)n);
    }
}

/* Of the headers from `head` to `body`; SIZE_MAX when there is no Content-Length. */
static size_t content_length(const char *head, const char *body)
{
    static const char name[] = "Content-Length:";

    for (const char *line = head; line < body; line = strstr(line, "\r\n") + 2)
        if (strncasecmp(line, name, sizeof(name) - 1) == 0)
            return strtoull(line + sizeof(name) - 1, NULL, 10);
    return SIZE_MAX;
}

int http_parse_response(char *response, size_t len, unsigned *ret_status, char **ret_body,
                        size_t *ret_len)
{
    char *end = strstr(response, "\r\n\r\n");
    unsigned status;
    size_t expected, got;

    if (!end || sscanf(response, "HTTP/1.%*1[01] %3u", &status) != 1)
        return -EBADMSG;
    end += 4;
    got = len - (size_t)(end - response);
    expected = content_length(response, end);
    if (expected != SIZE_MAX && got < expected)
        return -EBADMSG;
    *ret_status = status;
    *ret_body = end;
    *ret_len = expected < got ? expected : got;
    return 0;
}

static int exchange(const struct http_url *url, const struct http_call *request,
                    struct http_answer *ret, char error[HTTP_ERROR_BYTES])
{
    __attribute__((cleanup(cleanup_text))) struct text response;
    CLEANUP_CLOSE int fd = -1;
    struct http_answer answer = {0};
    char *body = NULL;
    int r;

    text_init(&response, RESPONSE_BYTES_MAX);
    r = connect_to(url, &fd, error);
    if (r < 0)
        return r;
    r = send_request(fd, url, request);
    if (r == 0)
        r = receive_all(fd, &response);
    if (r == 0)
        r = response.data ? http_parse_response(response.data, response.len, &answer.status, &body,
                                                &answer.len)
                          : -EBADMSG;
    if (r == 0) {
        answer.body = strndup(body, answer.len);
        r = answer.body ? 0 : -ENOMEM;
    }
    if (r < 0) {
        snprintf(error, HTTP_ERROR_BYTES, "http://%s%s: %s", url->authority, request->path,
                 r == -EBADMSG ? "the answer is not HTTP or was cut short" : strerror(-r));
        return r;
    }
    *ret = answer;
    return 0;
}

int http_get(const struct http_url *url, const char *path, const char *token,
             struct http_answer *ret, char error[HTTP_ERROR_BYTES])
{
    return exchange(url, &(struct http_call){"GET", path, token, NULL}, ret, error);
}

int http_delete(const struct http_url *url, const char *path, const char *token,
                struct http_answer *ret, char error[HTTP_ERROR_BYTES])
{
    return exchange(url, &(struct http_call){"DELETE", path, token, NULL}, ret, error);
}

int http_post(const struct http_url *url, const char *path, const char *token, const char *body,
              struct http_answer *ret, char error[HTTP_ERROR_BYTES])
{
    return exchange(url, &(struct http_call){"POST", path, token, body}, ret, error);
}
