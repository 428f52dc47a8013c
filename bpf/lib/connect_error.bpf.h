/* What a connect failed with, and other names that the kernel's UAPI headers do not have. */
#ifndef MOONWATCH_LIB_CONNECT_ERROR_BPF_H
#define MOONWATCH_LIB_CONNECT_ERROR_BPF_H

#include "abi/tcp.h"
#include "vmlinux.h"
#include <linux/errno.h>

#define AF_INET 2
#define AF_INET6 10

/* The kernel's enum of TCP states, which is ABI through TCP_INFO. */
enum {
    TCP_ESTABLISHED = 1,
    TCP_SYN_SENT = 2,
    TCP_SYN_RECV = 3,
    TCP_FIN_WAIT1 = 4,
    TCP_FIN_WAIT2 = 5,
    TCP_CLOSE = 7,
    TCP_CLOSE_WAIT = 8,
    TCP_LAST_ACK = 9,
    TCP_LISTEN = 10,
    TCP_CLOSING = 11,
    TCP_NEW_SYN_RECV = 12,
};

/* What TCP and ICMP put into sk_err of a socket that is connecting (icmp_err_convert and
 * icmpv6_err_convert for the latter), and what routing answers. */
static __always_inline u32 connect_failure_of(u32 error)
{
    switch (error) {
    case ECONNREFUSED:
        return CONNECT_REFUSED;
    case ETIMEDOUT:
        return CONNECT_TIMED_OUT;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case ENONET:
    case ENOPROTOOPT: /* ICMP: no such protocol there */
    case EACCES:      /* prohibited, by a route or by ICMPv6 */
    case EINVAL:      /* a blackhole route */
        return CONNECT_UNREACHABLE;
    case ECONNRESET:
    case EPIPE:
        return CONNECT_RESET;
    case EADDRNOTAVAIL:
        return CONNECT_NO_PORT;
    case 0:
        return CONNECT_ABANDONED;
    default:
        return CONNECT_OTHER;
    }
}

#endif
