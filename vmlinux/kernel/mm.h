/* Memory management. */
struct percpu_counter {
    s64 count; /* without what the CPUs still hold back */
};

enum { MM_FILEPAGES, MM_ANONPAGES, MM_SWAPENTS, MM_SHMEMPAGES, NR_MM_COUNTERS };

struct mm_struct {
    unsigned long total_vm; /* pages */
    struct percpu_counter rss_stat[NR_MM_COUNTERS];
};

/* Before f1a7941243c1 ("mm: convert mm's rss stats into percpu_counter", 6.2). */
struct mm_rss_stat {
    atomic_long_t count[NR_MM_COUNTERS];
};

struct mm_struct___rss_atomic {
    struct mm_rss_stat rss_stat;
};

/* In pages. */
struct page_counter {
    atomic_long_t usage;
    unsigned long max;
};

struct mem_cgroup {
    struct cgroup_subsys_state css;
    struct page_counter memory;
    struct page_counter memsw; /* memory and swap, cgroup v1 only */
};
