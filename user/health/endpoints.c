/* Active checks as findings of the performance component. */
#include "health/endpoints.h"
#include "health/phrase.h"

/* One lost answer is not worth a page. */
#define FAILURES_TO_SAY 2

void endpoints_judge(const struct endpoint_checks *checks, struct findings *ret)
{
    static const char *const whose[ENDPOINT_OWNER_COUNT] = {"service", "upstream",
                                                            "the fallback of"};

    for (size_t i = 0; checks && i < endpoint_check_count(checks); i++) {
        struct endpoint_check_view view;
        struct finding *finding;
        struct phrase p;

        endpoint_check_view(checks, i, &view);
        if (view.status != ENDPOINT_FAILED || view.consecutive < FAILURES_TO_SAY)
            continue;
        finding = findings_add(ret, COMPONENT_PERFORMANCE, STATUS_DEGRADED);
        if (!finding)
            return;
        phrase_init(&p, finding->text, sizeof(finding->text));
        phrase_add(&p, "check of %s %s failed %u times in a row: %s", whose[view.owner], view.name,
                   view.consecutive, view.reason);
    }
}
