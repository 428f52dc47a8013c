/* A network behind a TUN device in the test's own namespace: the test is every host in it. It sees
 * what is sent there and answers as it likes, or not at all.
 */
#ifndef MOONWATCH_TEST_TUN_PEER_H
#define MOONWATCH_TEST_TUN_PEER_H

#include "own_netns.h"
#include "probe_fixture.h"
#include <arpa/inet.h>
#include <linux/if_tun.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>

#define TUN_ADDRESS "10.77.0.2" /* of 10.77.0.0/24; the namespace itself is .1 */

struct tun_segment {
    struct iphdr ip;
    struct tcphdr tcp;
};

static inline int tun_open(void)
{
    struct ifreq request = {.ifr_name = "mwpeer", .ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        print_message("no TUN device: %s\n", strerror(errno));
        skip();
    }
    assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
    netns_run("ip addr add 10.77.0.1/24 dev mwpeer && ip link set mwpeer up");
    return fd;
}

/* The next TCP segment sent to the peer, without options and payload. */
static inline struct tun_segment tun_receive(int fd)
{
    uint64_t deadline = monotonic_ns() + DEADLINE_NS;
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    struct tun_segment segment;
    unsigned char packet[2048];

    for (;;) {
        assert_true(monotonic_ns() < deadline);
        if (poll(&readable, 1, 100) != 1)
            continue;
        if (read(fd, packet, sizeof(packet)) < (ssize_t)sizeof(segment))
            continue;
        memcpy(&segment.ip, packet, sizeof(segment.ip));
        if (segment.ip.version != 4 || segment.ip.protocol != IPPROTO_TCP)
            continue;
        memcpy(&segment.tcp, packet + segment.ip.ihl * 4, sizeof(segment.tcp));
        return segment;
    }
}

/* The next one to a port with just these of the flags SYN, ACK and RST: what was sent before may
 * have been sent again. */
static inline struct tun_segment tun_receive_to(int fd, uint16_t port, uint8_t flags)
{
    struct tun_segment segment;

    do {
        segment = tun_receive(fd);
    } while (ntohs(segment.tcp.dest) != port ||
             (segment.tcp.th_flags & (TH_SYN | TH_ACK | TH_RST)) != flags);
    return segment;
}

static inline uint32_t tun_sum(const void *data, size_t bytes, uint32_t sum)
{
    const unsigned char *p = data;

    for (size_t i = 0; i < bytes; i += 2)
        sum += (uint32_t)p[i] << 8 | (i + 1 < bytes ? p[i + 1] : 0);
    return sum;
}

static inline uint16_t tun_checksum(uint32_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

static inline struct iphdr tun_ip_to(const struct tun_segment *asked, uint8_t protocol,
                                     size_t bytes)
{
    struct iphdr ip = {.version = 4,
                       .ihl = 5,
                       .ttl = 64,
                       .protocol = protocol,
                       .tot_len = htons((uint16_t)(sizeof(ip) + bytes)),
                       .saddr = asked->ip.daddr,
                       .daddr = asked->ip.saddr};

    ip.check = tun_checksum(tun_sum(&ip, sizeof(ip), 0));
    return ip;
}

/* A segment of the peer of `asked`; `seq` and `ack` in host order, `flags` TH_SYN and the like. */
static inline void tun_send(int fd, const struct tun_segment *asked, uint32_t seq, uint32_t ack,
                            uint8_t flags)
{
    struct tun_segment reply = {.ip = tun_ip_to(asked, IPPROTO_TCP, sizeof(reply.tcp))};
    uint32_t sum;

    reply.tcp.source = asked->tcp.dest;
    reply.tcp.dest = asked->tcp.source;
    reply.tcp.seq = htonl(seq);
    reply.tcp.ack_seq = htonl(ack);
    reply.tcp.doff = sizeof(reply.tcp) / 4;
    reply.tcp.th_flags = flags;
    reply.tcp.window = htons(65535);
    sum = tun_sum(&reply.ip.saddr, 2 * sizeof(reply.ip.saddr), IPPROTO_TCP + sizeof(reply.tcp));
    reply.tcp.check = tun_checksum(tun_sum(&reply.tcp, sizeof(reply.tcp), sum));
    assert_int_equal(write(fd, &reply, sizeof(reply)), sizeof(reply));
}

/* What a router on the way says of `asked`. */
static inline void tun_send_icmp(int fd, const struct tun_segment *asked, uint8_t type,
                                 uint8_t code)
{
    struct {
        struct iphdr ip;
        struct icmphdr icmp;
        struct iphdr quoted_ip;
        unsigned char quoted_tcp[8];
    } reply = {.icmp = {.type = type, .code = code}, .quoted_ip = asked->ip};

    reply.ip = tun_ip_to(asked, IPPROTO_ICMP, sizeof(reply) - sizeof(reply.ip));
    reply.quoted_ip.ihl = 5;
    memcpy(reply.quoted_tcp, &asked->tcp, sizeof(reply.quoted_tcp));
    reply.icmp.checksum = tun_checksum(tun_sum(&reply.icmp, sizeof(reply) - sizeof(reply.ip), 0));
    assert_int_equal(write(fd, &reply, sizeof(reply)), sizeof(reply));
}

#endif
