#include "facts/call_entry.h"
#include "base/clock.h"
#include "facts/tables.h"

#define TYPE struct call_stats
#define FAILURES(name, failure, reason, ...)                                                       \
    ROW(name, FIELD_U64, failures[failure], .label = {"reason", (reason)},                         \
        COUNTER("moonwatch_service_failures",                                                      \
                "Failed calls, and failed connects of an upstream's clients, by reason.",          \
                .labels = "role name reason "),                                                    \
        __VA_ARGS__)

/* Failed connects, then failed calls. */
static const struct field failure_fields[] = {
    FAILURES("refused", CALL_CONNECT_REFUSED, "connect_refused"),
    FAILURES("timed_out", CALL_CONNECT_TIMED_OUT, "connect_timed_out"),
    FAILURES("unreachable", CALL_CONNECT_UNREACHABLE, "connect_unreachable"),
    FAILURES("reset", CALL_CONNECT_RESET, "connect_reset"),
    FAILURES("other", CALL_CONNECT_OTHER, "connect_other"),
    FAILURES("reset", CALL_RESET, "reset", .about = "a reset instead of an answer"),
    FAILURES("closed", CALL_CLOSED, "closed", .about = "closed instead of an answer"),
    FAILURES("http_5xx", CALL_HTTP_5XX, "http_5xx", .about = "where statuses are read"),
    FAILURES("timed_out", CALL_TIMED_OUT, "timed_out"),
};
FIELD_METRICS(failure_fields, "role name reason ", NEED_CALLS);
_Static_assert(sizeof(failure_fields) / sizeof(failure_fields[0]) == CALL_FAILURE_COUNT,
               "a row for each way to fail");

#define CONNECT_FAILURES (CALL_CONNECT_OTHER + 1)
static const struct field_table connects_failed_table = {
    .name = "ClientConnectsFailed",
    .about = "Failed connects, by reason.",
    .fields = failure_fields,
    .count = CONNECT_FAILURES,
};
static const struct field_table calls_failed_table = {
    .name = "CallsFailed",
    .about = "Calls that failed on an open connection.",
    .fields = failure_fields + CONNECT_FAILURES,
    .count = CALL_FAILURE_COUNT - CONNECT_FAILURES,
};
#undef TYPE

#define TYPE struct call_entry
#define COUNT(name, member, ...) ROW(name, FIELD_U64, stats.member, __VA_ARGS__)

static const struct field entry_fields[] = {
    ROW("in_flight", FIELD_U64, in_flight,
        GAUGE("moonwatch_service_calls_in_flight",
              "Calls not answered when the open sockets were last looked at."),
        .missing_at = MISSING_AT(TYPE, flight_missing),
        .about = "not answered when the open sockets were last looked at"),
    ROW("oldest_in_flight_seconds", FIELD_READING, oldest_in_flight_seconds, .decimals = 6,
        .about = "its age then",
        GAUGE("moonwatch_service_call_oldest_seconds",
              "Age of the oldest of them; no sample when there is none.")),
    COUNT("slow_total", slow, .about = "slower than slow_call_ms",
          COUNTER("moonwatch_service_calls_slow", "Calls slower than slow_call_ms.")),
    COUNT("throttled_total", throttled, .about = "answered with HTTP status 429",
          COUNTER("moonwatch_service_calls_throttled", "Calls answered with HTTP status 429.")),
    COUNT("abandoned_total", abandoned, .about = "given up by the side that waited",
          COUNTER("moonwatch_service_calls_abandoned",
                  "Calls given up by the side that waited for the answer.")),
    ROW("failed_total", FIELD_OBJECT, stats, .table = &calls_failed_table,
        AFTER("connects_failed_total")),
    COUNT("connects_total", opened, .about = "connections that were established",
          COUNTER("moonwatch_service_connects", "Connections that were established.")),
    ROW("connections_open", FIELD_U64, connections_open,
        GAUGE("moonwatch_service_connections_open", "Connections that are established now.")),
    ROW("connects_failed_total", FIELD_OBJECT, stats, .table = &connects_failed_table,
        .missing_at = MISSING_AT(TYPE, accepts), AFTER("in_flight")),
    COUNT("connects_abandoned_total", connects_abandoned,
          .about = "by the caller, or for want of a local port",
          COUNTER("moonwatch_service_connects_abandoned",
                  "Connects given up by the caller, or for want of a local port."),
          AFTER("connects_total")),
    COUNT("sent_bytes_total", bytes_sent, .about = "payload that was acknowledged",
          COUNTER("moonwatch_service_sent_bytes", "Payload that was acknowledged.")),
    COUNT("received_bytes_total", bytes_received,
          COUNTER("moonwatch_service_received_bytes", "Payload that was received.")),
    COUNT("segments_sent_total", segments_sent, .about = "with payload",
          COUNTER("moonwatch_service_segments_sent", "TCP segments with payload.")),
    COUNT("retransmits_total", retransmits, .about = "segments sent again",
          COUNTER("moonwatch_service_segments_retransmitted", "TCP segments sent again.")),
    ROW("sent_bytes_per_second", FIELD_READING, transport.sent_bytes_per_second, .decimals = 1),
    ROW("received_bytes_per_second", FIELD_READING, transport.received_bytes_per_second,
        .decimals = 1),
    ROW("retransmit_percent", FIELD_READING, transport.retransmit_percent, .decimals = 3,
        .about = "segments sent again, of all with payload, in the window",
        GAUGE("moonwatch_service_retransmit_ratio",
              "Segments sent again, of all with payload, over the window.")),
    ROW("round_trip_seconds", FIELD_READING, transport.round_trip_seconds, .decimals = 6,
        .about = "mean of the smoothed round-trip times in the window",
        GAUGE("moonwatch_service_round_trip_seconds",
              "Mean of the smoothed round-trip times over the window.")),
};
FIELD_METRICS(entry_fields, "role name ", NEED_CALLS);
const struct field_table call_entry_table = FIELD_TABLE(
    "CallFigures", entry_fields, "What the kernel counted of the calls since the agent started.",
    .missing_at = MISSING_AT(TYPE, missing));
#undef TYPE

void call_entry_fill(struct call_entry *ret, const struct call_figures *calls,
                     const struct transport_view *transport, bool is_service, const char *missing)
{
    static const char not_looked[] = "the open sockets were not looked at yet";
    const struct call_flight *flight;

    if (!calls) {
        *ret = (struct call_entry){.missing = missing ? missing : "calls are not followed yet"};
        return;
    }
    flight = &calls->flight;
    *ret = (struct call_entry){
        .flight_missing = flight->looked_ns ? NULL : not_looked,
        .in_flight = flight->calls,
        .oldest_in_flight_seconds =
            reading_missing(flight->looked_ns ? "no call is in flight" : not_looked),
        .accepts = is_service ? "a service accepts connections" : NULL,
        .stats = calls->stats,
        .transport = *transport,
    };
    if (flight->calls)
        ret->oldest_in_flight_seconds =
            reading_of((double)(flight->looked_ns > flight->oldest_since_ns
                                    ? flight->looked_ns - flight->oldest_since_ns
                                    : 0) /
                       NS_PER_SECOND);
    if (calls->stats.opened > calls->stats.closed)
        ret->connections_open = calls->stats.opened - calls->stats.closed;
}
