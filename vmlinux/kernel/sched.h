/* Tasks, signals and run queues. */
struct rq {
    u64 clock;
};

struct cfs_rq {
    struct rq *rq;
};

struct sched_entity {
    u64 sum_exec_runtime;
    unsigned char sched_delayed; /* "sched/fair: Implement delayed dequeue", 6.12 */
    struct cfs_rq *cfs_rq;
};

struct sched_info {
    unsigned long pcount;
    unsigned long long run_delay;
    unsigned long long last_arrival;
    unsigned long long last_queued;
};

struct task_io_accounting {
    u64 read_bytes;
    u64 write_bytes;
};

struct hlist_node;
struct hlist_head {
    struct hlist_node *first;
};

struct pid_namespace;
struct upid {
    int nr;
    struct pid_namespace *ns;
};

/* Their order has been this since 4.19. */
enum pid_type { PIDTYPE_PID, PIDTYPE_TGID, PIDTYPE_PGID, PIDTYPE_SID, PIDTYPE_MAX };

struct pid {
    unsigned int level;
    struct hlist_head tasks[PIDTYPE_MAX];
    struct upid numbers[1]; /* one per level */
};

struct tty_struct;

struct signal_struct {
    atomic_t live; /* threads that have not begun to exit */
    int nr_threads;
    int group_exit_code;
    unsigned int flags;
    struct pid *pids[PIDTYPE_MAX];
    struct tty_struct *tty;
    short oom_score_adj;
    u64 cutime; /* of children that ended and were waited for, theirs included */
    u64 cstime;
    struct task_io_accounting ioac;       /* of the threads that ended */
    unsigned long long sum_sched_runtime; /* likewise */
};

typedef struct {
    unsigned int val;
} kuid_t;

struct cred {
    kuid_t uid;
};

struct mm_struct;
struct linux_binprm;
struct kernel_siginfo;

struct task_struct {
    unsigned int __state;
    unsigned int flags;
    int prio;
    int static_prio;
    unsigned int policy;
    int exit_state;
    int exit_code;
    unsigned int sched_contributes_to_load : 1;
    int pid;
    int tgid;
    struct task_struct *real_parent;
    struct task_struct *group_leader;
    struct pid *thread_pid;
    struct sched_entity se;
    struct sched_info sched_info;
    struct mm_struct *mm;
    u64 start_time;
    u64 start_boottime;
    unsigned long nvcsw;
    unsigned long nivcsw;
    struct task_io_accounting ioac;
    struct css_set *cgroups;
    struct signal_struct *signal;
    struct nsproxy *nsproxy;
    const struct cred *real_cred;
    char comm[16];
};

/* Tracepoints whose arguments differ between kernels: bpf_core_type_exists() of one of these
 * compares the whole prototype. */

/* "exit: move and extend sched_process_exit() tracepoint", 6.16. */
typedef void (*btf_trace_sched_process_exit___group_dead)(void *, struct task_struct *, bool);
/* "mm: update mark_victim tracepoints fields", 6.9 and stable kernels; before, the pid alone. */
typedef void (*btf_trace_mark_victim___task)(void *, struct task_struct *, unsigned int);
