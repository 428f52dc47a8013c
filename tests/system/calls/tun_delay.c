/* Joins two network namespaces by a pair of TUN devices and holds every packet back for a while:
 * what a network in between does, for kernels without netem.
 *
 *   tun_delay NEAR_NETNS FAR_NETNS DEVICE DELAY_MICROSECONDS
 *
 * The devices have the same name in both. It says "ready" when they are there and ends with its
 * input. A full queue drops what comes, as a router does.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PACKET_BYTES 2048
#define QUEUE_PACKETS 4096
#define NS_PER_SECOND 1000000000ULL

struct packet {
    uint64_t due_ns;
    size_t bytes;
    unsigned char data[PACKET_BYTES];
};

struct way {
    int from, to;
    unsigned int first, count;
    struct packet queue[QUEUE_PACKETS];
};

static struct way ways[2];

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

/* The device that this made in the namespace, or -1. A file keeps its device wherever it is used.
 */
static int make_device(const char *netns, const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int space = open(netns, O_RDONLY | O_CLOEXEC);
    int device = -1;

    if (space < 0)
        return -1;
    if (setns(space, CLONE_NEWNET) == 0)
        device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    close(space);
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (device >= 0 && ioctl(device, TUNSETIFF, &request) < 0) {
        close(device);
        device = -1;
    }
    return device;
}

static void take(struct way *way, uint64_t delay_ns)
{
    static unsigned char dropped[PACKET_BYTES];

    for (;;) {
        struct packet *last = &way->queue[(way->first + way->count) % QUEUE_PACKETS];
        bool full = way->count == QUEUE_PACKETS;
        ssize_t bytes = read(way->from, full ? dropped : last->data, PACKET_BYTES);

        if (bytes <= 0)
            return;
        if (full)
            continue;
        last->bytes = (size_t)bytes;
        last->due_ns = now_ns() + delay_ns;
        way->count++;
    }
}

/* Lets out what is due. Returns when the next is, or UINT64_MAX. */
static uint64_t let_out(struct way *way)
{
    while (way->count) {
        struct packet *packet = &way->queue[way->first];

        if (packet->due_ns > now_ns())
            return packet->due_ns;
        /* What the other side has no room for is lost, as on a wire. */
        if (write(way->to, packet->data, packet->bytes) < 0 && errno == EBADFD)
            return UINT64_MAX;
        way->first = (way->first + 1) % QUEUE_PACKETS;
        way->count--;
    }
    return UINT64_MAX;
}

static void wait_for_more(uint64_t until_ns)
{
    struct pollfd files[] = {
        {.fd = ways[0].from, .events = POLLIN},
        {.fd = ways[1].from, .events = POLLIN},
        {.fd = STDIN_FILENO, .events = POLLIN},
    };
    struct timespec left = {0};
    uint64_t now = now_ns();

    if (until_ns != UINT64_MAX && until_ns > now) {
        left.tv_sec = (time_t)((until_ns - now) / NS_PER_SECOND);
        left.tv_nsec = (long)((until_ns - now) % NS_PER_SECOND);
    }
    ppoll(files, 3, until_ns == UINT64_MAX ? NULL : &left, NULL);
    if (files[2].revents)
        exit(0);
}

int main(int argc, char **argv)
{
    uint64_t delay_ns;
    int near, far;

    if (argc != 5) {
        fprintf(stderr, "usage: tun_delay NEAR_NETNS FAR_NETNS DEVICE DELAY_MICROSECONDS\n");
        return 2;
    }
    delay_ns = strtoull(argv[4], NULL, 10) * 1000;
    near = make_device(argv[1], argv[3]);
    far = near < 0 ? -1 : make_device(argv[2], argv[3]);
    if (far < 0) {
        fprintf(stderr, "tun_delay: %s in %s and %s: %s\n", argv[3], argv[1], argv[2],
                strerror(errno));
        return 1;
    }
    ways[0].from = ways[1].to = near;
    ways[0].to = ways[1].from = far;
    puts("ready");
    fflush(stdout);
    for (;;) {
        uint64_t next[2];

        for (int i = 0; i < 2; i++) {
            take(&ways[i], delay_ns);
            next[i] = let_out(&ways[i]);
        }
        wait_for_more(next[0] < next[1] ? next[0] : next[1]);
    }
}
