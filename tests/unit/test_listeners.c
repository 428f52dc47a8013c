/* Real sockets of this machine, by sock_diag(7). */
#include "tree.h"
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#define BACKLOG 2
#define CLIENTS 8

static struct tree *open_tree(void)
{
    struct tree *t = tree_create();

    assert_int_equal(cgroup_paths_create(&t->env.cgroups, &t->host, CGROUP_UNIFIED), 0);
    t->snapshot.network.listen_overflows_total = reading_of(0);
    t->snapshot.network.listen_drops_total = reading_of(0);
    tree_open(t, &listeners_collector);
    return t;
}

static void close_tree(struct tree *t)
{
    struct cgroup_paths *paths = t->env.cgroups;

    tree_destroy(t);
    cgroup_paths_destroy(paths);
}

/* Listens on a port of its own choice and accepts nobody. */
static int start_listener(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, BACKLOG), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static int start_client(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        assert_int_equal(errno, EINPROGRESS);
    return fd;
}

static const struct listener *find(const struct snapshot *s, uint16_t port)
{
    for (size_t i = 0; i < s->network.listener_count; i++)
        if (s->network.listeners[i].port == port)
            return &s->network.listeners[i];
    return NULL;
}

static void a_queue_that_nobody_accepts_from_is_seen_to_overflow(void **state)
{
    struct tree *t = open_tree();
    const struct listener *row;
    const struct snapshot *s;
    int clients[CLIENTS], fd;
    uint16_t port;

    fd = start_listener(&port);
    s = tree_sample(t, 1);
    if (s->network.listeners_missing) {
        print_message("%s\n", s->network.listeners_missing);
        close(fd);
        close_tree(t);
        skip();
    }
    assert_null(find(s, port));
    for (int i = 0; i < BACKLOG; i++)
        clients[i] = start_client(port);
    row = find(tree_sample(t, 6), port);
    assert_non_null(row);
    assert_true(row->queue == BACKLOG && row->backlog == BACKLOG);
    assert_true(row->usage_percent < 100 && row->drops_total == 0 && row->drop_ns == 0);
    for (int i = BACKLOG; i < CLIENTS; i++)
        clients[i] = start_client(port);
    /* The host's counter tells to look at once. */
    t->snapshot.network.listen_overflows_total = reading_of(5);
    s = tree_sample(t, 1);
    row = find(s, port);
    assert_non_null(row);
    assert_true(row->queue == BACKLOG + 1 && row->usage_percent == 100);
    assert_true(row->drops_total >= CLIENTS - BACKLOG - 1);
    assert_int_equal(row->drop_ns, t->now_ns);
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    close(fd);
    assert_null(find(tree_sample(t, 6), port));
    close_tree(t);
}

/* What a socket dropped before the agent came is no news. */
static void former_drops_are_not_told(void **state)
{
    struct tree *t;
    const struct listener *row;
    int clients[CLIENTS], fd;
    uint16_t port;

    fd = start_listener(&port);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = start_client(port);
    t = open_tree();
    row = find(tree_sample(t, 1), port);
    if (!t->snapshot.network.listeners_missing) {
        assert_non_null(row);
        assert_true(row->drops_total == 0 && row->drop_ns == 0 && row->usage_percent == 100);
    }
    for (int i = 0; i < CLIENTS; i++)
        close(clients[i]);
    close(fd);
    close_tree(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_that_nobody_accepts_from_is_seen_to_overflow),
        cmocka_unit_test(former_drops_are_not_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
