/* What following calls costs: per pair of send and receive on one socket, and per change of a
 * connection's state beside packaged tcplife on the same load. Both ends of the load are on this
 * host: the one is a client of a known upstream and the other a known service, or both nobody's. */
#include "abi/call.h"
#include "program_cost.h"
#include "request.skel.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define REQUIRED_PAIR_NS 250
#define REQUIRED_RATIO 6
#define PORT 22090
#define CLOSER_PORT (PORT + 1)
#define TCPLIFE "/usr/sbin/tcplife"

enum { SERVER, CLOSER, PINGER, CONNECTOR, PEER, CHILDREN };

static pid_t children[CHILDREN];

static void stop(int child)
{
    if (children[child] <= 0)
        return;
    kill(children[child], SIGKILL);
    waitpid(children[child], NULL, 0);
    children[child] = 0;
}

void fail(const char *what, int error)
{
    fprintf(stderr, "calls: %s: %s\n", what, strerror(error < 0 ? -error : error));
    for (int i = 0; i < CHILDREN; i++)
        stop(i);
    exit(1);
}

static struct sockaddr_in address_of(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

/* One connection after the other, each until its client ends it. */
static void serve(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        char text[64];

        while (recv(fd, text, sizeof(text), 0) > 0 && send(fd, "answer", 6, MSG_NOSIGNAL) > 0)
            ;
        close(fd);
    }
}

/* Closing first keeps TIME_WAIT away from the client's ports. */
static void close_at_once(int listener)
{
    for (;;)
        close(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
}

static pid_t start(void (*run)(int), int argument)
{
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(argument);
        _exit(1);
    }
    return pid;
}

static int connect_once(uint16_t port)
{
    struct sockaddr_in to = address_of(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void ping(int unused)
{
    int fd = connect_once(PORT);
    char text[64];

    (void)unused;
    while (send(fd, "request", 7, MSG_NOSIGNAL) > 0 && recv(fd, text, sizeof(text), 0) > 0)
        ;
}

static void connect_for_ever(int unused)
{
    (void)unused;
    for (;;) {
        int fd = connect_once(CLOSER_PORT);
        char byte;

        if (fd >= 0 && recv(fd, &byte, 1, 0) <= 0)
            close(fd);
    }
}

static pid_t start_server(uint16_t port, void (*run)(int))
{
    struct sockaddr_in to = address_of(port);
    pid_t pid;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (const struct sockaddr *)&to, sizeof(to)) || listen(listener, 512))
        fail("the server", errno);
    pid = start(run, listener);
    close(listener);
    return pid;
}

static struct request_bpf *open_ours(const char *const *wanted, __u32 port)
{
    struct upstream_key key = {.prefix_bits = 16 + 128, .port = htons((uint16_t)port)};
    struct call_limit limit = {.slow_ns = 1000000000, .timeout_ns = 30000000000};
    struct breaker_row row = {.failure_threshold = 1000000, .clients_cgroup_id = CLIENTS_EVERYBODY};
    struct request_bpf *request = request_bpf__open();
    struct upstream_value value = {0};
    __u64 of_port = port;
    __u32 loopback = htonl(INADDR_LOOPBACK), zero = 0, service_row = UPSTREAMS_MAX;

    if (!request)
        fail("the calls' object", errno);
    load_only(request->obj, wanted);
    key.addr[10] = key.addr[11] = 0xff;
    memcpy(key.addr + 12, &loopback, sizeof(loopback));
    if (bpf_map_update_elem(bpf_map__fd(request->maps.upstream_host), &key, &value, 0) ||
        bpf_map_update_elem(bpf_map__fd(request->maps.breaker_row), &zero, &row, 0) ||
        bpf_map_update_elem(bpf_map__fd(request->maps.call_limit), &zero, &limit, 0) ||
        bpf_map_update_elem(bpf_map__fd(request->maps.call_limit), &service_row, &limit, 0))
        fail("the maps", errno);
    if (bpf_map_update_elem(bpf_map__fd(request->maps.service_port), &of_port, &zero, 0))
        fail("the service", errno);
    if (request_bpf__attach(request))
        fail("attaching", errno);
    return request;
}

static double measure_pair(const int empties[2], __u32 followed_port)
{
    static const char *const wanted[] = {"request_state", "request_sent", "request_read", NULL};
    struct request_bpf *request = open_ours(wanted, followed_port);
    const int programs[] = {bpf_program__fd(request->progs.request_sent),
                            bpf_program__fd(request->progs.request_read)};
    double ns;

    children[PINGER] = start(ping, 0);
    ns = measure_programs(programs, empties, 2);
    stop(PINGER);
    request_bpf__destroy(request);
    return ns;
}

static double measure_tracking(int empty, __u32 followed_port)
{
    static const char *const wanted[] = {"request_state", NULL};
    struct request_bpf *request = open_ours(wanted, followed_port);
    int program = bpf_program__fd(request->progs.request_state);
    double ns;

    children[CONNECTOR] = start(connect_for_ever, 0);
    ns = measure_programs(&program, &empty, 1);
    stop(CONNECTOR);
    request_bpf__destroy(request);
    return ns;
}

static double measure_tcplife(int empty)
{
    int program[COST_PROGRAMS_MAX];
    double ns;

    children[PEER] = fork();
    if (children[PEER] == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (freopen("/dev/null", "w", stdout))
            execl(TCPLIFE, "tcplife", NULL);
        _exit(127);
    }
    wait_programs(children[PEER], program, 1);
    children[CONNECTOR] = start(connect_for_ever, 0);
    ns = measure_programs(program, &empty, 1);
    stop(CONNECTOR);
    stop(PEER);
    close(program[0]);
    return ns;
}

static void print_tracking(const char *name, double *ours, double *peers)
{
    double spread, peer_spread, ns = median_of(ours, &spread);
    double peer = median_of(peers, &peer_spread);

    printf(
        "{\"name\": \"%s\", \"unit\": \"net ns/state change\", \"ours\": %.1f, "
        "\"peer_name\": \"tcplife\", \"peer\": %.1f, \"ratio\": %.4f, "
        "\"required\": \"<= 1/%d\", \"ok\": %s, \"repetitions\": %d, \"spread_percent\": %.1f}\n",
        name, ns, peer, ns / peer, REQUIRED_RATIO, ns * REQUIRED_RATIO <= peer ? "true" : "false",
        ROUNDS, spread);
}

int main(void)
{
    double followed[ROUNDS], nobodys[ROUNDS], ours[ROUNDS], passing[ROUNDS], peers[ROUNDS];
    int stats = bpf_enable_stats(BPF_STATS_RUN_TIME), empties[2], empty_state;

    if (stats < 0)
        fail("run-time statistics", errno);
    empties[0] = empty_on("sock_send_length");
    empties[1] = empty_on("tcp_rcv_space_adjust");
    empty_state = empty_on("inet_sock_set_state");
    children[SERVER] = start_server(PORT, serve);
    children[CLOSER] = start_server(CLOSER_PORT, close_at_once);
    for (int round = 0; round < ROUNDS; round++) {
        followed[round] = measure_pair(empties, PORT);
        nobodys[round] = measure_pair(empties, CLOSER_PORT);
        ours[round] = measure_tracking(empty_state, CLOSER_PORT);
        passing[round] = measure_tracking(empty_state, PORT);
        peers[round] = measure_tcplife(empty_state);
    }
    stop(SERVER);
    stop(CLOSER);
    print_cost("calls: send and receive on a socket that is followed", "net ns/pair", followed,
               REQUIRED_PAIR_NS);
    print_cost("calls: send and receive on a socket of nobody", "net ns/pair", nobodys,
               REQUIRED_PAIR_NS);
    print_tracking("connection tracking, both ends followed", ours, peers);
    print_tracking("connection tracking, sockets of nobody", passing, peers);
    return 0;
}
