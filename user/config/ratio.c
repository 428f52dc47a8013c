/* Levels in percent that were meant as ratios. */
#include "config/config.h"
#include "config/reader.h"
#include <stdio.h>
#include <string.h>

#define LEVEL(below_, member_)                                                                     \
    {                                                                                              \
        below_, offsetof(struct config, health_monitor.member_)                                    \
    }

static const struct {
    const char *below; /* in health_monitor */
    size_t offset;
} levels[] = {
    LEVEL("thresholds/cpu_warning", thresholds.cpu_warning),
    LEVEL("thresholds/cpu_critical", thresholds.cpu_critical),
    LEVEL("thresholds/memory_warning", thresholds.memory_warning),
    LEVEL("thresholds/memory_critical", thresholds.memory_critical),
    LEVEL("thresholds/disk_warning", thresholds.disk_warning),
    LEVEL("thresholds/disk_critical", thresholds.disk_critical),
    LEVEL("cpu_threshold", short_form.cpu),
    LEVEL("memory_threshold", short_form.memory),
    LEVEL("disk_threshold", short_form.disk),
};

void reader_doubt_ratios(const struct reader *reader, const struct config *config)
{
    char pointer[sizeof(reader->pointer) + 64];

    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        double level;

        memcpy(&level, (const char *)config + levels[i].offset, sizeof(level));
        if (!(level > 0 && level <= 1))
            continue;
        snprintf(pointer, sizeof(pointer), "%s/%s", reader->pointer, levels[i].below);
        config_warning_add(reader->errors, pointer, "%g is a level in percent; is %g meant?", level,
                           100 * level);
    }
}
