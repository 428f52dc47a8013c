/* Circuit breakers, decided and enforced in the kernel. One row per upstream, shared memory between
 * the programs and the agent: array maps created with BPF_F_MMAPABLE, which the agent maps and both
 * sides change with atomic operations on aligned 64-bit words only.
 *
 *   breaker_row    array, index -> struct breaker_row
 *   breaker_agent  array of one struct breaker_agent
 *   upstream_host  hash, struct upstream_key -> struct upstream_value: whose whole address it is
 *   upstream_addr  LPM trie, likewise: prefixes, asked after upstream_host, which is faster
 *
 * The protocol. `word` is epoch << 8 | state. Whoever changes the state does so by one
 * compare-and-swap of the whole word to the next epoch, so that exactly one side makes each
 * transition and a late one fails. The kernel makes two: CLOSED -> OPEN when `consecutive_failures`
 * reaches `failure_threshold`, and HALF_OPEN -> OPEN at the first failed probe; each emits an
 * urgent record, and the very next connect() finds the new state. The agent makes all others.
 * Before it makes a row HALF_OPEN it sets the three `half_open_*` counters to 0.
 *
 * A success sets `consecutive_failures` to 0. It is an answered call, or for a connection that
 * never made one its orderly end. A failed connect or call adds 1, also after other calls of the
 * same connection. What its own side gave up is neither.
 *
 * In HALF_OPEN a connect takes a ticket by adding 1 to `half_open_admitted`: it passes as a probe
 * when it found less than `half_open_max`, else it meets an open breaker. So never more than that
 * pass in one epoch. Every call of a connection admitted so counts, but only in the epoch it was
 * admitted in. When `half_open_successes` reaches `success_threshold` the kernel says so in a
 * record. Epochs of HALF_OPEN are never 0.
 *
 * Nobody is a client of a row that says nothing of its clients: what is not written yet, or names a
 * cgroup that is gone, counts nothing and refuses nobody.
 *
 * Rows with `enforce` 0 are left alone at connect(). The programs that follow calls then count what
 * would have been refused, and let HALF_OPEN take its tickets.
 *
 * Fail-safe: a row is enforced only until `breaker_agent.expires_ns`, which the agent moves on at
 * every tick. Once it is past, connects are untouched.
 */
#ifndef MOONWATCH_ABI_BREAKER_H
#define MOONWATCH_ABI_BREAKER_H

#include <linux/types.h>

enum breaker_state {
    BREAKER_CLOSED,
    BREAKER_OPEN,
    BREAKER_HALF_OPEN,
    BREAKER_FORCED_OPEN, /* by configuration or by hand; never left by itself */
    BREAKER_OFF,         /* disabled: calls are counted and nothing is decided */
    BREAKER_STATE_COUNT,
};

#define BREAKER_STATE_BITS 8
#define BREAKER_STATE_OF(word) ((enum breaker_state)((word)&0xff))
#define BREAKER_EPOCH_OF(word) ((word) >> BREAKER_STATE_BITS)
#define BREAKER_WORD(epoch, state) ((__u64)(epoch) << BREAKER_STATE_BITS | (__u64)(state))

/* In `clients_cgroup_id`; no cgroup has this id. */
#define CLIENTS_EVERYBODY (~0ULL)

#define UPSTREAMS_MAX 256
#define UPSTREAM_ADDRESSES_MAX 4096

/* Where connects go instead while the breaker is open. Two slots: the agent writes the one that is
 * not in use, then switches `fallback_slot`. */
struct breaker_fallback {
    __u8 addr[16]; /* network order; IPv4 as ::ffff:a.b.c.d */
    __u16 port;    /* host order; 0: there is none, connects are refused */
    __u16 pad[3];
};

struct breaker_row {
    __u64 word;
    __u64 name_hash;         /* whose row it is: FNV-1a of the upstream's name; 0: nobody's */
    __u64 enforce;           /* 0: observe, what would be done is counted only */
    __u64 failure_threshold; /* 0: consecutive failures do not open it */
    __u64 consecutive_failures;
    __u64 opened_ns; /* CLOCK_MONOTONIC, of the last transition to OPEN */
    __u64 half_open_max;
    __u64 success_threshold;
    __u64 half_open_admitted; /* tickets asked for, those refused included */
    __u64 half_open_successes;
    __u64 half_open_failures;
    __u64 clients_cgroup_id; /* cgroup v2 whose members are the clients; 0: nobody is */
    __u64 clients_level;     /* depth of that cgroup, the root being 0 */
    __u64 netns_cookie;      /* network namespace of the clients' sockets; 0: any */
    __u64 fallback_slot;
    struct breaker_fallback fallback[2];
    /* Monotonic. */
    __u64 refused_total;
    __u64 redirected_total;
    __u64 probes_total;       /* connects admitted as probes */
    __u64 would_refuse_total; /* observed: what enforcing had refused or redirected */
};

struct breaker_agent {
    __u64 expires_ns; /* CLOCK_MONOTONIC */
    __u64 tgid;       /* the agent's own connects always pass */
    __u64 layout;     /* BREAKER_LAYOUT of the agent that made the maps */
};

/* Goes up with every change of these structures or of the protocol: maps left by an agent of
 * another layout are not taken over. */
#define BREAKER_LAYOUT 3

/* IPv4 addresses are looked up as IPv4-mapped IPv6. The port comes first, so that a prefix of 16 +
 * 96 + 8 bits means 10.0.0.0/8 at that port. */
struct upstream_key {
    __u32 prefix_bits; /* 16 + bits of the address */
    __u16 port;        /* network order */
    __u8 addr[16];
    __u8 pad[2];
};

struct upstream_value {
    __u32 upstream; /* index of its row, below UPSTREAMS_MAX */
    __u32 address;  /* which of its configured addresses */
};

#endif
