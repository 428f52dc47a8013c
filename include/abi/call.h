/* Calls seen at the socket, of clients of known upstreams and of known services here.
 *
 *   call_stats    per-CPU array, call row -> struct call_stats. Monotonic.
 *   call_limit    array, call row -> struct call_limit; written by the agent
 *   call_table    array of one struct call_table; written by the agent
 *   service_port, service_cgroup, service_tgid
 *                 hashes, SERVICE_PORT_KEY (u64), cgroup v2 id (u64), process (u32) -> index of the
 *                 service (u32); written by the agent. The port is asked first.
 *   connect_client  LRU hash, struct connect_client_key -> struct connect_client
 *   call_socket   socket storage, private to the programs
 *
 * A call row is the index of an upstream, or UPSTREAMS_MAX + the index of a service.
 *
 * A call begins when a client sends, or when a service has received, and ends with the first bytes
 * that go the other way, when the process takes or sends them. Its latency is the turn-around at
 * the socket: from the last packet of the request to that of the answer, however long a process
 * took to read what was there (for a service: included, it is part of the service). What it cannot
 * see:
 *   - several requests sent before the first answer are one call;
 *   - bytes that call for no answer (HTTP/2 window updates, one-way protocols) look like a call
 *     that hangs: such upstreams need `timeout` 0;
 *   - a goodbye that the other side obeys before its sender has closed looks like a call that was
 *     closed without an answer;
 *   - a TLS handshake is a call like any other.
 * What is in flight only the rows of a scan say: that a call begins is counted nowhere, which keeps
 * that cheap.
 *
 * The agent's own sockets are not followed, nor those of processes that are not the upstream's
 * clients, nor those that were connected or accepted before the programs ran.
 */
#ifndef MOONWATCH_CALL_H
#define MOONWATCH_CALL_H

#include "abi/breaker.h"
#include "abi/record_head.h"
#include "abi/slots.h"

#define SERVICES_MAX 256
#define CALL_ROWS_MAX (UPSTREAMS_MAX + SERVICES_MAX)

/* A local port (host order) of a network namespace, by its cookie; 0: of any. */
#define SERVICE_PORT_KEY(netns, port) ((__u64)(netns) << 16 | (port))

/* Why a call, or the connect before it, failed. */
enum call_failure {
    CALL_CONNECT_REFUSED,     /* a RST, or ICMP port unreachable */
    CALL_CONNECT_TIMED_OUT,   /* no answer to any SYN, or none for longer than `timeout` */
    CALL_CONNECT_UNREACHABLE, /* no route, ICMP unreachable, no neighbour */
    CALL_CONNECT_RESET,       /* a RST after the peer's SYN (a simultaneous open) */
    CALL_CONNECT_OTHER,
    CALL_RESET,     /* a RST instead of an answer */
    CALL_CLOSED,    /* closed instead of an answer: by the peer of a client, by a service itself */
    CALL_HTTP_5XX,  /* answered with that status */
    CALL_TIMED_OUT, /* no answer for longer than `timeout`, or TCP gave up on the peer */
    CALL_FAILURE_COUNT,
};

/* record_breaker.reason beyond those. */
#define CALL_PROBES_SUCCEEDED CALL_FAILURE_COUNT

struct call_stats {
    struct fine_latency turnaround; /* answered calls */
    __u64 ended_unmeasured; /* others: by a failure, by their own side, or answered unseen */
    __u64 abandoned; /* of those: closed by the side that waited for the answer; a service counts
                      * its client's reset here */
    __u64 failures[CALL_FAILURE_COUNT];
    __u64 slow;               /* older than slow_ns, counted when they became so */
    __u64 throttled;          /* answered with HTTP status 429 */
    __u64 connects_abandoned; /* by the caller, or for want of a local port */
    __u64 opened;             /* connections that were established */
    __u64 closed;             /* of those */
    __u64 bytes_sent;         /* payload that was acknowledged; brought up to date by every scan */
    __u64 bytes_received;     /* payload in order; likewise */
    __u64 segments_sent;      /* with payload, sent again or not; likewise */
    __u64 retransmits;        /* segments sent again; likewise */
    __u64 srtt_ns_sum;        /* smoothed round-trip times, of every connection at every scan ... */
    __u64 srtt_count;         /* ... and at its end */
};

struct call_limit {
    __u64 slow_ns;    /* 0: no call is slow */
    __u64 timeout_ns; /* 0: no call times out */
    __u64 http;       /* not 0: statuses are read (program request_http) */
};

struct call_table {
    __u64 generation;          /* changes with the service maps */
    __u64 services_by_process; /* rows in service_cgroup and service_tgid */
    __u64 followed_since_ns;   /* calls begun before were lost sight of: the programs were shed */
};

/* Attempts to connect to an upstream, those refused by its breaker included, those redirected not.
 */
#define CONNECT_CLIENTS_MAX 256

struct connect_client_key {
    __u64 cgroup_id; /* cgroup v2 */
    __u32 upstream;
    __u32 pad;
    char comm[COMM_BYTES];
};

struct connect_client {
    __u64 attempts; /* monotonic, unless it was pushed out meanwhile */
    __u32 pid;      /* of the first one */
    __u32 pad;
};

/* Flags of a call in flight. */
#define CALL_FLAG_SLOW 1u
#define CALL_FLAG_TIMED_OUT 2u
#define CALL_FLAG_CONNECTING 4u /* its connection is not established yet; clients only */

/* What the iterator `request_scan` writes for each call or connect in flight, having counted those
 * that are slow or timed out since the last scan. */
struct call_row {
    __u64 since_ns; /* CLOCK_MONOTONIC, to 8 ns */
    __u32 row;      /* of call_stats */
    __u32 flags;
    __u32 pid;     /* client: the process that called connect(); 0 for a service */
    __u32 address; /* client: which of the upstream's addresses */
};

/* The call that a breaker's record tells of. */
struct record_call {
    __u32 upstream;    /* index */
    __u32 address;     /* which of its addresses */
    __u32 pid;         /* the process that called connect(); 0: unknown */
    __u16 remote_port; /* host order */
    __u16 pad;
    __u8 remote_addr[16]; /* network order; IPv4 as ::ffff:a.b.c.d */
    char comm[COMM_BYTES];
};

/* The kernel opened a breaker, or enough probes succeeded for the agent to close it (then `from`
 * and `to` are both HALF_OPEN). Urgent. */
struct record_breaker {
    struct record_head head;
    struct record_call call;
    __u64 epoch; /* of the state it is in now */
    __u64 consecutive_failures;
    __u32 from; /* enum breaker_state */
    __u32 to;
    __u32 reason; /* enum call_failure, or CALL_PROBES_SUCCEEDED */
    __u32 pad;
};

/* A call of a client failed while its breaker was closed or half open. Urgent. */
struct record_call_failed {
    struct record_head head;
    struct record_call call;
    __u64 epoch;
    __u64 age_ns;   /* of the call, or of the connect; 0: unknown */
    __u32 reason;   /* enum call_failure */
    __u32 is_probe; /* admitted as one in this epoch */
};

#endif
