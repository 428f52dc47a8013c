/* Names and sentences for people. */
#include "base/clock.h"
#include "base/names.h"
#include "breaker/breaker.h"
#include "config/choices.h"
#include <math.h>
#include <stdio.h>

const char *const breaker_cause_names[] = {
    [BREAKER_CAUSE_CONSECUTIVE] = "consecutive_failures",
    [BREAKER_CAUSE_FAILURE_RATE] = "failure_rate",
    [BREAKER_CAUSE_SLOW_RATE] = "slow_call_rate",
    [BREAKER_CAUSE_RECOVERY_TIMEOUT] = "recovery_timeout",
    [BREAKER_CAUSE_PROBE_FAILED] = "probe_failed",
    [BREAKER_CAUSE_PROBES_SUCCEEDED] = "probes_succeeded",
    [BREAKER_CAUSE_HALF_OPEN_TIMEOUT] = "half_open_timeout",
    [BREAKER_CAUSE_MODE] = "mode",
    [BREAKER_CAUSE_OPENED_BY_HAND] = "opened_by_hand",
    [BREAKER_CAUSE_CLOSED_BY_HAND] = "closed_by_hand",
    [BREAKER_CAUSE_RESET_BY_HAND] = "reset_by_hand",
    [BREAKER_CAUSE_ADOPTED] = "adopted",
    NULL,
};
NAMES_OF(breaker_cause_names, BREAKER_CAUSE_COUNT);

const char *breaker_cause_name(enum breaker_cause cause)
{
    return name_at(breaker_cause_names, BREAKER_CAUSE_COUNT, cause);
}

const char *breaker_mode_name(enum breaker_mode mode)
{
    return name_at(breaker_mode_names, BREAKER_MODE_COUNT, mode);
}

static const char *verb_of(enum breaker_state to)
{
    static const char *const verbs[BREAKER_STATE_COUNT] = {
        [BREAKER_CLOSED] = "closed",       [BREAKER_OPEN] = "opened",
        [BREAKER_HALF_OPEN] = "half open", [BREAKER_FORCED_OPEN] = "forced open",
        [BREAKER_OFF] = "disabled",
    };

    return name_at(verbs, BREAKER_STATE_COUNT, to);
}

/* What every cause says of itself with the figures that are its own. */
static void say_cause(const struct breaker_transition *t, char *out, size_t size)
{
    const struct breaker_figures *f = &t->figures;

    switch (t->cause) {
    case BREAKER_CAUSE_CONSECUTIVE:
        snprintf(out, size, "%llu failures in a row at %s (failure_threshold %g)",
                 (unsigned long long)f->consecutive_failures, t->address, f->threshold);
        break;
    case BREAKER_CAUSE_FAILURE_RATE:
        snprintf(out, size, "%.1f %% of %llu calls to %s failed (failure_rate %g %%)",
                 f->failure_percent, (unsigned long long)f->window.count, t->address, f->threshold);
        break;
    case BREAKER_CAUSE_SLOW_RATE:
        snprintf(out, size, "%.1f %% of %llu calls to %s were slow (slow_call_rate %g %%)",
                 f->slow_percent, (unsigned long long)f->window.count, t->address, f->threshold);
        break;
    case BREAKER_CAUSE_RECOVERY_TIMEOUT:
        snprintf(out, size, "the recovery timeout is over");
        break;
    case BREAKER_CAUSE_PROBE_FAILED:
        snprintf(out, size, "a probe to %s failed after %llu of them succeeded", t->address,
                 (unsigned long long)f->probe_successes);
        break;
    case BREAKER_CAUSE_PROBES_SUCCEEDED:
        snprintf(out, size, "%llu probes to %s succeeded (success_threshold %g)",
                 (unsigned long long)f->probe_successes, t->address, f->threshold);
        break;
    case BREAKER_CAUSE_HALF_OPEN_TIMEOUT:
        if (f->probes || f->probe_successes)
            snprintf(out, size, "no decision before half_open_timeout: %llu probes, %llu succeeded",
                     (unsigned long long)f->probes, (unsigned long long)f->probe_successes);
        else
            snprintf(out, size, "nobody called before half_open_timeout");
        break;
    case BREAKER_CAUSE_MODE:
        snprintf(out, size, "the configuration's mode says so");
        break;
    case BREAKER_CAUSE_OPENED_BY_HAND:
    case BREAKER_CAUSE_CLOSED_BY_HAND:
        snprintf(out, size, "by hand");
        break;
    case BREAKER_CAUSE_RESET_BY_HAND:
        snprintf(out, size, "reset by hand");
        break;
    default:
        snprintf(out, size, "found so when the agent started");
        break;
    }
}

void breaker_say(const struct breaker_transition *t, uint64_t now_ns, char *out, size_t size)
{
    char cause[256], retry[48] = "";

    say_cause(t, cause, sizeof(cause));
    if (t->retry_ns > now_ns)
        snprintf(retry, sizeof(retry), "; next try in %.3g s",
                 (double)(t->retry_ns - now_ns) / (double)NS_PER_SECOND);
    else if (t->to == BREAKER_OPEN)
        snprintf(retry, sizeof(retry), "; next try is due");
    snprintf(out, size, "%s: %s%s", verb_of(t->to), cause, retry);
}
