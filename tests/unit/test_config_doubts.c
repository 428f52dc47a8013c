/* Configurations that are allowed and page nobody: each is a warning, and those that are meant are
 * none. */
#include "doubt_scene.h"
#include "facts/metrics.h"
#include <errno.h>

#define ALERTS(inside) "{\"alert_manager\":{" inside "}}"
#define CHANNELS                                                                                   \
    "\"channels\":[{\"name\":\"a\",\"type\":\"log\"},{\"name\":\"b\",\"type\":\"log\"}],"
#define ROUTES(inside)                                                                             \
    ALERTS(CHANNELS "\"routes\":[" inside "{\"channels\":[\"a\",\"b\"],\"group_by\":[]}]")
#define SLIGHT(rule)                                                                               \
    "\"channels\":[{\"name\":\"a\",\"type\":\"log\",\"minimum_severity\":\"critical\"}],"          \
    "\"rules\":[{"                                                                                 \
    "\"name\":\"X\"," USAGE "," rule "}]"
#define ANY "\"matchers\":[\"severity!=info\"],"
#define ESCALATES(match)                                                                           \
    "\"routes\":[{" match                                                                          \
    "\"channels\":[\"a\"],\"escalate_to\":[\"b\"]},{\"channels\":[\"a\"],\"group_by\":[]}]"
#define UPSTREAM(sections, inside)                                                                 \
    "{" sections "\"upstreams\":[{\"name\":\"a\",\"address\":\"10.0.0.1:1\"," inside "}]}"
#define UPSTREAM_AT(address, inside)                                                               \
    "{\"upstreams\":[{\"name\":\"a\",\"address\":\"" address "\"," inside "}]}"
#define REDUCED "\"fallback\":{\"strategy\":\"reduced\",\"response\":{\"status\":503}}"
#define FALLBACKS_OFF "\"circuit_breaker\":{\"fallback\":{\"enabled\":false}},"
#define MODE(mode) "\"breaker\":{\"mode\":\"" mode "\"}"
#define PROBE_OFF(probe) "\"overhead\":{\"probes\":{\"" probe "\":\"off\"}},"
#define BREAKERS_OFF "\"circuit_breaker\":{\"enabled\":false},"
#define FALLBACK "\"fallback\":{\"strategy\":\"alternative\",\"endpoints\":[\"10.0.0.2:1\"]}"
/* Units are looked up where there are none. */
#define SERVICE(match)                                                                             \
    "{\"server\":{\"host_root\":\"/"                                                               \
    "dev\"},\"services\":[{\"name\":\"a\",\"kind\":\"job\",\"match\":{" match "}}]}"
#define EXE(path)                                                                                  \
    "{\"services\":[{\"name\":\"a\",\"kind\":\"job\",\"match\":{\"exe\":\"" path "\"}}]}"
#define RULE(inside) ALERTS("\"rules\":[{\"name\":\"X\"," inside "}]")

#define UPSTREAMS "\"upstreams\":[{\"name\":\"u\",\"address\":\"192.0.2.1:443\"}]"
#define MUTE(inside) ALERTS("\"mute_windows\":[{\"name\":\"n\",\"utc\":true," inside "}]")
#define USAGE "\"metric\":\"moonwatch_filesystem_usage_ratio\",\"above\":0.9"
#define OFF "\"enabled\":false"
#define WITHOUT(probe, rule)                                                                       \
    "{\"overhead\":{\"probes\":{\"" probe "\":\"off\"}},\"alert_manager\":{\"rules\":[{\"name\":"  \
    "\"X\"," rule "}]}}"

static void what_pages_nobody_is_doubted(void **state)
{
    static const struct {
        const char *text, *pointer, *message;
    } cases[] = {
        {ALERTS(CHANNELS OFF), "/alert_manager/enabled", "nobody is told anything"},
        {ALERTS("\"rules\":[{\"name\":\"X\"," USAGE "}]," OFF), "/alert_manager/enabled",
         "nobody is told anything"},
        {ALERTS(CHANNELS "\"routes\":[{\"channels\":[\"a\",\"b\"],\"match\":{\"severity\":"
                         "\"critical\"}}]"),
         "/alert_manager/routes", "is told to nobody"},
        {ALERTS(CHANNELS "\"routes\":[{\"channels\":[\"a\"]}]"), "/alert_manager/channels/1",
         "is told nothing: no route names \"b\""},
        {ROUTES("{\"channels\":[\"a\"]},"), "/alert_manager/routes/1",
         "takes no alert: route 0 before it takes all"},
        {ROUTES("{\"channels\":[\"a\"],\"match\":{\"severity\":\"crit\"}},"),
         "/alert_manager/routes/0", "no severity is so called"},
        {ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"severity=~\\\"page|urgent\\\"\"]},"),
         "/alert_manager/routes/0", "no severity is so called"},
        {ROUTES("{\"channels\":[\"a\"],\"match\":{\"alertname\":\"HostCPU\"}},"),
         "/alert_manager/routes/0", "no rule that is enabled has such a name"},
        {ALERTS("\"rules\":[{\"name\":\"HostCpu\",\"enabled\":false}],\"inhibit\":[{\"source\":{"
                "\"alertname\":\"HostCpu\"},\"target\":{\"alertname\":\"OomKill\"}}]"),
         "/alert_manager/inhibit/0", "no rule that is enabled has such a name"},
        {ALERTS("\"inhibit\":[{\"source\":{\"alertname\":\"HostCpu\"},\"target\":{\"host\":\"h\"}"
                "}]"),
         "/alert_manager/inhibit/0", "no alert has a label \"host\""},
        {ALERTS("\"mute_windows\":[{\"name\":\"n\",\"start\":\"01:00\",\"end\":\"02:00\","
                "\"utc\":true,\"matchers\":[\"team!=\\\"\\\"\"]}]"),
         "/alert_manager/mute_windows/0", "no alert has a label \"team\""},
        {ROUTES("{\"channels\":[\"a\"],\"match\":{\"check\":\"dsik\"}},"),
         "/alert_manager/routes/0", "no health check has such a name"},
        {RULE("\"kind\":\"status\",\"match\":{\"check\":\"disk:/var\"}"), "/alert_manager/rules/0",
         "no health check has such a name"},
        {RULE("\"kind\":\"event\",\"event\":\"oom\",\"matchers\":[\"mount=~\\\"/.+\\\"\"]"),
         "/alert_manager/rules/0", "no alert of this kind has a label \"mount\""},
        {ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"cgroup=~\\\"app.slice/.*\\\"\"]},"),
         "/alert_manager/routes/0", "the path of a cgroup begins with \"/\""},
        {"{" UPSTREAMS ",\"alert_manager\":{\"rules\":[{\"name\":\"X\",\"kind\":\"degradation\","
         "\"match\":{\"service\":\"shop\"}}]}}",
         "/alert_manager/rules/0", "no alert of this kind has a label \"service\""},
        {RULE("\"metric\":\"node_load1\",\"above\":1"), "/alert_manager/rules/0",
         "cannot fire: there is no metric \"node_load1\""},
        {RULE("\"enabled\":false"), "/alert_manager/rules/0",
         "switches nothing off: no rule that is built in is called \"X\""},
        {ALERTS("\"rules\":[{\"name\":\"HostCPU\",\"kind\":\"status\",\"enabled\":false}]"),
         "/alert_manager/rules/0", "switches nothing off"},
        {ALERTS("\"channels\":[{\"name\":\"a\",\"type\":\"log\",\"minimum_severity\":\"critical\"},"
                "{\"name\":\"b\",\"type\":\"log\"}],\"routes\":[{\"channels\":[\"a\"],\"match\":{"
                "\"severity\":\"warning\"}},{\"channels\":[\"b\"]}]"),
         "/alert_manager/routes/0", "tells nobody"},
        {ALERTS("\"channels\":[{\"name\":\"a\",\"type\":\"log\",\"minimum_severity\":\"error\"},"
                "{\"name\":\"b\",\"type\":\"log\"}],\"routes\":[{\"channels\":[\"a\"],\"match\":{"
                "\"alertname\":\"ReclaimStalls\"}},{\"channels\":[\"b\"]}]"),
         "/alert_manager/routes/0", "tells nobody"},
        {ROUTES("{\"channels\":[\"a\"],\"match\":{\"check\":\"disk\"}},{\"channels\":[\"b\"],"
                "\"matchers\":[\"severity=critical\",\"check=disk\"]},"),
         "/alert_manager/routes/1", "route 0 before it takes all that it matches"},
        {ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"severity=~\\\"critical|error\\\"\"]},{"
                "\"channels\":[\"b\"],\"match\":{\"severity\":\"critical\"}},"),
         "/alert_manager/routes/1", "route 0 before it takes all that it matches"},
        {ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"severity!=info\"]},{\"channels\":[\"b\"],"
                "\"matchers\":[\"severity=~\\\"warning|error\\\"\",\"check=disk\"]},"),
         "/alert_manager/routes/1", "route 0 before it takes all that it matches"},
        {ROUTES(
             "{\"channels\":[\"a\"],\"matchers\":[\"alertname=~\\\"Host.*\\\"\"]},{\"channels\":["
             "\"b\"],\"matchers\":[\"alertname=~\\\"HostCpu|HostDisk\\\"\"]},"),
         "/alert_manager/routes/1", "route 0 before it takes all that it matches"},
        {ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"unit=~\\\"nginx.*\\\"\"]},{\"channels\":["
                "\"b\"],\"matchers\":[\"unit=nginx.service,severity=critical\"]},"),
         "/alert_manager/routes/1", "route 0 before it takes all that it matches"},
        {ROUTES("{\"channels\":[\"a\"],\"match\":{\"severity\":\"info\"},\"group_by\":["
                "\"alertname\",\"untt\"]},"),
         "/alert_manager/routes/0/group_by/1", "no alert has a label \"untt\""},
        {ALERTS("\"inhibit\":[{\"source\":{\"alertname\":\"HostCpu\"},\"target\":{\"severity\":"
                "\"warning\"},\"equal\":[\"instance\"]}]"),
         "/alert_manager/inhibit/0/equal/0", "is equal in all: no alert has a label \"instance\""},
        {ROUTES("{\"channels\":[\"a\"],\"match\":{\"unit\":\"nginx\"}},"),
         "/alert_manager/routes/0", "nginx.service"},
        {MUTE("\"start\":\"00:00\",\"end\":\"23:59\""), "/alert_manager/mute_windows/0",
         "mutes every alert at all times"},
        {MUTE("\"start\":\"08:00\",\"end\":\"20:00\"},{\"name\":\"m\",\"utc\":true,\"start\":"
              "\"20:00\",\"end\":\"08:00\""),
         "/alert_manager/mute_windows/1", "mutes every alert at all times"},
        {MUTE("\"start\":\"00:00\",\"end\":\"24:00\""), "/alert_manager/mute_windows/0",
         "mutes every alert at all times"},
        {MUTE("\"start\":\"00:00\",\"end\":\"24:00\",\"matchers\":[\"severity=~\\\"error|"
              "critical\\\"\"]"),
         "/alert_manager/mute_windows/0", "mutes every CRITICAL alert at all times"},
        {MUTE("\"start\":\"00:00\",\"end\":\"24:00\",\"matchers\":[\"alertname=~\\\".+\\\"\"]"),
         "/alert_manager/mute_windows/0", "mutes every alert at all times"},
        {ALERTS(
             "\"mute_windows\":[{\"name\":\"n\",\"time_zone\":\"UTC\",\"start\":\"00:00\",\"end\":"
             "\"12:00\"},{\"name\":\"m\",\"time_zone\":\"Etc/UTC\",\"start\":\"12:00\",\"end\":"
             "\"24:00\"}]"),
         "/alert_manager/mute_windows/1", "mutes every alert at all times"},
        {ALERTS(
             "\"mute_windows\":[{\"name\":\"n\",\"start\":\"00:00\",\"end\":\"12:00\",\"match\":{"
             "\"severity\":\"critical\"}},{\"name\":\"m\",\"time_zone\":\"Asia/Tokyo\",\"start\":"
             "\"21:00\",\"end\":\"09:00\"}]"),
         "/alert_manager/mute_windows/1", "mutes every CRITICAL alert at all times"},
        {"{\"health_monitor\":{\"thresholds\":{\"disk_warning\":0.7}}}",
         "/health_monitor/thresholds/disk_warning", "is 70 meant?"},
        {UPSTREAM(BREAKERS_OFF, MODE("enforce")), "/upstreams/0/breaker/mode",
         "refuses nothing: circuit_breaker.enabled is false"},
        {UPSTREAM(BREAKERS_OFF, MODE("forced_open")), "/upstreams/0/breaker/mode",
         "refuses nothing: circuit_breaker.enabled is false"},
        {UPSTREAM(PROBE_OFF("breaker"), MODE("forced_open")), "/upstreams/0/breaker/mode",
         "refuses nothing: overhead.probes.breaker is \"off\""},
        {UPSTREAM(PROBE_OFF("request"), MODE("enforce")), "/upstreams/0/breaker/mode",
         "never opens: clients' calls are not counted"},
        {UPSTREAM(PROBE_OFF("request"),
                  MODE("enforce") ",\"check\":{\"type\":\"http\",\"url\":\"http://10.0.0.1:1/\"}"),
         "/upstreams/0/breaker/mode", "opens by the upstream's own check alone"},
        {UPSTREAM("", FALLBACK), "/upstreams/0/fallback",
         "is never used: the breaker's mode is \"observe\""},
        {UPSTREAM("", FALLBACK "," MODE("disabled")), "/upstreams/0/fallback",
         "is never used: the breaker's mode is \"disabled\""},
        {UPSTREAM("", "\"breaker\":{\"on_open\":\"close\"}"), "/upstreams/0/breaker/on_open",
         "closes nothing"},
        {ROUTES("{\"channels\":[\"a\"],\"match\":{\"severity\":\"info\"},\"repeat_interval\":60},"),
         "/alert_manager/routes/0/repeat_interval", "60 is below group_interval 300"},
        {ROUTES("{\"channels\":[\"a\"],\"match\":{\"severity\":\"info\"},\"group_wait\":60,"
                "\"group_interval\":30},"),
         "/alert_manager/routes/0/group_wait", "60 is over group_interval 30"},
        {ALERTS(SLIGHT("\"severity\":\"info\"")), "/alert_manager/rules/0", "is told to nobody"},
        {ALERTS("\"escalation_limit\":1," SLIGHT("\"severity\":\"warning\"")),
         "/alert_manager/rules/0", "is told to nobody"},
        {ALERTS(CHANNELS "\"escalation_delay\":0," ESCALATES(ANY)),
         "/alert_manager/routes/0/escalate_to", "escalation_delay is 0"},
        {ALERTS(CHANNELS "\"escalation_limit\":0," ESCALATES(ANY)),
         "/alert_manager/routes/0/escalate_to", "escalation_limit is 0"},
        {ALERTS(CHANNELS "\"escalation_minimum_severity\":\"error\"," ESCALATES(
             "\"match\":{\"severity\":\"warning\"},")),
         "/alert_manager/routes/0/escalate_to", "below escalation_minimum_severity"},
        {UPSTREAM("", "\"breaker\":{\"slow_call_ms\":60000}"), "/upstreams/0/breaker/slow_call_ms",
         "failed by the timeout of 30 s"},
        {UPSTREAM("", "\"breaker\":{\"slow_call_ms\":500,\"timeout\":0.5}"),
         "/upstreams/0/breaker/slow_call_ms", "(allowed: less than 500)"},
        {UPSTREAM("", "\"breaker\":{\"slow_call_rate\":50}"), "/upstreams/0/breaker/slow_call_rate",
         "without slow_call_ms no call is slow"},
        {UPSTREAM_AT("10.0.0.1:443", "\"read_status\":true"), "/upstreams/0/read_status",
         "speaks TLS"},
        {UPSTREAM_AT("10.0.0.0/8:5432", "\"read_status\":true"), "/upstreams/0/read_status",
         "speaks PostgreSQL"},
        {UPSTREAM_AT("h:443", REDUCED "," MODE("enforce")), "/upstreams/0/fallback/strategy",
         "answers in plain HTTP"},
        {UPSTREAM(FALLBACKS_OFF, FALLBACK "," MODE("enforce")), "/upstreams/0/fallback",
         "is never used: circuit_breaker.fallback.enabled is false"},
        {"{\"health_monitor\":{\"cpu_threshold\":0.8}}", "/health_monitor/cpu_threshold",
         "is 80 meant?"},
        {ROUTES("{\"channels\":[\"a\"],\"match\":{\"cgroup\":\"/sys/fs/cgroup/app.slice\"}},"),
         "/alert_manager/routes/0", "named from their mount on"},
        {ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"cgroup=~\\\"/sys/fs/cgroup/app.*\\\"\"]},"),
         "/alert_manager/routes/0", "named from their mount on"},
        {SERVICE("\"unit\":\"nginx.servce\""), "/services/0/match/unit", "is nginx.service meant?"},
        {SERVICE("\"unit\":\"docker.sock\""), "/services/0/match/unit", "is docker.socket meant?"},
        {SERVICE("\"unit\":\"backup.timer\""), "/services/0/match/unit",
         "a timer has no processes"},
        {SERVICE("\"unit\":\"getty@.service\""), "/services/0/match/unit", "is a template"},
        {SERVICE("\"unit\":\"app.slice\""), "/services/0/match/unit", "a slice has no processes"},
        {SERVICE("\"cgroup\":\"/app.slice\""), "/services/0/match/cgroup",
         "a slice has no processes"},
        {SERVICE("\"unit\":\"nginx*\""), "/services/0/match/unit", "is compared as it stands"},
        {SERVICE("\"comm\":\"php*\""), "/services/0/match/comm", "is compared as it stands"},
        {EXE("/bin/sh"), "/services/0/match/exe", "leads to /usr/bin/"},
        {SERVICE("\"cgroup\":\"/sys/fs/cgroup/system.slice/a.service\""),
         "/services/0/match/cgroup", "(allowed: /system.slice/a.service)"},
        {UPSTREAM("", "\"clients\":{\"cgroup\":\"/sys/fs/cgroup/a\"}"),
         "/upstreams/0/clients/cgroup", "(allowed: /a)"},
        {ROUTES("{\"channels\":[\"a\"],\"match\":{\"severity\":\"error|critical\"}},"),
         "/alert_manager/routes/0", "severity=~"},
        {RULE(USAGE ",\"matchers\":[\"mount=\\\"/data*\\\"\"]"), "/alert_manager/rules/0",
         "matches nothing: \"/data*\" is compared as it stands"},
        {RULE(USAGE ",\"match\":{\"mount\":\".*\"}"), "/alert_manager/rules/0", "mount=~"},
        {RULE(USAGE ",\"matchers\":[\"mount!=\\\"/run.*\\\"\"]"), "/alert_manager/rules/0",
         "excludes nothing: \"/run.*\" is compared as it stands (allowed: in matchers, mount!~"},
        {RULE(USAGE ",\"matchers\":[\"mount=~\\\"/data*\\\"\"]"), "/alert_manager/rules/0",
         "* only repeats the character before it"},
        {RULE(USAGE ",\"match\":{\"mount\":\"/run/user/1000\"}"), "/alert_manager/rules/0",
         "matches nothing with mount \"/run/user/1000\""},
        {RULE(USAGE ",\"matchers\":[\"mount=~\\\"/run/user/.*\\\"\"]"), "/alert_manager/rules/0",
         "is of one session"},
        {RULE(USAGE ",\"match\":{\"mount\":\"/proc\"}"), "/alert_manager/rules/0",
         "it has no storage of its own"},
        {RULE("\"kind\":\"status\",\"match\":{\"check\":\"disk\",\"subject\":\"/proc\"}"),
         "/alert_manager/rules/0", "it has no storage of its own"},
        {RULE(USAGE ",\"match\":{\"fstype\":\"nfs4\"}"), "/alert_manager/rules/0",
         "it is behind a server"},
        {RULE(USAGE ",\"match\":{\"device\":\"sda1\"}"), "/alert_manager/rules/0",
         "the device of a filesystem is a path"},
        {RULE(USAGE ",\"matchers\":[\"device!=nvme0n1p2\"]"), "/alert_manager/rules/0",
         "excludes nothing"},
        {RULE("\"metric\":\"moonwatch_block_in_flight\",\"above\":9,\"match\":{\"device\":"
              "\"/dev/sda\"}"),
         "/alert_manager/rules/0", "without /dev/"},
        {RULE("\"metric\":\"moonwatch_block_in_flight\",\"above\":9,\"match\":{\"device\":"
              "\"nvme0n1p1\"}"),
         "/alert_manager/rules/0", "partitions have no figures"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_doubt(cases[i].text, cases[i].pointer, cases[i].message);
}

static void what_cannot_fire_is_doubted(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {RULE("\"metric\":\"moonwatch_filesystem_usage\",\"above\":0.9"),
         "the nearest is moonwatch_filesystem_usage_ratio"},
        {RULE("\"metric\":\"moonwatch_ticks\",\"above\":9"),
         "the nearest is moonwatch_ticks_total"},
        {RULE("\"metric\":\"moonwatch_tcp_rtt_seconds_bucket\",\"above\":9"),
         "moonwatch_tcp_rtt_seconds is a histogram"},
        {RULE("\"metric\":\"moonwatch_block_latency_seconds\",\"above\":9"),
         "rules see moonwatch_block_latency_seconds_count and moonwatch_block_latency_seconds_sum"},
        {RULE("\"kind\":\"absent\",\"metric\":\"moonwatch_run_queue_delay_seconds_p99\""),
         "always fires: moonwatch_run_queue_delay_seconds is a histogram"},
        {RULE("\"kind\":\"absent\",\"metric\":\"moonwatch_cpu_usage\""),
         "always fires: there is no metric"},
        {RULE("\"metric\":\"moonwatch_scrape_seconds\",\"above\":9"), "cannot fire: it tells of"},
        {RULE("\"metric\":\"moonwatch_filesystem_usage_ratio\",\"above\":90"),
         "never fires: the metric is a share"},
        {RULE("\"metric\":\"moonwatch_filesystem_usage_ratio\",\"above\":-1"), "fires always"},
        {RULE("\"metric\":\"moonwatch_cpu_usage_ratio\",\"below\":0"), "never fires"},
        {RULE("\"metric\":\"moonwatch_cpu_usage_ratio\",\"below\":10"), "fires always"},
        {RULE("\"metric\":\"moonwatch_ticks_total\",\"below\":0"), "never fires"},
        {RULE(USAGE ",\"matchers\":[\"mount=/a,mount=/b\"]"), "no value of \"mount\""},
        {RULE(USAGE ",\"matchers\":[\"mount=/a,mount!~\\\"/.*\\\"\"]"), "no value of \"mount\""},
        {RULE(USAGE ",\"matchers\":[\"mount!~\\\".*\\\"\"]"), "no value of \"mount\""},
        {RULE(USAGE ",\"matchers\":[\"mount!~\\\"(?s:.*)|x\\\"\"]"), "no value of \"mount\""},
        {RULE(USAGE ",\"match\":{\"mount\":\"var\"}"), "a mount begins with \"/\""},
        {RULE(USAGE ",\"match\":{\"mount\":\"/var/\"}"), "ends in /"},
        {RULE(USAGE ",\"matchers\":[\"mount=~\\\"var\\\"\"]"), "a mount begins with \"/\""},
        {RULE("\"metric\":\"moonwatch_ticks_total\",\"above\":1,\"match\":{\"mount\":\"/\"}"),
         "moonwatch_ticks_total has no label \"mount\""},
        {RULE(USAGE ",\"match\":{\"severity\":\"warning\"}"), "has no label \"severity\""},
        {RULE("\"kind\":\"absent\",\"metric\":\"moonwatch_load1\",\"match\":{\"core\":\"0\"}"),
         "moonwatch_load1 has no label \"core\""},
        {RULE("\"kind\":\"event\",\"event\":\"crash\",\"match\":{\"unit\":\"nginx\"}"),
         "nginx.service"},
        {WITHOUT("process", "\"kind\":\"event\",\"event\":\"crash\""),
         "overhead.probes.process is off"},
        {WITHOUT("process", "\"kind\":\"event\",\"event\":\"crash_loop\""),
         "probes.process is off"},
        {WITHOUT("process", "\"kind\":\"event\",\"event\":\"service_failed\""), "process is off"},
        {WITHOUT("oom", "\"kind\":\"event\",\"event\":\"oom\""), "overhead.probes.oom is off"},
        {WITHOUT("reclaim", "\"kind\":\"event\",\"event\":\"stall\""), "probes.reclaim is off"},
        {WITHOUT("blkio", "\"metric\":\"moonwatch_block_errors_total\",\"above\":1"),
         "probes.blkio is off"},
        {WITHOUT("runq", "\"metric\":\"moonwatch_run_queue_delay_seconds_sum\",\"above\":1"),
         "probes.runq is off"},
        {WITHOUT("tcp", "\"metric\":\"moonwatch_tcp_retransmits_total\",\"above\":1"),
         "probes.tcp is off"},
        {WITHOUT("tasks", "\"metric\":\"moonwatch_tasks_stuck_seconds\",\"above\":1"),
         "probes.tasks is off"},
        {WITHOUT("tcp", "\"kind\":\"absent\",\"metric\":\"moonwatch_tcp_opened_total\""),
         "always fires: overhead.probes.tcp is off"},
        {"{\"performance_tracker\":{\"stall_ms\":0},\"alert_manager\":{\"rules\":[{\"name\":\"X\","
         "\"kind\":\"event\",\"event\":\"stall\"}]}}",
         "performance_tracker.stall_ms is 0"},
        {"{\"overhead\":{\"budget_percent\":0},\"alert_manager\":{\"rules\":[{\"name\":\"X\","
         "\"kind\":\"event\",\"event\":\"probe_shed\"}]}}",
         "overhead.budget_percent is 0"},
        {"{\"health_monitor\":{\"enabled\":false},\"alert_manager\":{\"rules\":[{\"name\":\"X\","
         "\"kind\":\"status\"}]}}",
         "health_monitor.enabled is false"},
        {RULE("\"kind\":\"event\",\"event\":\"breaker\""), "there are no upstreams"},
        {RULE("\"kind\":\"degradation\""), "there are no services and no upstreams"},
        {RULE("\"metric\":\"moonwatch_breaker_state\",\"above\":0.5"), "there are no upstreams"},
        {"{" UPSTREAMS ",\"alert_manager\":{\"rules\":[{\"name\":\"X\",\"metric\":"
         "\"moonwatch_endpoint_up\",\"below\":1}]}}",
         "has a check"},
        {"{" UPSTREAMS ",\"circuit_breaker\":{\"enabled\":false},\"alert_manager\":{\"rules\":[{"
         "\"name\":\"X\",\"kind\":\"event\",\"event\":\"breaker\"}]}}",
         "circuit_breaker.enabled is false"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_doubt(cases[i].text, "/alert_manager/rules/0", cases[i].message);
}

static void what_is_meant_is_not_doubted(void **state)
{
    static const char *const cases[] = {
        "{}",
        ALERTS(OFF),
        ALERTS(SLIGHT("\"severity\":\"warning\"")),
        ALERTS(SLIGHT("\"severity\":\"info\",\"enabled\":false")),
        ALERTS(CHANNELS ESCALATES(ANY)),
        ALERTS(CHANNELS "\"escalation_minimum_severity\":\"error\"," ESCALATES(ANY)),
        ALERTS(CHANNELS "\"escalation_delay\":0"),
        RULE(USAGE ",\"matchers\":[\"mount!~\\\"/run/user/.*\\\",mount!=/proc,fstype!=nfs4\"]"),
        RULE(USAGE ",\"match\":{\"fstype\":\"ext4\"}"),
        RULE(USAGE ",\"match\":{\"mount\":\"/not/mounted/here\"}"),
        ROUTES("{\"channels\":[\"a\"],\"match\":{\"severity\":\"info\"},\"repeat_interval\":300},"),
        ROUTES("{\"channels\":[\"a\"],\"match\":{\"severity\":\"info\"},\"group_wait\":30,"
               "\"group_interval\":30},"),
        UPSTREAM("", "\"breaker\":{\"slow_call_ms\":500,\"slow_call_rate\":50}"),
        UPSTREAM_AT("10.0.0.1:80", "\"read_status\":true," REDUCED "," MODE("enforce")),
        UPSTREAM_AT("10.0.0.1:443", FALLBACK "," MODE("enforce")),
        UPSTREAM(FALLBACKS_OFF, "\"fallback\":{\"enabled\":true,\"strategy\":\"alternative\","
                                "\"endpoints\":[\"10.0.0.2:1\"]}," MODE("enforce")),
        MUTE("\"start\":\"00:00\",\"end\":\"24:00\",\"matchers\":[\"severity!=critical\"]"),
        MUTE("\"start\":\"00:00\",\"end\":\"24:00\",\"match\":{\"severity\":\"critical\",\"unit\":"
             "\"test.service\"}"),
        MUTE("\"start\":\"00:00\",\"end\":\"24:00\",\"days\":[\"sat\",\"sun\"],\"match\":{"
             "\"severity\":\"critical\"}"),
        ALERTS(
            "\"mute_windows\":[{\"name\":\"n\",\"time_zone\":\"UTC\",\"start\":\"00:00\",\"end\":"
            "\"12:00\"},{\"name\":\"m\",\"time_zone\":\"Asia/Tokyo\",\"start\":\"12:00\",\"end\":"
            "\"24:00\"}]"),
        ROUTES(
            "{\"channels\":[\"a\"],\"matchers\":[\"severity=~\\\"warning|error|critical\\\"\"]},"),
        ROUTES("{\"channels\":[\"a\"],\"match\":{\"severity\":\"critical\"}},{\"channels\":[\"b\"],"
               "\"matchers\":[\"severity=~\\\"critical|error\\\"\"]},"),
        ROUTES("{\"channels\":[\"a\"],\"match\":{\"severity\":\"critical\"}},{\"channels\":[\"b\"],"
               "\"match\":{\"alertname\":\"HostDisk\"}},"),
        ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"unit=~\\\"nginx.*\\\"\"]},{\"channels\":["
               "\"b\"],\"matchers\":[\"unit=~\\\"nginx.*|redis.*\\\"\"]},"),
        ROUTES("{\"channels\":[\"a\"],\"match\":{\"severity\":\"critical\"},\"group_by\":["
               "\"alertname\",\"severity\",\"unit\",\"device\",\"check\"]},"),
        SERVICE("\"unit\":\"nginx\""),
        SERVICE("\"unit\":\"org.cups.cupsd\""),
        SERVICE("\"unit\":\"php8.2-fpm.service\""),
        SERVICE("\"unit\":\"worker@1\""),
        SERVICE("\"unit\":\"minecraft.server\""),
        SERVICE("\"cgroup\":\"system.slice/nginx.service\",\"comm\":\"nginx\""),
        EXE("/opt/shop/bin/shop"),
        RULE(USAGE ",\"match\":{\"device\":\"/dev/sda1\"}"),
        RULE(USAGE ",\"match\":{\"device\":\"tank\"}"),
        RULE(USAGE ",\"matchers\":[\"mount=~\\\"/data.*\\\"\"]"),
        RULE(USAGE ",\"matchers\":[\"mount!~\\\"/(run|snap)/.*|/boot/?\\\"\"]"),
        RULE("\"metric\":\"moonwatch_block_in_flight\",\"above\":9,\"match\":{\"device\":"
             "\"nvme0n1\"}"),
        RULE("\"kind\":\"event\",\"event\":\"crash\",\"matchers\":[\"unit!~\\\"user@.*|.*nginx.*"
             "\\\"\"]"),
        ALERTS(CHANNELS "\"rules\":[{\"name\":\"X\"," USAGE ",\"labels\":{\"team\":\"a|b\"}}],"
                        "\"routes\":[{\"channels\":[\"b\"],\"match\":{\"team\":\"a|b\"}},{"
                        "\"channels\":[\"a\"]}]"),
        ALERTS(CHANNELS "\"escalation_limit\":3"),
        ALERTS(CHANNELS "\"routes\":[{\"channels\":[\"a\"],\"match\":{\"severity\":\"critical\"}},"
                        "{\"channels\":[\"b\"],\"matchers\":[\"severity!=critical\"]}]"),
        ALERTS(CHANNELS "\"routes\":[{\"channels\":[\"a\",\"b\"],\"matchers\":["
                        "\"alertname=~\\\".+\\\"\"]}]"),
        RULE(USAGE ",\"matchers\":[\"mount=~\\\"/v.*\\\",mount!=/var/tmp\"]"),
        RULE(USAGE ",\"match\":{\"mount\":\"/\"}"),
        RULE(USAGE ",\"matchers\":[\"mount!~\\\"/run.*\\\"\"]"),
        RULE("\"metric\":\"moonwatch_bpf_cpu_ratio\",\"above\":2"),
        RULE("\"metric\":\"moonwatch_endpoint_certificate_seconds\",\"below\":0,\"enabled\":false"),
        RULE("\"metric\":\"moonwatch_health_check_severity\",\"above\":1,\"match\":{\"check\":"
             "\"disk:/var\"}"),
        RULE("\"kind\":\"event\",\"event\":\"crash\",\"match\":{\"unit\":\"nginx.service\"}"),
        WITHOUT("oom", "\"kind\":\"event\",\"event\":\"crash\""),
        "{\"overhead\":{\"probes\":{\"process\":\"off\"}},\"health_monitor\":{\"enabled\":false}}",
        MUTE("\"start\":\"08:00\",\"end\":\"07:00\""),
        MUTE("\"start\":\"00:00\",\"end\":\"23:59\",\"match\":{\"check\":\"cpu\"}"),
        MUTE("\"start\":\"00:00\",\"end\":\"23:59\",\"days\":[\"sat\",\"sun\"]"),
        ALERTS("\"channels\":[{\"name\":\"a\",\"type\":\"log\",\"minimum_severity\":\"critical\"},"
               "{\"name\":\"b\",\"type\":\"log\"}],\"routes\":[{\"channels\":[\"a\"],\"match\":{"
               "\"alertname\":\"HostCpu\"}},{\"channels\":[\"b\"]}]"),
        ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"severity=~\\\"error|critical\\\"\"]},"),
        ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"alertname!=Gone\",\"team!=db\"]},"),
        ROUTES("{\"channels\":[\"a\"],\"match\":{\"role\":\"service\",\"name\":\"shop\"}},"),
        ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"cgroup=~\\\".*/shop.service\\\"\"]},"),
        ROUTES("{\"channels\":[\"a\"],\"matchers\":[\"cgroup=~\\\"|app.slice/.*\\\"\"]},"),
        ROUTES("{\"channels\":[\"a\"],\"match\":{\"cgroup\":\"app.slice/a\"}},"),
        ROUTES("{\"channels\":[\"a\"],\"match\":{\"check\":\"disk\",\"subject\":\"/var\"}},"),
        RULE("\"kind\":\"status\",\"match\":{\"check\":\"runq_delay\"}"),
        RULE("\"metric\":\"moonwatch_load1\",\"above\":9,\"labels\":{\"team\":\"db\"}"),
        RULE("\"metric\":\"moonwatch_load1\",\"above\":9,\"enabled\":false"),
        ALERTS("\"rules\":[{\"name\":\"HostCpu\",\"enabled\":false},{\"name\":\"HostDisk\","
               "\"kind\":\"status\",\"enabled\":false}]"),
        ALERTS(
            "\"rules\":[{\"name\":\"X\",\"kind\":\"absent\",\"metric\":\"moonwatch_block_reads_"
            "total\","
            "\"match\":{\"device\":\"a\"}}],\"mute_windows\":[{\"name\":\"n\",\"start\":\"01:00\","
            "\"end\":\"02:00\",\"utc\":true,\"match\":{\"device\":\"a\"}}]"),
        "{\"health_monitor\":{\"thresholds\":{\"disk_warning\":1.5}}}",
        UPSTREAM("", FALLBACK "," MODE("enforce")),
        UPSTREAM("", "\"breaker\":{\"mode\":\"enforce\",\"on_open\":\"close\"}"),
        UPSTREAM(BREAKERS_OFF, MODE("observe")),
        UPSTREAM(PROBE_OFF("breaker") BREAKERS_OFF, MODE("disabled")),
        UPSTREAM(PROBE_OFF("request"), MODE("forced_open")),
        UPSTREAM("", "\"fallback\":{\"enabled\":false,\"strategy\":\"alternative\",\"endpoints\":["
                     "\"10.0.0.2:1\"]}"),
    };

    expect_no_doubts(cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_pages_nobody_is_doubted),
        cmocka_unit_test(what_cannot_fire_is_doubted),
        cmocka_unit_test(what_is_meant_is_not_doubted),
    };

    metrics_destroy(NULL); /* links what declares the metrics, as in the agent */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
