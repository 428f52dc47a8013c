#include "alert/doubts.h"
#include <stdio.h>

void doubts_add(const struct plan *plan, const struct config *config, struct config_errors *errors)
{
    const struct doubts d = {plan, config, errors};
    char pointer[DOUBT_POINTER_BYTES];

    doubt_rules(&d);
    doubt_routes(&d);
    doubt_channels(&d);
    for (size_t i = 0; i < plan->inhibit_count; i++) {
        snprintf(pointer, sizeof(pointer), "/alert_manager/inhibit/%zu", i);
        doubt_matchers(&d, plan->inhibits[i].source, NULL, pointer);
        doubt_matchers(&d, plan->inhibits[i].target, NULL, pointer);
    }
    doubt_mutes(&d);
}
