/* Sockets, TCP and routes. */
struct in6_addr {
    union {
        u8 u6_addr8[16];
        u32 u6_addr32[4];
    } in6_u;
};

struct net;

typedef struct {
    struct net *net;
} possible_net_t;

struct sock_common {
    u32 skc_daddr; /* network order */
    u16 skc_dport; /* network order */
    u16 skc_num;
    unsigned short skc_family;
    volatile unsigned char skc_state;
    possible_net_t skc_net;
    struct in6_addr skc_v6_daddr;
    unsigned long skc_flags;
};

/* Bits of skc_flags. */
enum sock_flags {
    SOCK_DEAD,
    SOCK_DONE,
};

struct sock {
    struct sock_common __sk_common;
    int sk_err;
    u8 sk_shutdown;
    u16 sk_protocol;
    u32 sk_max_ack_backlog;
};

struct file;

struct socket {
    struct sock *sk;
};

struct inet_sock {
    struct sock sk;
    u16 inet_sport; /* network order */
};

struct inet_connection_sock {
    struct inet_sock icsk_inet;
};

struct tcp_sock {
    struct inet_connection_sock inet_conn;
    u64 bytes_received;
    u64 bytes_acked;
    u32 snd_una;
    u32 write_seq;
    u32 rcv_nxt;
    u32 snd_nxt;
    u64 tcp_clock_cache; /* CLOCK_MONOTONIC */
    u32 copied_seq;
    u32 srtt_us;
    u32 total_retrans;
    u32 data_segs_out;
};

struct request_sock;

struct sk_buff {
    struct sock *sk;
    char cb[48];
};

/* What TCP keeps in sk_buff.cb. */
struct tcp_skb_cb {
    u16 tcp_gso_segs;
};

struct flowi_common {
    int flowic_oif;
    int flowic_iif;
    u8 flowic_proto;
};

union flowi_uli {
    struct {
        u16 dport; /* network order, both */
        u16 sport;
    } ports;
};

struct flowi4 {
    struct flowi_common __fl_common;
    u32 daddr;
    union flowi_uli uli;
};

struct flowi6 {
    struct flowi_common __fl_common;
    struct in6_addr daddr;
    struct in6_addr saddr;
    union flowi_uli uli;
};

struct fib_nh_common;
struct fib_table;
struct fib6_info;

struct fib6_table {
    u32 tb6_id;
};

struct fib6_result {
    struct fib6_info *f6i;
    u8 fib6_type;
};

struct netns_ipv4 {
    struct fib_table *fib_default;
    bool fib_has_custom_rules;
};

struct netns_ipv6 {
    struct fib6_info *fib6_null_entry;
    bool fib6_has_custom_rules;
};

struct net {
    u64 net_cookie;
    struct netns_ipv4 ipv4;
    struct netns_ipv6 ipv6;
};

struct nsproxy {
    struct net *net_ns;
};
