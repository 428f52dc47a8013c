"""Alerts of a running agent: real crashes and real levels, what an operator does about them, restarts."""

import http.server
import json
import mmap
import os
import re
import signal
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone

import pytest
from conftest import BINARY, cgroup2_mount, wait_for
from test_http import check_unknowns, openapi, validator
from test_metrics import parse, series

GIB = 1 << 30
ALWAYS = {"name": "Always", "metric": "moonwatch_memory_total_bytes", "above": 1, "for": 0, "severity": "error"}
NEVER = {"name": "Never", "metric": "moonwatch_memory_total_bytes", "above": 1e18, "for": 0}
# What the machine of the test goes through meanwhile is not its subject.
QUIET = [
    {"name": name, "kind": "status", "enabled": False}
    for name in (
        "HostCpu HostMemory HostSwap HostDisk HostInodes HostPids HostFiles HostConntrack HostPressure "
        "HostStalled CgroupThrottled RunQueueDelay"
    ).split()
] + [
    {"name": name, "kind": "event", "event": event, "enabled": False}
    for name, event in (
        ("ProcessCrash", "crash"), ("CrashLoop", "crash"), ("OomKill", "oom"), ("ReclaimStalls", "stall"),
        ("ProbeShed", "probe_shed"), ("RecordsLost", "records_lost"),
    )
]


def with_rules(*rules, **alert_manager):
    names = {rule["name"] for rule in rules}
    quiet = [rule for rule in QUIET if rule["name"] not in names]
    return {"alert_manager": {"rules": [*quiet, *rules], **alert_manager}}


@pytest.fixture
def start(make_agent):
    def run(*rules, more=None, **alert_manager):
        agent = make_agent(config={**with_rules(*rules, **alert_manager), **(more or {})}).start()
        wait_for(lambda: agent.request("/alerts")[0] == 200, what="a first sample")
        return agent

    return run


def token_of(agent):
    return (agent.directory / "run" / "admin.token").read_text().strip()


def act(agent, path, body=None, method="POST"):
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token_of(agent)}"}
    status, _, text = agent.request(path, method, headers, data)
    return status, json.loads(text)


def find(agent, name, where="alerts", query=""):
    return [a for a in agent.json("/alerts" + query)[where] if a["alertname"] == name]


def firing(agent, name):
    """The alert once it fires."""
    return wait_for(
        lambda: [a for a in find(agent, name) if a["state"] == "firing"], what=f"{name} firing"
    )[0]


def over(agent, name):
    wait_for(lambda: not find(agent, name), what=f"{name} over")
    return find(agent, name, "history")[0]


def at(text):
    return datetime.fromisoformat(text)


def cli(agent, *arguments):
    return subprocess.run(
        [str(BINARY), "alert", *arguments, "--url", agent.url],
        env={**agent.environment, "SUDO_USER": "otto"},
        capture_output=True,
        text=True,
        timeout=20,
    )


def crash(name):
    """Ends a process of this name by SIGSEGV; the time just before."""
    before = datetime.now(timezone.utc)
    code = f"import ctypes,os,signal; ctypes.CDLL(None).prctl(15, b'{name}', 0, 0, 0); "
    code += "print(flush=True); os.kill(os.getpid(), signal.SIGSEGV)"
    run = subprocess.Popen(["python3", "-S", "-c", code], stdout=subprocess.PIPE)
    run.stdout.readline()
    before = datetime.now(timezone.utc)
    assert run.wait(10) == -signal.SIGSEGV
    return before


@pytest.mark.parametrize("path", ["/alerts", "/silences"])
def test_bodies_are_as_described(start, path):
    agent = start(ALWAYS, NEVER, {**ALWAYS, "name": "Soon", "for": 3600})
    alert = firing(agent, "Always")
    act(agent, f"/admin/alerts/{alert['id']}/ack", {"by": "otto", "duration_seconds": 60})
    act(agent, "/admin/silences", {"matchers": "alertname=Always", "duration_seconds": 60})
    document = openapi(agent)
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    body = agent.json(path)
    errors = list(validator(document, schema).iter_errors(body))
    assert not errors, [f"{e.json_path}: {e.message[:300]}" for e in errors[:5]]
    check_unknowns(body, path)


def test_answers_to_acts_are_as_described(start):
    agent = start(ALWAYS)
    alert = firing(agent, "Always")
    document = openapi(agent)
    for path, body, method, template in (
        (f"/admin/alerts/{alert['id']}/ack", {"by": "x"}, "POST", "/admin/alerts/{id}/ack"),
        ("/admin/silences", {"matchers": ["a=b"], "duration_seconds": 9}, "POST", "/admin/silences"),
        ("/admin/silences/s1", None, "DELETE", "/admin/silences/{id}"),
    ):
        described = document["paths"][template][method.lower()]
        if body:
            schema = described["requestBody"]["content"]["application/json"]["schema"]
            validator(document, schema).validate(body)
        status, answer = act(agent, path, body, method)
        assert status == 200, answer
        schema = described["responses"]["200"]["content"]["application/json"]["schema"]
        validator(document, schema).validate(answer)
        check_unknowns(answer, path)


def test_a_crash_is_an_alert_at_once(start):
    agent = start({"name": "ProcessCrash", "kind": "event", "event": "crash", "keep_firing_for": 2,
                   "severity": "error", "summary": "{{ $reason }}"})
    late = []
    for i in range(8):
        before = crash(f"mwcrash{i}")
        wait_for(lambda: find(agent, "ProcessCrash", query=f"?matcher=comm%3Dmwcrash{i}"), what="the alert")
        (alert,) = find(agent, "ProcessCrash", query=f"?matcher=comm%3Dmwcrash{i}")
        assert alert["state"] == "firing" and alert["severity"] == "error"
        assert alert["labels"]["signal"] == "SIGSEGV" and alert["labels"]["event"] == "crash"
        assert re.search(rf"mwcrash{i} \(pid \d+\) was ended by SIGSEGV", alert["summary"])
        late.append((at(alert["starts_at"]) - before).total_seconds())
    # A tick a second apart would make the median half a second.
    assert sorted(late)[len(late) // 2] < 0.2, late
    assert all(seconds >= 0 for seconds in late), late
    past = over(agent, "ProcessCrash")
    assert past["state"] == "resolved" and at(past["ends_at"]) > at(past["starts_at"])
    assert {a["labels"]["comm"] for a in find(agent, "ProcessCrash", "history")} >= {"mwcrash0", "mwcrash7"}


def test_a_storm_of_crashes_is_no_storm_of_ticks(start):
    agent = start({"name": "ProcessCrash", "kind": "event", "event": "crash", "severity": "error"})
    ticks, began = agent.metric("moonwatch_ticks_total"), time.monotonic()
    script = "i=0; while [ $i -lt 300 ]; do sh -c 'kill -SEGV $$' 2>/dev/null; i=$((i+1)); done"
    subprocess.run(["sh", "-c", script], timeout=60, stderr=subprocess.DEVNULL)
    agent.next_tick()
    ticked, took = agent.metric("moonwatch_ticks_total") - ticks, time.monotonic() - began
    assert ticked <= 100 * took + took + 5
    assert firing(agent, "ProcessCrash")["labels"]["comm"] == "sh"


def test_a_full_disk_fires_and_resolves(start, tmp_path):
    probe = start(NEVER)
    device = os.stat(tmp_path).st_dev
    mounts = {
        row["mount"]: row for row in probe.json("/health/resources")["disk"]
        if os.stat(row["mount"]).st_dev == device
    }
    if not mounts:
        pytest.skip("the test's directory is on no filesystem that the agent watches")
    mount, row = next(iter(mounts.items()))
    if row["available_bytes"] < 4 * GIB:
        pytest.skip("no room for the file")
    rule = {
        "name": "DiskLow",
        "metric": "moonwatch_filesystem_available_bytes",
        "match": {"mount": mount},
        "below": row["available_bytes"] - GIB,
        "for": 1,
        "severity": "warning",
        "summary": "{{ $labels.mount }} has {{ $value }} bytes left",
    }
    probe.write_config({**probe.config, **with_rules(rule)})
    assert act(probe, "/admin/reload")[0] == 200
    probe.next_tick()
    assert not find(probe, "DiskLow")
    path = tmp_path / "filler"
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, 2 * GIB)
    alert = firing(probe, "DiskLow")
    assert alert["labels"]["mount"] == mount and alert["labels"]["fstype"]
    assert alert["value"] < row["available_bytes"] - GIB
    assert alert["summary"].startswith(f"{mount} has ")
    assert "the configuration was reloaded" in alert["changed"]
    path.unlink()
    past = over(probe, "DiskLow")
    assert past["id"] == alert["id"] and past["starts_at"] == alert["starts_at"]


def test_used_memory_fires_and_names_who(start):
    agent = start(NEVER)
    available = agent.metric("moonwatch_memory_available_bytes")
    if available < 4 * GIB:
        pytest.skip("no memory to use up")
    total = agent.metric("moonwatch_memory_total_bytes")
    rule = {
        "name": "HostMemory",
        "kind": "threshold",
        "metric": "moonwatch_memory_usage_ratio",
        "above": 1 - (available - GIB) / total,
        "for": 0,
        "labels": {"check": "memory"},
    }
    agent.write_config({**agent.config, **with_rules(rule)})
    assert act(agent, "/admin/reload")[0] == 200
    memory = mmap.mmap(-1, 2 * GIB)
    for page in range(0, 2 * GIB, 4096):
        memory[page] = 1
    alert = firing(agent, "HostMemory")
    assert f"(pid {os.getpid()})" in alert["offenders"], alert["offenders"]
    memory.close()
    over(agent, "HostMemory")


def test_every_metric_can_be_alerted_on_as_it_reads(start):
    """The same names and labels as on the page, which others parse."""
    upstream = {"name": "pay", "address": "192.0.2.1:443", "breaker": {"mode": "observe"}}
    agent = start(NEVER, more={"upstreams": [upstream]})
    agent.next_tick()
    names = sorted({name for name, _ in series(parse(agent)) if not name.endswith("_bucket")})
    assert len(names) > 100
    rules = [
        {"name": f"R{i}", "metric": name, "above": -1e18, "for": 0, "severity": "info"}
        for i, name in enumerate(names)
    ]
    agent.write_config({**agent.config, **with_rules(*rules)})
    assert act(agent, "/admin/reload")[0] == 200
    wait_for(lambda: find(agent, "R0", query="?alertname=R0"), what="the first alerts")
    agent.next_tick()
    alerts = agent.json("/alerts?limit=10000")
    assert alerts["alerts_omitted"] == 0
    found = {}
    for alert in alerts["alerts"]:
        labels = {k: v for k, v in alert["labels"].items() if k != "alertname"}
        if re.fullmatch(r"R\d+", alert["alertname"]):
            found.setdefault(names[int(alert["alertname"][1:])], []).append(labels)
    # What the page tells of the writing of the page itself is nothing to alert on.
    assert set(names) - set(found) <= {"moonwatch_scrape_seconds"}, set(names) - set(found)
    page = {}
    for name, labels in series(parse(agent)):
        page.setdefault(name, []).append({k: v for k, v in labels if v})
    for name in ("moonwatch_filesystem_usage_ratio", "moonwatch_breaker_state", "moonwatch_pressure_ratio",
                 "moonwatch_cpu_usage_ratio", "moonwatch_load1", "moonwatch_loop_lag_seconds"):
        if name in page:
            key = lambda labels: sorted(labels.items())
            assert sorted(found[name], key=key) == sorted(page[name], key=key), name
    assert "moonwatch_breaker_state" in found


def test_a_breaker_is_an_event(start, cgroup2):
    clients = {"cgroup": str(cgroup2.path.relative_to(cgroup2_mount()))}
    upstream = {"name": "pay", "address": "192.0.2.1:443", "clients": clients, "breaker": {"mode": "enforce"}}
    rule = {"name": "Forced", "kind": "event", "event": "breaker", "match": {"state": "forced_open"},
            "severity": "error", "summary": "{{ $labels.upstream }}: {{ $reason }}"}
    agent = start(rule, more={"upstreams": [upstream]})
    before = datetime.now(timezone.utc)
    assert act(agent, "/admin/circuit-breaker/pay/open")[0] == 200
    alert = firing(agent, "Forced")
    assert alert["labels"]["upstream"] == "pay"
    assert alert["summary"].startswith("pay: breaker pay ")
    assert (at(alert["starts_at"]) - before).total_seconds() < 0.5
    assert "breaker pay went from closed to forced_open" in alert["changed"]


def test_filters(start):
    agent = start(ALWAYS, {**ALWAYS, "name": "Info", "severity": "info"}, {**ALWAYS, "name": "Soon", "for": 3600})
    alert = firing(agent, "Always")
    firing(agent, "Info")

    def names(query):
        return sorted(a["alertname"] for a in agent.json("/alerts?" + query)["alerts"])

    # The first tick knows no usage yet: that it is absent is pending until the second.
    wait_for(lambda: names("") == ["Always", "Info", "Soon"], what="a second sample")
    assert names("state=firing") == ["Always", "Info"]
    assert names("state=pending") == ["Soon"]
    assert names("state=resolved") == []
    assert names("severity=info") == ["Info"]
    assert names("alertname=Always") == ["Always"]
    assert names("matcher=alertname%3D~%22A.*%7CI.*%22%2Cseverity!%3Dinfo") == ["Always"]
    assert names("state=firing&severity=error") == ["Always"]
    later = at(alert["starts_at"]) + timedelta(hours=1)
    assert names("since=" + later.isoformat().replace("+", "%2B")) == ["Soon"]
    assert names("since=1") == ["Always", "Info", "Soon"]
    limited = agent.json("/alerts?limit=1")
    assert [a["alertname"] for a in limited["alerts"]] == ["Always"] and limited["alerts_omitted"] == 2
    assert (limited["firing"], limited["pending"]) == (2, 1)
    assert agent.json("/alerts?limit=0")["alerts_omitted"] == 3


BAD_QUERIES = [
    ("state=burning", "pending, firing, resolved"),
    ("severity=high", "info, warning, error, critical"),
    ("matcher=x", "column 2"),
    ("matcher=x%3D~%5B", "matcher"),
    ("since=yesterday", "seconds since 1970"),
    ("limit=-1", "limit"),
    ("limit=1e3", "limit"),
    ("limit=100000000000000000000", "limit"),
    ("name=Always", "alertname"),
    ("state=", "pending, firing, resolved"),
]


def test_bad_queries(start):
    agent = start(ALWAYS)
    for query, word in BAD_QUERIES:
        status, _, text = agent.request("/alerts?" + query)
        error = json.loads(text)["error"]
        assert status == 400 and error["code"] == "bad_query" and word in error["message"], (query, text)


def test_ack_and_its_end(start):
    agent = start(ALWAYS)
    alert = firing(agent, "Always")
    assert alert["acked_by"] is None
    status, answer = act(agent, f"/admin/alerts/{alert['id']}/ack", {"by": "otto", "comment": "on it"})
    assert status == 200 and (answer["acked_by"], answer["ack_comment"]) == ("otto", "on it")
    assert answer["acked_until"] is None
    again = firing(agent, "Always")
    assert again["acked_by"] == "otto"
    agent.next_tick()
    assert agent.metric("moonwatch_alerts_acked") == 1
    status, answer = act(agent, f"/admin/alerts/{alert['id']}/ack", {"duration_seconds": 2})
    assert status == 200 and answer["acked_by"] == ""
    assert 0 < (at(answer["acked_until"]) - datetime.now(timezone.utc)).total_seconds() <= 3
    wait_for(lambda: firing(agent, "Always")["acked_by"] is None, what="the end of the ack")


def test_silence_by_http(start):
    agent = start(ALWAYS)
    firing(agent, "Always")
    body = {"matchers": ["alertname=Always", 'severity=~"error|critical"'], "duration_seconds": 600,
            "creator": "otto", "comment": "known"}
    status, answer = act(agent, "/admin/silences", body)
    (silence,) = answer["silences"]
    assert status == 200 and silence["active"] and silence["creator"] == "otto"
    assert agent.json("/silences")["silences"] == [silence]
    wait_for(lambda: firing(agent, "Always")["suppressed_by"] == "silence", what="silence")
    agent.next_tick()
    assert agent.metric("moonwatch_silences") == 1
    assert agent.metric("moonwatch_alerts_suppressed_total", reason="silence") == 1
    assert act(agent, "/admin/silences", {"id": silence["id"]}, "DELETE")[0] == 200
    wait_for(lambda: firing(agent, "Always")["suppressed_by"] is None, what="noise")
    now = datetime.now(timezone.utc)
    spans = {"starts_at": (now + timedelta(hours=1)).isoformat(), "ends_at": (now + timedelta(hours=2)).isoformat()}
    status, answer = act(agent, "/admin/silences", {"matchers": "a=b", **spans})
    assert status == 200 and not answer["silences"][0]["active"]
    assert at(answer["silences"][0]["ends_at"]) - at(answer["silences"][0]["starts_at"]) == timedelta(hours=1)
    assert act(agent, f"/admin/silences/{answer['silences'][0]['id']}", None, "DELETE")[0] == 200
    status, answer = act(agent, "/admin/silences", {"matchers": "alertname=Always", "duration_seconds": 1.5})
    assert status == 200
    wait_for(lambda: not agent.json("/silences")["silences"], what="its expiry")


BAD_REQUESTS = [
    ("/admin/alerts/0000000000000000/ack", "POST", None, 404, "GET /alerts"),
    ("/admin/alerts/x/ack", "POST", None, 404, "GET /alerts"),
    ("/admin/alerts/ID/ack", "POST", b"[]", 400, "JSON object"),
    ("/admin/alerts/ID/ack", "POST", b"{", 400, "JSON object"),
    ("/admin/alerts/ID/ack", "POST", b"{} x", 400, "JSON object"),
    ("/admin/alerts/ID/ack", "POST", b'{"by": "\xff"}', 400, "UTF-8"),
    ("/admin/alerts/ID/ack", "POST", {"by": 3}, 400, "by is not a string"),
    ("/admin/alerts/ID/ack", "POST", {"who": "x"}, 400, "by, comment, duration_seconds"),
    ("/admin/alerts/ID/ack", "POST", {"duration_seconds": 0}, 400, "duration_seconds"),
    ("/admin/alerts/ID/ack", "POST", {"duration_seconds": 1e300}, 400, "duration_seconds"),
    ("/admin/silences", "POST", None, 400, "matchers is missing"),
    ("/admin/silences", "POST", {"matchers": [], "duration_seconds": 9}, 400, "matchers is missing"),
    ("/admin/silences", "POST", {"matchers": "x", "duration_seconds": 9}, 400, "no operator"),
    ("/admin/silences", "POST", {"matchers": "x=~[", "duration_seconds": 9}, 400, ""),
    ("/admin/silences", "POST", {"matchers": "x!=y", "duration_seconds": 9}, 400, "nearly everything"),
    ("/admin/silences", "POST", {"matchers": "x=y"}, 400, "exactly one of"),
    ("/admin/silences", "POST", {"matchers": "x=y", "ends_at": "2001-01-01T00:00:00Z"}, 400, "past"),
    ("/admin/silences", "POST", {"matchers": "x=y", "ends_at": "soon"}, 400, "no time"),
    ("/admin/silences", "POST", {"matchers": "x=y", "ends_at": "4102444800"}, 400, "two years"),
    ("/admin/silences", "POST", {"matchers": [1], "duration_seconds": 9}, 400, "array of strings"),
    ("/admin/silences", "POST", {"matchers": "x=y", "duration_seconds": -9}, 400, "above 0"),
    ("/admin/silences", "POST", b" " * 5000, 413, "4096"),
    ("/admin/silences", "DELETE", None, 400, "id is missing"),
    ("/admin/silences", "DELETE", {"id": "s9"}, 404, "GET /silences"),
    ("/admin/silences/s9", "DELETE", None, 404, "GET /silences"),
    ("/admin/silences/s9", "POST", None, 405, "Allow"),
]


def test_bad_requests_change_nothing(start):
    agent = start(ALWAYS)
    alert = firing(agent, "Always")
    for path, method, body, status, word in BAD_REQUESTS:
        code, answer = act(agent, path.replace("ID", alert["id"]), body, method)
        assert code == status and word in answer["error"]["message"], (path, body, answer)
    assert firing(agent, "Always")["acked_by"] is None and agent.json("/silences")["silences"] == []


def test_no_token_no_act(start):
    agent = start(ALWAYS)
    alert = firing(agent, "Always")
    for path, method in (
        (f"/admin/alerts/{alert['id']}/ack", "POST"), ("/admin/silences", "POST"),
        ("/admin/silences", "DELETE"), ("/admin/silences/s1", "DELETE"),
    ):
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            body = b'{"matchers": "a=b", "duration_seconds": 9}'
            assert agent.request(path, method, headers, body)[0] == 401, path
    assert agent.json("/silences")["silences"] == []


def test_there_are_not_too_many_silences(start):
    agent = start(ALWAYS)
    for i in range(256):
        assert act(agent, "/admin/silences", {"matchers": f"n={i}", "duration_seconds": 600})[0] == 200
    status, answer = act(agent, "/admin/silences", {"matchers": "n=x", "duration_seconds": 600})
    assert status == 422 and "256 silences already" in answer["error"]["message"]


def test_shell(start):
    agent = start(ALWAYS)
    alert = firing(agent, "Always")
    listed = cli(agent, "list")
    assert listed.returncode == 0 and alert["id"] in listed.stdout and "Always" in listed.stdout
    assert "no alerts" in cli(agent, "list", "--state", "resolved").stdout
    acked = cli(agent, "ack", alert["id"], "--comment", "on it", "--for", "2h")
    assert acked.returncode == 0 and "otto" in acked.stdout, acked.stderr
    after = firing(agent, "Always")
    assert (after["acked_by"], after["ack_comment"]) == ("otto", "on it")
    made = cli(agent, "silence", "alertname=Always", 'severity=~"error|critical"', "--for", "30m", "--json")
    assert made.returncode == 0, made.stderr
    (silence,) = json.loads(made.stdout)["silences"]
    assert silence["creator"] == "otto"
    assert at(silence["ends_at"]) - at(silence["starts_at"]) == timedelta(minutes=30)
    wait_for(lambda: firing(agent, "Always")["suppressed_by"] == "silence", what="silence")
    listed = cli(agent, "list").stdout
    assert "SILENCES" in listed and silence["id"] in listed and "not told: silence" in listed
    everything = json.loads(cli(agent, "list", "--json", "--matcher", "alertname=Always").stdout)
    assert [a["id"] for a in everything["alerts"]] == [alert["id"]]
    assert [s["id"] for s in everything["silences"]] == [silence["id"]]
    assert cli(agent, "unsilence", silence["id"]).returncode == 0
    assert agent.json("/silences")["silences"] == []
    for arguments, code, words in (
        (("ack", "x?z"), 1, 'no alert "x?z"'),
        (("ack",), 2, "id of an alert"),
        (("ack", "a", "b"), 2, "id of an alert"),
        (("ack", alert["id"], "--for", "soon"), 2, "90s, 30m, 2h, 7d"),
        (("silence",), 2, "alertname=HostDisk"),
        (("silence", "x"), 1, "no operator"),
        (("unsilence", "s99"), 1, 'no silence "s99"'),
        (("list", "--rules", "x"), 2, "does not take --rules"),
        (("list", "x"), 2, "no arguments"),
        (("list", "--state", "x"), 1, "pending, firing, resolved"),
        (("shout",), 2, "list, ack, silence, unsilence, test"),
        ((), 2, "list, ack, silence, unsilence, test"),
    ):
        refused = cli(agent, *arguments)
        assert refused.returncode == code and words in refused.stderr, (arguments, refused.stderr)
        assert refused.stderr.count("\n") == 1
    (agent.directory / "other.token").write_text("nonsense")
    refused = cli(agent, "unsilence", "s1", "--token-file", str(agent.directory / "other.token"))
    assert refused.returncode == 1 and "token" in refused.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_restart_forgets_nothing(start, how):
    agent = start(
        ALWAYS,
        {**ALWAYS, "name": "Slow", "for": 4},
        {"name": "ProcessCrash", "kind": "event", "event": "crash", "keep_firing_for": 600, "severity": "error"},
        {"name": "Short", "kind": "event", "event": "crash", "keep_firing_for": 0, "match": {"comm": "mwshort"}},
    )
    crash("mwlasting")
    crash("mwshort")
    alert = firing(agent, "Always")
    (crashed,) = find(agent, "ProcessCrash", query="?matcher=comm%3Dmwlasting")
    past = over(agent, "Short")
    assert act(agent, f"/admin/alerts/{alert['id']}/ack", {"by": "otto", "comment": "on it"})[0] == 200
    status, answer = act(agent, "/admin/silences", {"matchers": "comm=mwlasting", "duration_seconds": 600})
    assert status == 200
    silence = answer["silences"][0]
    # Two ticks later what was answered is on the disk.
    agent.next_tick()
    agent.stop(how)
    agent.start()
    wait_for(lambda: agent.request("/alerts")[0] == 200, what="a first sample")
    after = firing(agent, "Always")
    assert (after["id"], after["starts_at"]) == (alert["id"], alert["starts_at"])
    assert (after["acked_by"], after["ack_comment"]) == ("otto", "on it")
    assert agent.json("/silences")["silences"] == [{**silence, "active": True}]
    kept = find(agent, "ProcessCrash", query="?matcher=comm%3Dmwlasting")[0]
    assert kept["starts_at"] == crashed["starts_at"] and kept["suppressed_by"] == "silence"
    assert [a["starts_at"] for a in find(agent, "Short", "history")] == [past["starts_at"]]
    firing(agent, "Slow")
    assert act(agent, "/admin/silences", {"matchers": "a=b", "duration_seconds": 9})[1]["silences"][0]["id"] == "s2"
    # What was told is not told again: one firing notification in both lives.
    agent.next_tick()
    assert agent.metric("moonwatch_alerts_fired_total") == 1


def test_pending_goes_on_where_it_was(start):
    rule = {**ALWAYS, "name": "Slow", "for": 6}
    agent = start(rule)
    wait_for(lambda: find(agent, "Slow"), what="pending")
    began = time.monotonic()
    agent.next_tick()
    agent.next_tick()
    agent.stop(signal.SIGKILL)
    agent.start()
    firing(agent, "Slow")
    # Anew it would be six seconds from the second start.
    saved = json.loads((agent.directory / "state" / "alerts.json").read_text())
    assert time.monotonic() - began < 60
    (alert,) = [a for a in saved["alerts"] if a["labels"]["alertname"] == "Slow"] or [None]
    assert alert is None or alert["active_since"] >= 6e9


@pytest.mark.parametrize("content", [b"{", b"\0" * 100, b'{"version": 99}', b"[]", b"", b'{"version":1,"alerts":7}'])
def test_a_damaged_state_is_moved_aside(start, make_agent, content):
    agent = make_agent(config=with_rules(ALWAYS))
    state = agent.directory / "state"
    state.mkdir()
    (state / "alerts.json").write_bytes(content)
    agent.start()
    wait_for(lambda: agent.request("/alerts")[0] == 200, what="a first sample")
    firing(agent, "Always")
    said = [e for e in agent.events() if "damaged" in str(e.get("msg"))]
    if content.endswith(b"7}"):  # a document of ours, from which what makes sense is taken
        assert not said
        return
    assert len(said) == 1 and said[0]["level"] == "ERROR", said
    assert (state / "alerts.json.damaged").read_bytes() == content
    agent.next_tick()
    assert json.loads((state / "alerts.json").read_text())["alerts"]


def test_a_state_that_cannot_be_written_is_said_once(make_agent):
    agent = make_agent(config=with_rules(ALWAYS))
    (agent.directory / "state").write_text("not a directory")
    agent.start()
    wait_for(lambda: agent.request("/alerts")[0] == 200, what="a first sample")
    wait_for(lambda: agent.metric("moonwatch_alert_state_write_failures_total"), what="a failed write")
    assert firing(agent, "Always")
    said = [e for e in agent.events() if e.get("msg") == "The alerts cannot be saved"]
    assert len(said) == 1 and "alerts.json: Not a directory" in said[0]["error"]


def test_a_reload_with_a_mistake_leaves_the_old_rules(start):
    agent = start(ALWAYS)
    alert = firing(agent, "Always")
    bad = {**ALWAYS, "name": "Bad", "matchers": ["x"]}
    agent.write_config({**agent.config, **with_rules(bad)})
    status, answer = act(agent, "/admin/reload")
    assert status == 422 and "/alert_manager/rules/" in answer["error"]["message"]
    agent.process.send_signal(signal.SIGHUP)
    agent.wait_log(lambda e: e.get("msg") == "Configuration rejected, the old one stays")
    agent.next_tick()
    assert firing(agent, "Always")["starts_at"] == alert["starts_at"]
    agent.write_config({**agent.config, **with_rules({**ALWAYS, "name": "Other"})})
    agent.process.send_signal(signal.SIGHUP)
    firing(agent, "Other")
    over(agent, "Always")


def test_the_agent_does_not_start_with_a_mistake(make_agent):
    agent = make_agent(config=with_rules({**ALWAYS, "summary": "{{ $labels.nonsense }}"}))
    code, lines = agent.run_to_end()
    assert code == 2 and "/alert_manager/rules/" in lines[0] and "nonsense" in lines[0]


class Receiver:
    """A webhook that keeps what it gets, with the time."""

    def __init__(self):
        self.got = []
        self.status = 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((datetime.now(timezone.utc), self.headers["Idempotency-Key"], json.loads(body)))
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of(self, status, comm=None):
        return [
            (when, key)
            for when, key, body in self.got
            for alert in body["alerts"]
            if alert["status"] == status and comm in (None, alert["labels"].get("comm"))
        ]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    receiver = Receiver()
    yield receiver
    receiver.close()


CRASH = {"name": "ProcessCrash", "kind": "event", "event": "crash", "severity": "critical", "keep_firing_for": 1}


def told_at_once(receiver, **channel):
    return {
        "channels": [{"name": "hook", "type": "webhook", "url": receiver.url, **channel}],
        "routes": [{"channels": ["hook"], "group_by": ["alertname", "comm"], "group_wait": 0, "group_interval": 1}],
    }


def test_a_crash_is_told_at_once(start, receiver):
    agent = start(CRASH, **told_at_once(receiver))
    late = []
    for i in range(8):
        before = crash(f"mwtold{i}")
        wait_for(lambda: receiver.of("firing", f"mwtold{i}"), what="the notification")
        late.append((receiver.of("firing", f"mwtold{i}")[0][0] - before).total_seconds())
    # A tick a second apart would make the median half a second.
    assert sorted(late)[len(late) // 2] < 0.25, late
    wait_for(lambda: receiver.of("resolved", "mwtold0"), what="the resolved notice")
    agent.next_tick()
    assert agent.metric("moonwatch_notify_sent_total", channel="hook") == len(receiver.got)
    assert agent.metric("moonwatch_notify_latency_seconds_count", channel="hook") == len(receiver.got)
    assert agent.metric("moonwatch_notify_state", channel="hook", state="ok") == 1
    assert agent.metric("moonwatch_outbox_stored_total") == len(receiver.got)
    assert agent.metric("moonwatch_alert_notifications_total", kind="firing") >= 8
    assert len({key for _, key, _ in receiver.got}) == len(receiver.got)


def test_a_channel_that_fails_is_seen(start, receiver):
    receiver.status = 503
    agent = start(ALWAYS, **told_at_once(receiver))
    firing(agent, "Always")
    (channel,) = wait_for(
        lambda: [c for c in agent.json("/alerts")["channels"] if c["state"] != "ok"], what="a failing channel"
    )
    assert channel["name"] == "hook" and channel["queued"] == 1 and "503" in channel["error"]
    listed = cli(agent, "list").stdout
    assert "CHANNEL hook is " in listed and "503" in listed
    receiver.status = 200
    wait_for(lambda: agent.json("/alerts")["channels"][0]["state"] == "ok", what="delivery")
    assert agent.json("/alerts")["channels"][0]["queued"] == 0
    assert len({key for _, key, _ in receiver.got}) == 1


def test_what_a_killed_agent_said_is_told_and_then_resolved(start, receiver):
    """Killed between the alert and its delivery: told by the next, with the same key, and only once."""
    receiver.status = 503
    rule = {**CRASH, "keep_firing_for": 5}
    agent = start(rule, **told_at_once(receiver))
    crash("mwkilled")
    wait_for(lambda: receiver.of("firing", "mwkilled"), what="an attempt")
    key = receiver.of("firing", "mwkilled")[0][1]
    agent.next_tick()
    agent.stop(signal.SIGKILL)
    receiver.got.clear()
    receiver.status = 200
    agent.start()
    wait_for(lambda: receiver.of("resolved", "mwkilled"), what="the resolved notice")
    assert [k for _, k in receiver.of("firing", "mwkilled")] == [key]
    assert agent.metric("moonwatch_outbox_recovered_total") == 1


def test_a_silenced_alert_is_not_told(start, receiver):
    agent = start(CRASH, **told_at_once(receiver))
    assert act(agent, "/admin/silences", {"matchers": "comm=mwquiet", "duration_seconds": 600})[0] == 200
    crash("mwquiet")
    crash("mwloud")
    wait_for(lambda: receiver.of("resolved", "mwloud"), what="the other one's end")
    assert not receiver.of("firing", "mwquiet")


def test_stages_are_counted(start):
    agent = start(ALWAYS, {**ALWAYS, "name": "Soon", "for": 3600, "severity": "critical"})
    firing(agent, "Always")
    agent.next_tick()
    assert agent.metric("moonwatch_alerts", state="firing", severity="error") == 1
    assert agent.metric("moonwatch_alerts", state="pending", severity="critical") == 1
    assert agent.metric("moonwatch_alerts", state="firing") == 1
    assert agent.metric("moonwatch_alerts_fired_total") == 1
    assert agent.metric("moonwatch_alerts_resolved_total") == 0
    assert agent.metric("moonwatch_alerts_deduplicated_total") >= 1
    assert agent.metric("moonwatch_alert_evaluations_total") > 2
    for name in ("flapping", "held_back", "overflowed", "escalated"):
        assert agent.metric(f"moonwatch_alerts_{name}_total") == 0
    for reason in ("cooldown", "silence", "mute_window", "inhibited", "unrouted"):
        assert agent.metric("moonwatch_alerts_suppressed_total", reason=reason) == 0
    for kind in ("firing", "resolved", "flapping", "digest", "escalation"):
        assert agent.metric("moonwatch_alert_notifications_total", kind=kind) is not None
    assert agent.metric("moonwatch_alert_state_writes_total") >= 1
    assert agent.metric("moonwatch_alert_state_write_failures_total") == 0
