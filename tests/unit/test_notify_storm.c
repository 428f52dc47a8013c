/* A hundred thousand alerts at once, from the rules to a receiver: every CRITICAL arrives, the rest
 * is counted to the last one, and memory is bounded. */
#include "notify_fixture.h"
#include <malloc.h>
#include <pthread.h>

#define PER_TICK 10000
#define TICKS 10
#define CRITICAL_EVERY 100
#define REQUEST_BYTES_MAX (1 << 20)
#define MEMORY_MAX (16 << 20)

/* Takes one request after the other in a thread of its own. */
struct receiver_thread {
    pthread_t thread;
    int fd;
    uint16_t port;
    char *request;
    bool *told; /* by number */
    unsigned critical_told, requests, digests;
    unsigned long held_back, digest_rows;
};

static void count_criticals(struct receiver_thread *r, const char *body)
{
    static const char pattern[] = "\"alertname\":\"C\",\"number\":\"";

    for (const char *at = body; (at = strstr(at, pattern)); at++) {
        unsigned number = (unsigned)atoi(at + strlen(pattern));

        r->critical_told += !r->told[number];
        r->told[number] = true;
    }
}

static void count_digest(struct receiver_thread *r, const char *body)
{
    const char *at = strstr(body, "\"held_back\":");

    if (!strstr(body, "\"kind\":\"digest\"") || !at)
        return;
    r->digests++;
    r->held_back += strtoul(at + strlen("\"held_back\":"), NULL, 10);
    for (at = strstr(at, "\"digest\":["); at && (at = strstr(at, "\"count\":")); at++)
        r->digest_rows += strtoul(at + strlen("\"count\":"), NULL, 10);
}

static void serve(struct receiver_thread *r, int fd)
{
    static const char answer[] = "HTTP/1.1 204 No Content\r\n\r\n";
    size_t used = 0, length = 0;
    const char *head, *end = NULL;
    ssize_t n;

    while (!end || used < (size_t)(end - r->request) + 4 + length) {
        n = recv(fd, r->request + used, REQUEST_BYTES_MAX - 1 - used, 0);
        if (n <= 0)
            return;
        used += (size_t)n;
        r->request[used] = '\0';
        end = strstr(r->request, "\r\n\r\n");
        head = end ? strcasestr(r->request, "Content-Length: ") : NULL;
        length = head ? strtoul(head + strlen("Content-Length: "), NULL, 10) : 0;
    }
    r->requests++;
    count_criticals(r, end);
    count_digest(r, end);
    if (send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) > 0)
        shutdown(fd, SHUT_WR);
}

static void *run_receiver(void *ctx)
{
    struct receiver_thread *r = ctx;
    int fd;

    while ((fd = accept(r->fd, NULL, NULL)) >= 0) {
        serve(r, fd);
        close(fd);
    }
    return NULL;
}

static void start_receiver(struct receiver_thread *r)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);

    r->told = calloc(PER_TICK * TICKS, sizeof(bool));
    r->request = malloc(REQUEST_BYTES_MAX);
    assert_true(r->told && r->request);
    r->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(r->fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(r->fd, 64), 0);
    getsockname(r->fd, (struct sockaddr *)&address, &size);
    r->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&r->thread, NULL, run_receiver, r), 0);
}

static void stop_receiver(struct receiver_thread *r)
{
    shutdown(r->fd, SHUT_RDWR);
    pthread_join(r->thread, NULL);
    close(r->fd);
    free(r->told);
    free(r->request);
}

static void tell(void *ctx, const struct notification *n)
{
    const struct office *o = ctx;

    notify_send(o->notify, n);
}

static void tick(struct alert_manager *manager, unsigned second, unsigned from, unsigned to)
{
    static struct sample samples[PER_TICK];
    static struct label pairs[PER_TICK];
    static char numbers[PER_TICK][12];
    struct alert_input input = {
        .monotonic_ns = second * NS_PER_SECOND,
        .realtime_ns = STARTS_NS + second * NS_PER_SECOND,
        .samples = samples,
    };

    for (unsigned number = from; number < to; number++) {
        size_t i = input.sample_count++;

        snprintf(numbers[i], sizeof(numbers[i]), "%u", number);
        pairs[i] = (struct label){"number", numbers[i]};
        samples[i] =
            (struct sample){number % CRITICAL_EVERY ? "warning" : "critical", &pairs[i], 1, 1};
    }
    alert_manager_tick(manager, &input);
}

static bool nothing_queued(struct office *o)
{
    return office_view(o, 0).queued == 0;
}

static void blow(const char *route)
{
    struct receiver_thread receiver = {0};
    struct config_errors errors = {0};
    struct alert_manager *manager;
    struct office o;
    size_t before, during = 0;
    char text[1024];

    start_receiver(&receiver);
    office_begin(&o);
    snprintf(text, sizeof(text),
             "{\"alert_manager\":{\"escalation_delay\":0,\"max_alerts_per_hour\":10,"
             "\"rules\":[{\"name\":\"W\",\"metric\":\"warning\",\"above\":0,\"for\":0},"
             "{\"name\":\"C\",\"metric\":\"critical\",\"above\":0,\"for\":0,"
             "\"severity\":\"critical\"},"
             "{\"name\":\"CpuUnknown\",\"metric\":\"x\",\"above\":1},"
             "{\"name\":\"MemoryUnknown\",\"metric\":\"x\",\"above\":1}],"
             "\"channels\":[{\"name\":\"hook\",\"type\":\"webhook\",\"timeout\":60,\"url\":"
             "\"http://127.0.0.1:%u/\"}],\"routes\":[{\"channels\":[\"hook\"],%s}]}}",
             receiver.port, route);
    o.config = load_valid(text, NULL);
    office_open_notify(&o);
    assert_int_equal(alert_manager_create(&manager, o.config,
                                          &(struct alert_ops){.notify = tell, .ctx = &o}, &errors),
                     0);
    before = mallinfo2().uordblks;
    /* Faster than any storm: the ten seconds are one moment to the receiver. */
    for (unsigned i = 0; i < TICKS; i++) {
        size_t now;

        tick(manager, 1000 + i, i * PER_TICK, (i + 1) * PER_TICK);
        now = mallinfo2().uordblks;
        during = now > during ? now : during;
    }
    /* Under a sanitizer there is no figure. */
    if (during > 0)
        assert_in_range(during - before, 0, MEMORY_MAX);
    office_run(&o, nothing_queued);
    for (unsigned second = 1010; second < 6000; second++)
        tick(manager, second, 0, 0);
    office_run(&o, nothing_queued);
    assert_int_equal(office_view(&o, 0).dropped_total, 0);
    stop_receiver(&receiver);
    assert_int_equal(receiver.critical_told, PER_TICK * TICKS / CRITICAL_EVERY);
    assert_int_equal(receiver.requests, office_view(&o, 0).sent_total);
    assert_int_equal(receiver.digests, 1);
    assert_true(receiver.held_back > 0);
    assert_int_equal(receiver.digest_rows, receiver.held_back);
    alert_manager_destroy(manager);
    office_end(&o);
}

static void in_one_group(void **state)
{
    blow("\"group_wait\":0,\"group_interval\":3600,\"group_by\":[\"alertname\"]");
}

static void in_a_group_each(void **state)
{
    blow("\"group_wait\":0,\"group_interval\":3600,\"group_by\":[\"number\"]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_one_group),
        cmocka_unit_test(in_a_group_each),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
