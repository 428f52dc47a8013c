/* What a connect() pays for the breakers' program: to an upstream whose breaker is closed, and to
 * one whose breaker refuses. The empty program hangs on the same cgroup all the time. */
#include "abi/breaker.h"
#include "breaker.skel.h"
#include "own_cgroup.h"
#include "program_cost.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define REQUIRED_NS 300
#define ADDRESSES 200
#define PORT 9 /* discard: nobody listens, the answer is a reset */

static char cgroup[300];
static pid_t load;

static void stop_all(void)
{
    if (load > 0) {
        kill(load, SIGKILL);
        waitpid(load, NULL, 0);
    }
    if (cgroup[0])
        cgroup_remove(cgroup);
}

void fail(const char *what, int error)
{
    fprintf(stderr, "connect: %s: %s\n", what, strerror(error < 0 ? -error : error));
    stop_all();
    exit(1);
}

/* A process of the cgroup that connects all the time, to no avail. */
static void start_load(void)
{
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    load = fork();
    if (load)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!cgroup_write(cgroup, "cgroup.procs", "0"))
        _exit(1);
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        connect(fd, (const struct sockaddr *)&to, sizeof(to));
        close(fd);
    }
}

/* The upstream is one of many. */
static void fill(struct breaker_bpf *breaker, enum breaker_state state)
{
    struct breaker_agent agent = {.expires_ns = UINT64_MAX >> 1};
    struct breaker_row row = {
        .word = BREAKER_WORD(1, state), .enforce = 1, .clients_cgroup_id = CLIENTS_EVERYBODY};
    __u32 zero = 0;

    for (__u32 i = 0; i < ADDRESSES; i++) {
        struct upstream_key key = {.prefix_bits = 16 + 128, .port = htons(PORT)};
        struct upstream_value value = {.upstream = i};
        __u32 address = htonl(INADDR_LOOPBACK + i);

        key.addr[10] = key.addr[11] = 0xff;
        memcpy(key.addr + 12, &address, sizeof(address));
        if (bpf_map_update_elem(bpf_map__fd(breaker->maps.upstream_host), &key, &value, 0))
            fail("the addresses", errno);
    }
    if (bpf_map_update_elem(bpf_map__fd(breaker->maps.breaker_row), &zero, &row, 0) ||
        bpf_map_update_elem(bpf_map__fd(breaker->maps.breaker_agent), &zero, &agent, 0))
        fail("the rows", errno);
}

static double measure(int empty, int cgroup_fd, enum breaker_state state)
{
    static const char *const wanted[] = {"breaker_conn4", NULL};
    struct breaker_bpf *breaker = breaker_bpf__open();
    int program, link;
    double ns;

    if (!breaker)
        fail("the breakers' object", errno);
    load_only(breaker->obj, wanted);
    fill(breaker, state);
    program = bpf_program__fd(breaker->progs.breaker_conn4);
    link = bpf_link_create(program, cgroup_fd, BPF_CGROUP_INET4_CONNECT, NULL);
    if (link < 0)
        fail("attaching", errno);
    ns = measure_programs(&program, &empty, 1);
    close(link);
    breaker_bpf__destroy(breaker);
    return ns;
}

int main(void)
{
    LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_CGROUP_INET4_CONNECT);
    double closed[ROUNDS], refusing[ROUNDS];
    int stats = bpf_enable_stats(BPF_STATS_RUN_TIME), empty, cgroup_fd;
    char mount[128];

    if (stats < 0)
        fail("run-time statistics", errno);
    if (!cgroup_mount(NULL, mount, sizeof(mount)))
        fail("cgroup v2", ENOENT);
    snprintf(cgroup, sizeof(cgroup), "%s/moonwatch-bench-%d", mount, getpid());
    if (!cgroup_make(cgroup))
        fail(cgroup, errno);
    cgroup_fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    empty = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "empty", "GPL", returns_1, 2, &options);
    if (empty < 0 || bpf_link_create(empty, cgroup_fd, BPF_CGROUP_INET4_CONNECT, NULL) < 0)
        fail("the empty program", errno);
    start_load();
    for (int round = 0; round < ROUNDS; round++) {
        closed[round] = measure(empty, cgroup_fd, BREAKER_CLOSED);
        refusing[round] = measure(empty, cgroup_fd, BREAKER_OPEN);
    }
    stop_all();
    print_cost("connect() to an upstream, breaker closed", "net ns/connect", closed, REQUIRED_NS);
    print_cost("connect() to an upstream, refused", "net ns/connect", refusing, REQUIRED_NS);
    return 0;
}
