/* Each kind of mistake gives the error that names its place and what is allowed. */
#include "config_text.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define NOBODY 65534

struct mistake {
    const char *text;
    const char *pointer; /* of the one error */
    const char *message; /* what its message holds */
};

static const struct mistake mistakes[] = {
    /* unknown keys */
    {"{\"health_moniter\":{}}", "/health_moniter", "nearest is health_monitor"},
    {"{\"health_monitor\":{\"thresholds\":{\"cpu_waring\":1}}}",
     "/health_monitor/thresholds/cpu_waring", "nearest is cpu_warning"},
    {"{\"health_monitor\":{\"enabeld\":true}}", "/health_monitor/enabeld", "nearest is enabled"},
    {"{\"zzz\":1}", "/zzz", "unknown key (allowed: $schema, health_monitor"},
    {"{\"a/b~c\":1}", "/a~1b~0c", "unknown key"},
    {"{\"a\\nb\":1}", "/a?b", "unknown key"},
    {"{\"services\":[{\"name\":\"a\",\"kind\":\"job\",\"match\":{\"comm\":\"a\"},\"prio\":1}]}",
     "/services/0/prio", "unknown key, the nearest is priority"},
    /* types */
    {"{\"health_monitor\":[]}", "/health_monitor", "is an array (allowed: an object)"},
    {"{\"health_monitor\":null}", "/health_monitor", NULL},
    {"{\"health_monitor\":{\"enabled\":1}}", "/health_monitor/enabled",
     "is a number (allowed: true or false)"},
    {"{\"health_monitor\":{\"enabled\":null}}", "/health_monitor/enabled", "is null"},
    {"{\"health_monitor\":{\"check_interval\":\"30\"}}", "/health_monitor/check_interval",
     "is a string (allowed: a number from 1 to 86400 s)"},
    {"{\"services\":{}}", "/services", "is an object (allowed: an array of objects)"},
    {"{\"services\":[1]}", "/services/0", "is a number (allowed: an object)"},
    {"{\"server\":{\"listen\":8000}}", "/server/listen", "is a number (allowed: HOST:PORT"},
    {"{\"fleet\":{\"labels\":{\"a\":1}}}", "/fleet/labels/a", "is a number (allowed: a string)"},
    {"{\"fleet\":{\"peers\":[1]}}", "/fleet/peers/0", "is not a string"},
    {"{\"fleet\":{\"peers\":\"a:1\"}}", "/fleet/peers", "is a string (allowed: an array"},
    {"[]", "", "is an array (allowed: an object)"},
    {"3", "", "is a number (allowed: an object)"},
    /* ranges */
    {"{\"health_monitor\":{\"check_interval\":0}}", "/health_monitor/check_interval",
     "0 is out of range (allowed: a number from 1 to 86400 s)"},
    {"{\"health_monitor\":{\"check_interval\":-5}}", "/health_monitor/check_interval",
     "-5 is out of range"},
    {"{\"health_monitor\":{\"check_interval\":1e999}}", "/health_monitor/check_interval",
     "is out of range"},
    {"{\"health_monitor\":{\"thresholds\":{\"cpu_warning\":0}}}",
     "/health_monitor/thresholds/cpu_warning", "0 is out of range (allowed: a number above 0"},
    {"{\"circuit_breaker\":{\"failure_threshold\":2.5}}", "/circuit_breaker/failure_threshold",
     "2.5 is not whole"},
    {"{\"circuit_breaker\":{\"failure_threshold\":1e10}}", "/circuit_breaker/failure_threshold",
     "is out of range"},
    {"{\"overhead\":{\"ring_bytes\":5000}}", "/overhead/ring_bytes",
     "5000 is not a power of two (allowed: a power of two from 4096"},
    {"{\"server\":{\"log_level\":\"loud\"}}", "/server/log_level",
     "\"loud\" is not accepted (allowed: \"debug\", \"info\""},
    {"{\"server\":{\"listen\":\"8000\"}}", "/server/listen", "\"8000\" is not accepted"},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\",\"netns\":\"shop\"}]}",
     "/upstreams/0/netns", "\"shop\" is not accepted (allowed: own, any, or an absolute path"},
    {"{\"server\":{\"listen\":\"127.0.0.1:70000\"}}", "/server/listen", "is not accepted"},
    {"{\"server\":{\"bpffs_directory\":\"pins\"}}", "/server/bpffs_directory",
     "(allowed: an absolute path)"},
    {"{\"server\":{\"host_root\":\"proc\"}}", "/server/host_root",
     "(allowed: an absolute path of a directory that is there)"},
    {"{\"server\":{\"host_root\":\"/proc/version\"}}", "/server/host_root",
     "(allowed: an absolute path of a directory that is there)"},
    {"{\"server\":{\"host_root\":\"/proc/nowhere\"}}", "/server/host_root",
     "(allowed: an absolute path of a directory that is there)"},
    {"{\"auth\":{\"tokens_file\":\"/a\\nb\"}}", "/auth/tokens_file", "is not accepted"},
    {"{\"services\":[{\"name\":\"-\",\"kind\":\"job\",\"match\":{\"comm\":\"a\"}}]}",
     "/services/0/name", "a name of letters"},
    {"{\"services\":[{\"name\":\"a\",\"kind\":\"job\",\"match\":{\"comm\":\"0123456789abcdef\"}}]}",
     "/services/0/match/comm", "has 16 bytes (allowed: at most 15)"},
    /* between keys */
    {"{\"health_monitor\":{\"thresholds\":{\"cpu_warning\":85}}}",
     "/health_monitor/thresholds/cpu_warning", "85 is not below cpu_critical 85"},
    {"{\"health_monitor\":{\"thresholds\":{\"memory_critical\":50}}}",
     "/health_monitor/thresholds/memory_warning", "75 is not below memory_critical 50"},
    {"{\"health_monitor\":{\"disk_threshold\":96}}", "/health_monitor/disk_threshold",
     "96 is not below disk_critical 95"},
    {"{\"health_monitor\":{\"cpu_threshold\":50,\"thresholds\":{\"cpu_warning\":60}}}",
     "/health_monitor/cpu_threshold", "together with thresholds/cpu_warning"},
    {"{\"retry\":{\"base_delay\":10,\"max_delay\":5}}", "/retry/max_delay", "below base_delay 10"},
    {"{\"tuning\":{\"cpu_low\":80}}", "/tuning/cpu_low", "80 is not below cpu_high 80"},
    {"{\"server\":{\"tls_key_file\":\"/k\"}}", "/server/tls_certificate_file", "is missing"},
    {"{\"tuning\":{\"parameters\":[{\"name\":\"b\",\"minimum\":5,\"maximum\":5}]}}",
     "/tuning/parameters/0/minimum", "5 is not below maximum 5"},
    {"{\"tuning\":{\"parameters\":[{\"name\":\"b\",\"minimum\":5,\"maximum\":9,\"initial\":1}]}}",
     "/tuning/parameters/0/initial", "1 is out of range (allowed: from 5 to 9)"},
    /* duplicates */
    {"{\"retry\":{},\"retry\":{}}", "/retry", "is given twice"},
    {"{\"fleet\":{\"labels\":{\"a\":\"1\",\"a\":\"2\"}}}", "/fleet/labels/a", "is given twice"},
    {"{\"services\":[{\"name\":\"a\",\"kind\":\"job\",\"match\":{\"comm\":\"a\"}},"
     "{\"name\":\"a\",\"kind\":\"job\",\"match\":{\"comm\":\"b\"}}]}",
     "/services/1/name", "\"a\" is the name of /0 too"},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\"},{\"name\":\"a\",\"address\":\"h:2\"}]}",
     "/upstreams/1/name", "\"a\" is the name of /0 too"},
    /* services */
    {"{\"services\":[{\"kind\":\"job\",\"match\":{\"comm\":\"a\"}}]}", "/services/0/name",
     "is missing (allowed: a name"},
    {"{\"services\":[{\"name\":\"a\",\"kind\":\"job\"}]}", "/services/0/match", "is missing"},
    {"{\"services\":[{\"name\":\"a\",\"kind\":\"job\",\"match\":{}}]}", "/services/0/match",
     "is empty (allowed: at least one of unit"},
    {"{\"services\":[{\"name\":\"a\",\"kind\":\"job\",\"match\":{\"cgroup\":\"a/../b\"}}]}",
     "/services/0/match/cgroup", "is not accepted"},
    {"{\"services\":[{\"name\":\"a\",\"kind\":\"job\",\"match\":{\"comm\":\"a\"},"
     "\"healing\":{\"actions\":[\"reboot\"]}}]}",
     "/services/0/healing/actions/0", "\"reboot\" is not accepted"},
    {"{\"services\":[{\"name\":\"a\",\"kind\":\"job\",\"match\":{\"comm\":\"a\"},"
     "\"check\":{\"type\":\"http\",\"url\":\"tcp://h:1\"}}]}",
     "/services/0/check/url", "does not fit type http (allowed: http://...)"},
    {"{\"services\":[{\"name\":\"a\",\"kind\":\"job\",\"match\":{\"comm\":\"a\"},"
     "\"check\":{\"type\":\"tcp\",\"url\":\"tcp://h\"}}]}",
     "/services/0/check/url", "has no host and port"},
    {"{\"services\":[{\"name\":\"a\",\"kind\":\"job\",\"match\":{\"comm\":\"a\"},"
     "\"check\":{\"type\":\"postgres\",\"url\":\"postgres://u:secret@h/db\"}}]}",
     "/services/0/check/url", "without a password"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"a\",\"type\":\"webhook\",\"url\":"
     "\"http:///x\"}]}}",
     "/alert_manager/channels/0/url", "(allowed: SCHEME://HOST[:PORT]..., a port from 1 to 65535"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"a\",\"type\":\"webhook\",\"url\":"
     "\"http://x:0/\"}]}}",
     "/alert_manager/channels/0/url", "(allowed: SCHEME://HOST[:PORT]..., a port from 1 to 65535"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"a\",\"type\":\"webhook\",\"url\":"
     "\"http://x:99999/\"}]}}",
     "/alert_manager/channels/0/url", "(allowed: SCHEME://HOST[:PORT]..., a port from 1 to 65535"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"a\",\"type\":\"webhook\",\"url\":"
     "\"https://:443/\"}]}}",
     "/alert_manager/channels/0/url", "(allowed: SCHEME://HOST[:PORT]..., a port from 1 to 65535"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"a\",\"type\":\"webhook\",\"url\":"
     "\"http://[::1/\"}]}}",
     "/alert_manager/channels/0/url", "(allowed: SCHEME://HOST[:PORT]..., a port from 1 to 65535"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"a\",\"type\":\"webhook\",\"url\":"
     "\"http://u@x:0\"}]}}",
     "/alert_manager/channels/0/url", "(allowed: SCHEME://HOST[:PORT]..., a port from 1 to 65535"},
    {"{\"server\":{\"bpffs_directory\":\"/\"}}", "/server/bpffs_directory", "/ is the root"},
    {"{\"server\":{\"bpffs_directory\":\"/./\"}}", "/server/bpffs_directory", "/./ is the root"},
    {"{\"services\":[{\"name\":\"a\",\"kind\":\"job\",\"match\":{\"comm\":\"a\"},"
     "\"check\":{\"type\":\"redis\",\"url\":\"redis://h:1\",\"interval\":1}}]}",
     "/services/0/check/timeout", "2 is over the interval 1"},
    /* upstreams */
    {"{\"upstreams\":[{\"name\":\"a\"}]}", "/upstreams/0/address", "is missing"},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":[]}]}", "/upstreams/0/address", "has 0 items"},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"10.0.0.0/33:80\"}]}", "/upstreams/0/address",
     "is not accepted (allowed: HOST:PORT or NETWORK/BITS:PORT"},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":[\"h:1\",\"h:0\"]}]}", "/upstreams/0/address/1",
     "\"h:0\" is not accepted"},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\",\"breaker\":{\"mode\":\"on\"}}]}",
     "/upstreams/0/breaker/mode", "\"observe\", \"enforce\", \"forced_open\", \"disabled\""},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\","
     "\"breaker\":{\"max_recovery_timeout\":30}}]}",
     "/upstreams/0/breaker/max_recovery_timeout", "30 is below recovery_timeout 60"},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\","
     "\"breaker\":{\"half_open_max_calls\":2}}]}",
     "/upstreams/0/breaker/half_open_max_calls", "2 is below success_threshold 3"},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\","
     "\"breaker\":{\"window\":10,\"minimum_calls\":11}}]}",
     "/upstreams/0/breaker/minimum_calls", "11 is over the window 10"},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\",\"fallback\":{}}]}",
     "/upstreams/0/fallback/strategy", "is missing (allowed: \"alternative\""},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\","
     "\"fallback\":{\"strategy\":\"alternative\"}}]}",
     "/upstreams/0/fallback/endpoints", "is missing"},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\","
     "\"fallback\":{\"strategy\":\"reduced\"}}]}",
     "/upstreams/0/fallback/response", "is missing"},
    /* between upstreams */
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":[\"h:1\",\"H:1\"]}]}", "/upstreams/0/address/1",
     "\"H:1\" is an address of upstream \"a\" already"},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"10.0.0.1:1\"},"
     "{\"name\":\"b\",\"address\":\"[::ffff:10.0.0.1]:1\"}]}",
     "/upstreams/1/address/0", "is an address of upstream \"a\" already"},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"10.0.0.0/8:1\"},"
     "{\"name\":\"b\",\"address\":\"10.9.9.9/8:1\"}]}",
     "/upstreams/1/address/0", "is an address of upstream \"a\" already"},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":[\"10.0.0.0/8:1\",\"10.0.0.0/"
     "16:1\",\"10.0.0.1:1\","
     "\"10.0.0.1:2\"]}]}",
     NULL, NULL},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\",\"fallback\":"
     "{\"strategy\":\"alternative\",\"endpoints\":[\"x:1\",\"h:1\"]}}]}",
     "/upstreams/0/fallback/endpoints/1", "\"h:1\" is the upstream's own address"},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"10.0.0.0/8:1\",\"fallback\":"
     "{\"strategy\":\"alternative\",\"endpoints\":\"10.1.2.3:1\"}}]}",
     "/upstreams/0/fallback/endpoints/0", "is the upstream's own address"},
    /* The narrower network is another upstream's. */
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"10.0.0.0/8:1\",\"fallback\":"
     "{\"strategy\":\"alternative\",\"endpoints\":\"10.1.2.3:1\"}},"
     "{\"name\":\"b\",\"address\":\"10.1.0.0/16:1\"}]}",
     NULL, NULL},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\",\"fallback\":"
     "{\"strategy\":\"alternative\",\"endpoints\":\"h:2\"}},"
     "{\"name\":\"b\",\"address\":\"h:2\",\"fallback\":"
     "{\"strategy\":\"alternative\",\"endpoints\":\"h:3\"}},"
     "{\"name\":\"c\",\"address\":\"h:3\",\"fallback\":"
     "{\"strategy\":\"alternative\",\"endpoints\":[\"x:1\",\"h:1\"]}}]}",
     "/upstreams/0/fallback/endpoints/0",
     "\"h:2\" is upstream \"b\", whose fallback leads back to \"a\""},
    /* Into a circle, but not part of it. */
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\",\"fallback\":"
     "{\"strategy\":\"alternative\",\"endpoints\":\"h:2\"}},"
     "{\"name\":\"b\",\"address\":\"h:2\",\"fallback\":"
     "{\"strategy\":\"alternative\",\"endpoints\":\"h:3\"}},"
     "{\"name\":\"c\",\"address\":\"h:3\",\"fallback\":"
     "{\"strategy\":\"alternative\",\"endpoints\":\"h:2\"}}]}",
     "/upstreams/1/fallback/endpoints/0", "leads back to \"b\""},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\",\"fallback\":"
     "{\"strategy\":\"alternative\",\"endpoints\":[\"h:2\",\"h:3\"]}},"
     "{\"name\":\"b\",\"address\":\"h:2\",\"fallback\":"
     "{\"strategy\":\"alternative\",\"endpoints\":\"h:3\"}},"
     "{\"name\":\"c\",\"address\":\"h:3\"}]}",
     NULL, NULL},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\",\"breaker\":{\"on_open\":\"reset\"}}]}",
     "/upstreams/0/breaker/on_open", "\"leave\", \"close\""},
    {"{\"upstreams\":[{\"name\":\"a\",\"address\":\"h:1\",\"read_status\":1}]}",
     "/upstreams/0/read_status", "is a number (allowed: "},
    /* alerts */
    {"{\"alert_manager\":{\"rules\":[{\"name\":\"r\",\"metric\":\"m\"}]}}",
     "/alert_manager/rules/0", "has none of above and below"},
    {"{\"alert_manager\":{\"rules\":[{\"name\":\"r\",\"metric\":\"m\",\"above\":1,\"below\":2}]}}",
     "/alert_manager/rules/0", "has both of above and below"},
    {"{\"alert_manager\":{\"rules\":[{\"name\":\"r\",\"metric\":\"m\",\"above\":1,\"clear\":2}]}}",
     "/alert_manager/rules/0/clear", "2 is over the level 1"},
    {"{\"alert_manager\":{\"rules\":[{\"name\":\"r\",\"metric\":\"m\",\"below\":2,\"clear\":1}]}}",
     "/alert_manager/rules/0/clear", "1 is under the level 2"},
    {"{\"alert_manager\":{\"rules\":[{\"name\":\"r\",\"above\":1}]}}",
     "/alert_manager/rules/0/metric", "is missing"},
    {"{\"alert_manager\":{\"rules\":[{\"name\":\"r\",\"kind\":\"event\",\"event\":\"oom\","
     "\"above\":1}]}}",
     "/alert_manager/rules/0/above", "is not used by kind event"},
    {"{\"alert_manager\":{\"rules\":[{\"name\":\"r\",\"kind\":\"event\"}]}}",
     "/alert_manager/rules/0/event", "is missing"},
    {"{\"alert_manager\":{\"rules\":[{\"name\":\"r\",\"kind\":\"event\",\"event\":\"oom\",\"for\":"
     "5}]}}",
     "/alert_manager/rules/0/for", "5 is no use for an event"},
    {"{\"alert_manager\":{\"rules\":[{\"name\":\"r\",\"kind\":\"level\"}]}}",
     "/alert_manager/rules/0/kind", "\"level\" is not accepted (allowed: \"threshold\""},
    {"{\"alert_manager\":{\"mute_windows\":[{\"name\":\"n\",\"start\":\"05:00\",\"end\":\"06:00\","
     "\"time_zone\":\"Europe/Berln\"}]}}",
     "/alert_manager/mute_windows/0/time_zone",
     "\"Europe/Berln\" is not accepted (allowed: a time zone in /usr/share/zoneinfo"},
    {"{\"alert_manager\":{\"mute_windows\":[{\"name\":\"n\",\"start\":\"05:00\",\"end\":\"06:00\","
     "\"time_zone\":\"Europe\"}]}}",
     "/alert_manager/mute_windows/0/time_zone", "is not accepted"},
    {"{\"alert_manager\":{\"mute_windows\":[{\"name\":\"n\",\"start\":\"05:00\",\"end\":\"06:00\","
     "\"time_zone\":\"../../etc/localtime\"}]}}",
     "/alert_manager/mute_windows/0/time_zone", "is not accepted"},
    {"{\"alert_manager\":{\"mute_windows\":[{\"name\":\"n\",\"start\":\"05:00\",\"end\":\"06:00\","
     "\"utc\":true,\"time_zone\":\"UTC\"}]}}",
     "/alert_manager/mute_windows/0/time_zone", "together with utc"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"c\",\"type\":\"slack\"}]}}",
     "/alert_manager/channels/0/url_file", "is missing"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"c\",\"type\":\"webhook\"}]}}",
     "/alert_manager/channels/0/url", "is missing"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"c\",\"type\":\"webhook\",\"url\":\"ftp://h\"}]}"
     "}",
     "/alert_manager/channels/0/url", "is not HTTP"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"c\",\"type\":\"log\",\"smtp\":\"h:25\"}]}}",
     "/alert_manager/channels/0/smtp", "is not used by type log"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"c\",\"type\":\"email\",\"smtp\":\"h:25\","
     "\"from\":\"a@b\"}]}}",
     "/alert_manager/channels/0/to", "is missing"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"c\",\"type\":\"email\",\"smtp\":\"h:25\","
     "\"from\":\"a@b\",\"to\":\"Eve <e@f>\"}]}}",
     "/alert_manager/channels/0/to", "USER@DOMAIN"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"c\",\"type\":\"email\",\"smtp\":\"h:25\","
     "\"from\":\"a@b\",\"to\":\"e@f\",\"tls\":\"none\",\"username\":\"u\",\"password_file\":"
     "\"/p\"}]}}",
     "/alert_manager/channels/0/tls", "show the password"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"c\",\"type\":\"email\",\"smtp\":\"h:25\","
     "\"from\":\"a@b\",\"to\":\"e@f\",\"username\":\"u\"}]}}",
     "/alert_manager/channels/0/password_file", "is missing"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"c\",\"type\":\"alertmanager\"}]}}",
     "/alert_manager/channels/0/urls", "is missing"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"c\",\"type\":\"alertmanager\",\"urls\":["
     "\"http://a\",\"http://a\"]}]}}",
     "/alert_manager/channels/0/urls/1", "is given twice"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"c\",\"type\":\"log\",\"template\":\"x\"}]}}",
     "/alert_manager/channels/0/template", "is not used by type log"},
    {"{\"retry\":{\"base_delay\":2},\"alert_manager\":{\"channels\":[{\"name\":\"c\",\"type\":"
     "\"webhook\",\"url\":\"http://h\",\"retry\":{\"max_delay\":1}}]}}",
     "/alert_manager/channels/0/retry/max_delay", "1 is below base_delay 2"},
    {"{\"alert_manager\":{\"routes\":[{\"channels\":[\"ops\"]}]}}",
     "/alert_manager/routes/0/channels/0", "there is no channel \"ops\""},
    {"{\"alert_manager\":{\"inhibit\":[{\"source\":{\"a\":\"b\"},\"target\":{}}]}}",
     "/alert_manager/inhibit/0/target", "is empty"},
    {"{\"alert_manager\":{\"mute_windows\":[{\"name\":\"n\",\"start\":\"24:00\",\"end\":\"06:00\"}]"
     "}}",
     "/alert_manager/mute_windows/0/start", "HH:MM"},
    {"{\"alert_manager\":{\"mute_windows\":[{\"name\":\"n\",\"start\":\"06:00\",\"end\":\"06:00\"}]"
     "}}",
     "/alert_manager/mute_windows/0/end", "is the same as start"},
    {"{\"alert_manager\":{\"mute_windows\":[{\"name\":\"n\",\"start\":\"05:00\",\"end\":\"06:00\","
     "\"days\":[]}]}}",
     "/alert_manager/mute_windows/0/days", "is empty"},
    {"{\"alert_manager\":{\"channels\":[{\"name\":\"a\",\"type\":\"alertmanager\",\"urls\":"
     "\"http://am:9093/api/v2\"}]}}",
     "/alert_manager/channels/0/urls/0",
     "ends in /api/v2, which is added to it (allowed: "
     "http://am:9093)"},
    /* not JSON */
    {"", "", "the file is empty"},
    {" \n\t", "", "the file is empty"},
    {"{\"a\": 1,\n \"b\" 2}", "", "line 2, column 6: not JSON from here"},
    {"{\"retry\": {\n", "", "line 2, column 1: the JSON ends too early"},
    {"{} x", "", "line 1, column 4: not JSON from here"},
    {"{]\n", "", "line 1, column 2: not JSON from here"},
    {"{'a': 1}", "", "line 1, column 2: not JSON from here (allowed: a name in double quotes)"},
    {"{a: 1}", "", "line 1, column 2: not JSON from here (allowed: a name in double quotes)"},
    {"{\"a\": 'b'}", "", "line 1, column 7: not JSON from here (allowed: double quotes)"},
    {"{\"a\": 1 \"b\": 2}", "", "line 1, column 9: not JSON from here (allowed: a comma or })"},
    {"{\"a\": [1\n 2]}", "", "line 2, column 2: not JSON from here (allowed: a comma or ])"},
    {"{\"a\": 1,\n}", "", "line 1, column 8: a comma behind the last one"},
    {"{\"a\": [\n  1,\n]}", "", "line 2, column 4: a comma behind the last one"},
    {"{\"a\": 1 // one\n}", "", "line 1, column 9: a comment"},
    {"{\n /* none */ \"a\": 1}", "", "line 2, column 2: a comment"},
    {"# a\n{}", "", "line 1, column 1: a comment"},
    {"{\"a\": yes}", "", "line 1, column 7: not JSON from here (allowed: a value"},
    {"{\"a\": \"\\d\"}", "", "line 1, column 8: no escape of JSON"},
    {"{\"a\": \"b}", "", "line 1, column 10: the JSON ends too early (allowed: a \""},
    {"{\"schema\": \"a\\u0000b\"}", "", "line 1, column 14: a NUL in a text"},
    {"{\"a\": \"\xff\"}", "", "line 1, column 8: a byte that is not UTF-8"},
    {"\x7f\x45\x4c\x46", "", "line 1, column 1: not JSON"},
    {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "", "line 1, column 33: nested too deep"},
};

static void each_mistake_is_named(void **state)
{
    struct config_errors errors;
    struct config *config;
    size_t i;

    for (i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        const struct mistake *m = &mistakes[i];
        int err;

        config = NULL;
        err = load_bytes(&config, m->text, strlen(m->text), NULL, &errors);
        if (!m->message) {
            config_destroy(config);
            assert_int_equal(err, 0);
            continue;
        }
        if (err != -EINVAL || config || errors.count != 1 ||
            strcmp(errors.list[0].pointer, m->pointer) != 0 ||
            !strstr(errors.list[0].message, m->message))
            fail_msg("%s: %d, %zu errors, \"%s\": \"%s\"", m->text, err, errors.count,
                     errors.count ? errors.list[0].pointer : "",
                     errors.count ? errors.list[0].message : "");
        if (*m->pointer && !strstr(m->message, "given twice"))
            assert_non_null(strstr(errors.list[0].message, "(allowed: "));
    }
}

static void all_errors_are_reported(void **state)
{
    static const char text[] =
        "{\"health_monitor\":{\"check_interval\":0,\"x\":1},\"retry\":{\"jitter\":\"y\"},\"z\":1}";
    struct config_errors errors;
    struct config *config = NULL;

    assert_int_equal(load_bytes(&config, text, strlen(text), NULL, &errors), -EINVAL);
    assert_int_equal(errors.count, 4);
    assert_string_equal(errors.list[0].pointer, "/z");
    assert_string_equal(errors.list[1].pointer, "/health_monitor/x");
    assert_string_equal(errors.list[2].pointer, "/health_monitor/check_interval");
    assert_string_equal(errors.list[3].pointer, "/retry/jitter");
}

static void more_errors_than_fit_are_counted(void **state)
{
    char text[4096] = "{\"fleet\":{\"peers\":[], \"labels\":{";
    struct config_errors errors;
    struct config *config = NULL;
    size_t i;

    for (i = 0; i < 40; i++)
        sprintf(text + strlen(text), "%s\"k%zu\":1", i ? "," : "", i);
    strcat(text, "}}}");
    assert_int_equal(load_bytes(&config, text, strlen(text), NULL, &errors), -EINVAL);
    assert_int_equal(errors.count, 40);
    assert_string_equal(errors.list[31].pointer, "/fleet/labels/k31");
}

static void files_that_cannot_be_read(void **state)
{
    struct config_errors errors;
    struct config *config = NULL;
    char *large = calloc(1, CONFIG_BYTES_MAX + 1);

    assert_int_equal(config_load(&config, "/nonexistent/x.json", NULL, &errors), -ENOENT);
    assert_int_equal(errors.count, 1);
    assert_non_null(strstr(errors.list[0].message, "No such file"));
    assert_int_equal(config_load(&config, "/proc", NULL, &errors), -EISDIR);
    assert_non_null(strstr(errors.list[0].message, "Is a directory"));
    memset(large, ' ', CONFIG_BYTES_MAX + 1);
    assert_int_equal(load_bytes(&config, large, CONFIG_BYTES_MAX + 1, NULL, &errors), -EFBIG);
    assert_non_null(strstr(errors.list[0].message, "too large (allowed: at most 1048576 bytes)"));
    assert_int_equal(load_bytes(&config, "{}\0x", 4, NULL, &errors), -EINVAL);
    assert_non_null(strstr(errors.list[0].message, "line 1, column 3: a NUL byte"));
    assert_null(config);
    free(large);
}

static void an_unreadable_file(void **state)
{
    char path[] = "/tmp/moonwatch-test-XXXXXX";
    struct config_errors errors;
    struct config *config = NULL;
    bool as_root = geteuid() == 0;
    int fd, err;

    fd = mkstemp(path);
    fchmod(fd, 0);
    /* Root reads everything. */
    if (as_root)
        assert_int_equal(seteuid(NOBODY), 0);
    err = config_load(&config, path, NULL, &errors);
    if (as_root)
        assert_int_equal(seteuid(0), 0);
    close(fd);
    unlink(path);
    assert_int_equal(err, -EACCES);
    assert_non_null(strstr(errors.list[0].message, "Permission denied"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_is_named),
        cmocka_unit_test(all_errors_are_reported),
        cmocka_unit_test(more_errors_than_fit_are_counted),
        cmocka_unit_test(files_that_cannot_be_read),
        cmocka_unit_test(an_unreadable_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
