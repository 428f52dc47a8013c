#include "probe/breaker_rows.h"
#include "base/cleanup.h"
#include "probe/probe_state.h"
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

struct upstream_entry {
    struct upstream_key key;
    struct upstream_value value;
};

/* A key has to be followed by its value at once. */
_Static_assert(sizeof(struct upstream_entry) ==
                   sizeof(struct upstream_key) + sizeof(struct upstream_value),
               "no padding");

static size_t shared_bytes(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return (bytes + page - 1) / page * page;
}

void *map_share(struct probe *probe, const char *name, size_t bytes)
{
    const struct kernel_map *map = map_find(probe, name);
    void *at;

    if (!map)
        return NULL;
    at = mmap(NULL, shared_bytes(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, 0);
    return at == MAP_FAILED ? NULL : at;
}

void map_unshare(void *at, size_t bytes)
{
    if (at)
        munmap(at, shared_bytes(bytes));
}

struct breaker_row *probe_breaker_rows(struct probe *probe, const char **ret_reason)
{
    if (!probe->breaker_rows && !probe_concern_active(probe, CONCERN_REQUEST, ret_reason) &&
        !probe_concern_active(probe, CONCERN_BREAKER, ret_reason))
        return NULL;
    if (!probe->breaker_rows)
        *ret_reason = "the breakers' rows cannot be mapped";
    return probe->breaker_rows;
}

bool probe_breaker_adopted(const struct probe *probe)
{
    return probe->breaker_adopted;
}

uint64_t probe_breaker_expires_ns(const struct probe *probe)
{
    const struct breaker_agent *agent = probe->breaker_agent;

    return agent ? __atomic_load_n(&agent->expires_ns, __ATOMIC_ACQUIRE) : 0;
}

int probe_breaker_heartbeat(struct probe *probe, uint64_t expires_ns)
{
    struct breaker_agent *agent = probe->breaker_agent;

    if (!agent)
        return -ENOENT;
    __atomic_store_n(&agent->tgid, (uint64_t)getpid(), __ATOMIC_RELAXED);
    __atomic_store_n(&agent->layout, BREAKER_LAYOUT, __ATOMIC_RELAXED);
    __atomic_store_n(&agent->expires_ns, expires_ns, __ATOMIC_RELEASE);
    return 0;
}

static struct upstream_entry entry_of(const struct upstream_address *address)
{
    struct upstream_entry entry = {
        .key = {.prefix_bits = 16 + address->prefix_bits, .port = htons(address->port)},
        .value = {address->upstream, address->address},
    };

    memcpy(entry.key.addr, address->addr, sizeof(entry.key.addr));
    /* As the kernel gives it back. */
    for (uint32_t bit = address->prefix_bits; bit < 128; bit++)
        entry.key.addr[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    return entry;
}

/* By whether they are of prefixes. */
static const char *const upstream_maps[] = {"upstream_host", "upstream_addr"};

int probe_upstream_of(struct probe *probe, const struct upstream_address *address)
{
    const struct upstream_entry entry = entry_of(address);
    struct upstream_value value;

    for (int prefixes = address->prefix_bits < 128; prefixes < 2; prefixes++) {
        const struct kernel_map *map = map_find(probe, upstream_maps[prefixes]);

        if (map && bpf_map_lookup_elem(map->fd, &entry.key, &value) == 0)
            return (int)value.upstream;
    }
    return -ENOENT;
}

int probe_upstreams_set(struct probe *probe, const struct upstream_address *list, size_t count)
{
    CLEANUP_FREE struct upstream_entry *entries = NULL;
    bool changed;

    if (count > UPSTREAM_ADDRESSES_MAX)
        return -E2BIG;
    for (size_t i = 0; i < count; i++) {
        if (list[i].upstream >= UPSTREAMS_MAX || list[i].prefix_bits > 128)
            return -EINVAL;
    }
    entries = calloc(count ? count : 1, sizeof(*entries));
    if (!entries)
        return -ENOMEM;
    for (int prefixes = 0; prefixes < 2; prefixes++) {
        size_t n = 0;
        int err;

        for (size_t i = 0; i < count; i++) {
            if ((list[i].prefix_bits < 128) == prefixes)
                entries[n++] = entry_of(&list[i]);
        }
        err = map_replace(probe, upstream_maps[prefixes], (char *)entries, n, sizeof(*entries),
                          &changed);
        if (err < 0)
            return err;
    }
    return 0;
}

static void set(__u64 *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

void breaker_set_fallback(struct breaker_row *row, const struct breaker_fallback *fallback)
{
    static const struct breaker_fallback none;
    uint64_t slot = !(__atomic_load_n(&row->fallback_slot, __ATOMIC_SEQ_CST) & 1);

    row->fallback[slot] = fallback ? *fallback : none;
    set(&row->fallback_slot, slot);
}
