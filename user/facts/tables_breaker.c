/* How breakers read in JSON. */
#include "config/choices.h"
#include "facts/breaker_entry.h"
#include "facts/tables.h"

#define TYPE struct breaker_figures
static const struct field figures_fields[] = {
    ROW("consecutive_failures", FIELD_U64, consecutive_failures),
    ROW("window_calls", FIELD_U64, window.count, .about = "calls the two shares are taken over"),
    ROW("failed_percent", FIELD_DOUBLE, failure_percent, .decimals = 1,
        .unknown = "no calls in the window"),
    ROW("slow_percent", FIELD_DOUBLE, slow_percent, .decimals = 1,
        .unknown = "no calls in the window"),
    ROW("probes", FIELD_U64, probes, .about = "let through since it was last half open"),
    ROW("probes_succeeded", FIELD_U64, probe_successes),
    ROW("probes_failed", FIELD_U64, probe_failures),
};
static const struct field_table figures_table =
    FIELD_TABLE("BreakerFigures", figures_fields, "What a breaker decides by.");
#undef TYPE

static const char *say(struct field_text *text)
{
    const struct transition_entry *entry = text->object;

    /* As it was said then: the next try counts from the transition. */
    breaker_say(entry->transition, entry->transition->at_ns, text->buffer, FIELD_TEXT_BYTES);
    return text->buffer;
}

static const char *address_of(struct field_text *text)
{
    return ((const struct transition_entry *)text->object)->transition->address;
}

#define TYPE struct breaker_transition
static const struct field transition_facts[] = {
    ROW("epoch", FIELD_U64, epoch, .about = "counts transitions"),
    ROW("by_kernel", FIELD_BOOL, by_kernel, .about = "made by the kernel's side"),
    ROW("threshold", FIELD_DOUBLE, figures.threshold, .decimals = 1,
        .unknown = "the cause has no threshold", .about = "the one that was reached"),
    ROW("figures", FIELD_OBJECT, figures, .table = &figures_table),
};
static const struct field_table facts_table =
    FIELD_TABLE("TransitionFacts", transition_facts, NULL);
#undef TYPE

#define TYPE struct transition_entry
static const struct field transition_fields[] = {
    ROW("at", FIELD_TIME, at_realtime_ns, .unknown = "before the agent started"),
    ROW("from", FIELD_STRING, from, .choices = breaker_state_names),
    ROW("to", FIELD_STRING, to, .choices = breaker_state_names),
    ROW("cause", FIELD_STRING, cause, .choices = breaker_cause_names),
    COMPUTED("reason", say, .about = "in words"),
    COMPUTED("address", address_of),
    ROW("retry_at", FIELD_TIME, retry_realtime_ns, .unknown = "it did not open"),
    {.kind = FIELD_MERGE,
     .offset = offsetof(struct transition_entry, transition),
     .table = &facts_table},
};
const struct field_table transition_table =
    FIELD_TABLE("BreakerTransition", transition_fields, "A change of a breaker's state.");
#undef TYPE

#define TYPE struct storm_entry
static const struct field storm_fields[] = {
    ROW("comm", FIELD_CHARS, client.comm),
    ROW("pid", FIELD_U32, client.pid, .about = "of its first attempt"),
    ROW("cgroup", FIELD_STRING, cgroup, .unknown = "the cgroup is gone, or none is mounted"),
    ROW("attempts_per_second", FIELD_DOUBLE, client.attempts_per_second, .decimals = 1,
        .unknown = "nothing was counted yet"),
    ROW("usual_per_second", FIELD_DOUBLE, client.usual_per_second, .decimals = 3,
        .unknown = "still learning what is usual", .about = "while the upstream works"),
    ROW("since", FIELD_TIME, since_realtime_ns, .unknown = "not known"),
};
static const struct field_table storm_table =
    FIELD_TABLE("RetryStorm", storm_fields,
                "A local client whose attempts to connect to an upstream grow while it fails.");
#undef TYPE

static void label_breaker(const void *row, struct row_labels *ret)
{
    const struct breaker_entry *r = row;

    row_label(ret, "upstream", r->name);
}

#define TYPE struct breaker_entry
#define SWITCHES(name, offer)                                                                      \
    FIGURE(FIELD_U64, switches_total[offer], .label = {"to", (name)},                              \
           COUNTER("moonwatch_fallback_switches",                                                  \
                   "Changes of what callers get instead of an upstream, by what they got then.",   \
                   .labels = "upstream to "))
static const struct field breaker_fields[] = {
    ROW("name", FIELD_STRING, name),
    ROW("addresses", FIELD_STRINGS, addresses, .count_offset = offsetof(TYPE, address_count)),
    ROW("state", FIELD_STRING, state, .choices = breaker_state_names,
        GAUGE("moonwatch_breaker_state", "1 for the state a circuit breaker is in.",
              .labels = "upstream state "),
        .label = {"state"}),
    ROW("mode", FIELD_STRING, mode, .choices = breaker_mode_names),
    ROW("enforced", FIELD_BOOL, enforced,
        .about = "whether connects to all its addresses are refused or redirected while it is open",
        GAUGE("moonwatch_breaker_enforced",
              "1 when connects to all its addresses are refused or redirected while it is open.")),
    ROW("not_enforced_because", FIELD_STRING, not_enforced, .unknown = "it is enforced"),
    ROW("since", FIELD_TIME, since_realtime_ns, .unknown = "before the agent started"),
    ROW("retry_at", FIELD_TIME, retry_realtime_ns, .unknown = "it is not open"),
    ROW("recovery_timeout_seconds", FIELD_DURATION, breaker.recovery_timeout_ns, .decimals = 3,
        .about = "of the next opening, before jitter"),
    ROW("figures", FIELD_OBJECT, breaker.figures, .table = &figures_table),
    ROW("last_transition", FIELD_OBJECT, last, .table = &transition_table,
        .missing_at = MISSING_AT(TYPE, no_transition)),
    ROW("fallback", FIELD_STRING, fallback, .choices = fallback_offer_names,
        .about = "where callers go now"),
    ROW("fallback_endpoint", FIELD_STRING, fallback_endpoint, .unknown = "none is in use"),
    ROW("fallback_refusal", FIELD_STRING, fallback_refusal, .unknown = "nothing was refused",
        .about = "why the fallback has nothing to offer"),
    ROW("fallback_switches_total", FIELD_U64, fallback_switches_total),
    {.key = "retry_storms",
     .kind = FIELD_ROWS,
     .offset = offsetof(TYPE, storms),
     .count_offset = offsetof(TYPE, storm_count),
     .stride = sizeof(struct storm_entry),
     .table = &storm_table,
     .about = "clients that try ever more often"},
    ROW("retry_storms_total", FIELD_U64, storms_total, .about = "since the agent started",
        COUNTER("moonwatch_retry_storms", "Times that a client began to do so."),
        AFTER("moonwatch_retry_storm_clients")),
    ROW("opened_total", FIELD_U64, breaker.opened_total, .about = "since the agent started",
        COUNTER("moonwatch_breaker_opened", "Times it opened, since the agent started.")),
    ROW("transitions_total", FIELD_U64, breaker.transitions_total, .about = "likewise",
        COUNTER("moonwatch_breaker_transitions", "Changes of state, since the agent started.")),
    ROW("refused_total", FIELD_U64, breaker.refused_total, .about = "connects",
        COUNTER("moonwatch_breaker_connects_refused", "Connects refused.")),
    ROW("redirected_total", FIELD_U64, breaker.redirected_total, .about = "connects",
        COUNTER("moonwatch_breaker_connects_redirected", "Connects sent to the fallback.")),
    ROW("probes_total", FIELD_U64, breaker.probes_total, .about = "connects let through half open",
        COUNTER("moonwatch_breaker_probes", "Connects let through while half open.")),
    ROW("would_refuse_total", FIELD_U64, breaker.would_refuse_total,
        .about = "connects that mode enforce had refused or redirected",
        COUNTER("moonwatch_breaker_connects_would_refuse",
                "Connects that mode enforce had refused or redirected.")),
    FIGURE(FIELD_U64, storming,
           GAUGE("moonwatch_retry_storm_clients",
                 "Local clients whose attempts to connect grow while the upstream fails.")),
    SWITCHES("primary", FALLBACK_OFFERS_PRIMARY),
    SWITCHES("alternative", FALLBACK_OFFERS_ENDPOINT),
    SWITCHES("cached", FALLBACK_OFFERS_CACHED),
    SWITCHES("reduced", FALLBACK_OFFERS_REDUCED),
    SWITCHES("nothing", FALLBACK_OFFERS_NOTHING),
};
FIELD_METRICS(breaker_fields, "upstream ", NEED_UPSTREAMS);
const struct field_table breaker_table =
    FIELD_TABLE("CircuitBreaker", breaker_fields, "The circuit breaker of an upstream.",
                .label = label_breaker);

#undef TYPE
