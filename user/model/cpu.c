#include "model/cpu.h"

const char *cpu_mode_name(enum cpu_mode mode)
{
    static const char *const names[CPU_MODE_COUNT] = {
        [CPU_USER] = "user",   [CPU_NICE] = "nice",       [CPU_SYSTEM] = "system",
        [CPU_IDLE] = "idle",   [CPU_IOWAIT] = "iowait",   [CPU_IRQ] = "irq",
        [CPU_STEAL] = "steal", [CPU_SOFTIRQ] = "softirq",
    };

    return (unsigned)mode < CPU_MODE_COUNT ? names[mode] : "unknown";
}
