#include "model/process.h"

const char *top_order_name(enum top_order o)
{
    static const char *const names[TOP_ORDER_COUNT] = {
        [TOP_CPU] = "cpu",
        [TOP_RSS] = "rss",
        [TOP_RUN_DELAY] = "run_delay",
        [TOP_BLOCKED] = "blocked",
    };

    return o < TOP_ORDER_COUNT ? names[o] : "unknown";
}
