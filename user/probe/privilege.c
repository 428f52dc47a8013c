#include "probe/privilege.h"
#include <linux/capability.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    int number;
    const char *name;
    const char *use;
} capabilities[] = {
    {CAP_BPF, "CAP_BPF", "loading BPF programs and maps"},
    {CAP_PERFMON, "CAP_PERFMON", "tracing programs that read kernel memory"},
    {CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "run-time statistics, mounting bpffs, reading maps by id"},
    {CAP_NET_ADMIN, "CAP_NET_ADMIN", "cgroup and socket programs"},
    {CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "cgroup names, other users' files"},
    {CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "other users' processes"},
};

/* The effective set; 0 when it cannot be read. */
static uint64_t effective_set(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

    if (syscall(SYS_capget, &header, data) < 0)
        return 0;
    return data[0].effective | (uint64_t)data[1].effective << 32;
}

static bool held(int capability)
{
    return effective_set() >> capability & 1;
}

size_t privilege_count(void)
{
    return sizeof(capabilities) / sizeof(capabilities[0]);
}

void privilege_view(size_t index, struct privilege *ret)
{
    *ret = (struct privilege){.name = capabilities[index].name,
                              .use = capabilities[index].use,
                              .held = held(capabilities[index].number)};
}

const char *privilege_missing_for_bpf(void)
{
    /* CAP_SYS_ADMIN implies both, as it did before they were split off in Linux 5.8. */
    if (held(CAP_SYS_ADMIN))
        return NULL;
    if (!held(CAP_BPF))
        return "CAP_BPF is missing (run as root or grant CAP_BPF and CAP_PERFMON)";
    if (!held(CAP_PERFMON))
        return "CAP_PERFMON is missing (run as root or grant CAP_BPF and CAP_PERFMON)";
    return NULL;
}
