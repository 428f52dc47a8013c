"""Alerts of a running agent: real crashes and real levels, and how they are told over HTTP."""

import json
import mmap
import os
import re
import subprocess
import time
from datetime import timedelta
from urllib.parse import quote

import pytest
from alerting import (
    ALWAYS, CRASH, NEVER, SELDOM, Ticks, act, at, crash, crashes, find, firing, ours, over, reload, start, with_rules,
)
from conftest import BINARY, DEADLINE_SECONDS, Cgroup, cgroup2_mount, wait_for, wait_until
from test_http import check_unknowns, openapi, validator
from test_metrics import parse, series

GIB = 1 << 30


def test_a_crash_is_an_alert_at_once(start):
    """Each in a tick of its own: how fast that is, scripts/bench.sh measures."""
    rule = {**CRASH, "keep_firing_for": 600, "severity": "error", "summary": "{{ $reason }}"}
    agent = start(rule, more=SELDOM)
    ticks = Ticks(agent)
    names = []

    def crash_once_more():
        name = ours(f"dead{len(names)}")
        names.append(name)
        before = crash(name)
        (alert,) = wait_for(lambda: crashes(agent, name), what="the alert")
        assert alert["state"] == "firing" and alert["severity"] == "error"
        assert alert["labels"]["signal"] == "SIGSEGV" and alert["labels"]["event"] == "crash"
        assert re.search(rf"{name} \(pid \d+\) was ended by SIGSEGV", alert["summary"])
        assert at(alert["starts_at"]) >= before
        return ticks.beyond_timer()

    wait_for(crash_once_more, "more ticks than the timer's")
    reload(agent, with_rules(NEVER))
    past = over(agent, "ProcessCrash")
    assert past["state"] == "resolved" and at(past["ends_at"]) > at(past["starts_at"])
    assert {a["labels"]["comm"] for a in find(agent, "ProcessCrash", "history")} == set(names)


def loop_of(service):
    """Not of those of other tests."""
    return {"name": "Loop", "kind": "event", "event": "crash_loop", "match": {"unit": service.path.name}}


def test_a_service_that_fails_again_and_again_is_a_loop(start, cgroup2):
    """As systemd starts it: from outside of its cgroup, at the head of a session. What it starts itself
    may fail as often as it likes."""
    service = Cgroup(cgroup2.path.with_suffix(".service"))
    agent = start(loop_of(service), more=SELDOM)
    try:
        for _ in range(2):
            service.popen(["sh", "-c", "for i in 1 2 3 4; do /bin/false; done; exit 3"], start_new_session=True).wait()
        agent.wait_log(lambda e: e.get("msg") == "Service failed" and e["unit"] == service.path.name)
        assert not find(agent, "Loop")
        third = service.popen(["sh", "-c", "exit 1"], start_new_session=True)
        third.wait()
        alert = firing(agent, "Loop")
        assert alert["labels"] == {
            "alertname": "Loop", "event": "crash_loop", "comm": "sh", "unit": service.path.name,
            "cgroup": "/" + service.path.name,
        }
        failed = lambda: [e for e in agent.events() if e.get("msg") == "Service failed" and e["unit"] == service.path.name]
        said = wait_until(failed, lambda lines: len(lines) >= 3, "the lines")
        assert [e["exit_status"] for e in said] == [3, 3, 1]
        assert said[-1]["pid"] == third.pid and said[-1]["cgroup"] == "/" + service.path.name
        assert said[-1]["signal"] is None
    finally:
        service.remove()


def test_a_service_that_is_killed_again_and_again_is_a_loop(start, cgroup2):
    service = Cgroup(cgroup2.path.with_suffix(".service"))
    agent = start(loop_of(service), more=SELDOM)
    try:
        for _ in range(5):
            service.popen(["sh", "-c", "kill -KILL $$"], start_new_session=True).wait()
        assert firing(agent, "Loop")["labels"]["unit"] == service.path.name
    finally:
        service.remove()


# Forks at once: a storm is faster than the ticks that it may cause.
STORM = """
import ctypes, os, resource, signal, sys
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0)
for _ in range(int(sys.argv[2])):
    if os.fork() == 0:
        os.kill(os.getpid(), signal.SIGSEGV)
    os.wait()
"""


def test_a_storm_of_crashes_is_no_storm_of_ticks(start):
    agent = start({**CRASH, "keep_firing_for": 600}, more=SELDOM)
    name = ours("storm")
    ticks = Ticks(agent)
    subprocess.run(["python3", "-S", "-c", STORM, name, "500"], timeout=DEADLINE_SECONDS, check=True)
    wait_for(lambda: crashes(agent, name), what="the alert")
    # 10 ms at least are between ticks, and those of the timer come on top.
    ticked, took = ticks.count() - ticks.first, time.monotonic() - ticks.began
    assert ticked <= 100 * took + ticks.of_timer() + 1


@pytest.mark.alone
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
    reload(probe, with_rules(rule))
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


@pytest.mark.alone
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
    memory = mmap.mmap(-1, 2 * GIB)
    for page in range(0, 2 * GIB, 4096):
        memory[page] = 1
    # Who it was is looked for when it fires: by then the agent has seen all of it.
    agent.next_tick()
    reload(agent, with_rules(rule))
    alert = firing(agent, "HostMemory")
    assert f"(pid {os.getpid()})" in alert["offenders"], alert["offenders"]
    memory.close()
    over(agent, "HostMemory")


def names_of(agent):
    return {name for name, _ in series(parse(agent)) if not name.endswith("_bucket")}


def doubts_of(config, tmp_path):
    path = tmp_path / "checked.json"
    path.write_text(json.dumps(config))
    run = subprocess.run([BINARY, "check", path], capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    assert run.returncode == 0, run.stderr
    return [line.split(" warning: ", 1)[1] for line in run.stderr.splitlines()]


def test_every_metric_can_be_alerted_on_as_it_reads(start, tmp_path):
    """The same names and labels as on the page, which others parse."""
    upstream = {"name": "pay", "address": "192.0.2.1:443", "breaker": {"mode": "observe"}}
    agent = start(NEVER, more={"upstreams": [upstream]})
    agent.next_tick()
    names = sorted(names_of(agent))
    assert len(names) > 100
    rules = [
        {"name": f"R{i}", "metric": name, "above": -1e18, "for": 0, "severity": "info", "summary": "x" * 500}
        for i, name in enumerate(names)
    ]
    labels_of = {name: [key for key, _ in labels] for name, labels in series(parse(agent))}
    known = {**with_rules(*[{**rule, "above": 0.5, "matchers": [f'{key}!=""' for key in labels_of[rule["metric"]]]}
                            for rule in rules]), "upstreams": [upstream]}
    assert doubts_of(known, tmp_path) == [
        "cannot fire: it tells of the page itself, which rules do not read"] * ("moonwatch_scrape_seconds" in names)
    reload(agent, with_rules(*rules))
    wait_for(lambda: find(agent, "R0", query="?alertname=R0"), what="the first alerts")
    agent.next_tick()
    whole = agent.json("/alerts?limit=10000")
    assert len(whole["alerts"]) > 100 and whole["alerts_omitted"] > 0, "more than one answer may hold"
    assert len(whole["alerts"]) + whole["alerts_omitted"] == whole["firing"] + whole["pending"]
    assert len(agent.text("/alerts?limit=10000")) < 300 << 10
    found, alerts = {}, []
    for rule in rules:
        part = agent.json(f"/alerts?limit=10000&alertname={rule['name']}")
        assert part["alerts_omitted"] == 0
        alerts += part["alerts"]
    for alert in alerts:
        labels = {k: v for k, v in alert["labels"].items() if k != "alertname"}
        if re.fullmatch(r"R\d+", alert["alertname"]):
            found.setdefault(names[int(alert["alertname"][1:])], []).append(labels)
    # What was there for a moment may have been gone when the rules came. And what the page tells of the
    # writing of the page itself is nothing to alert on.
    stayed = set(names) & names_of(agent) - {"moonwatch_scrape_seconds"}
    assert len(stayed) > 100 and stayed <= set(found), stayed - set(found)
    page = {}
    for name, labels in series(parse(agent)):
        page.setdefault(name, []).append({k: v for k, v in labels if v})
    key = lambda labels: sorted(labels.items())
    for name in ("moonwatch_filesystem_usage_ratio", "moonwatch_breaker_state", "moonwatch_cpu_usage_ratio",
                 "moonwatch_load1", "moonwatch_loop_lag_seconds"):
        assert sorted(found[name], key=key) == sorted(page[name], key=key), name
    # A kernel without pressure has none.
    name = "moonwatch_pressure_ratio"
    assert sorted(found.get(name, []), key=key) == sorted(page.get(name, []), key=key)


def test_a_misspelt_metric_is_said(start):
    rule = {**NEVER, "name": "Typo", "metric": "moonwatch_filesystem_usage"}
    agent = start(NEVER, rule, {**NEVER, "name": "Disk", "metric": "moonwatch_filesystem_usage_ratio"})
    said = lambda: [e for e in agent.events() if "there is no metric" in str(e.get("reason"))]
    (line,) = wait_for(said, what="the line")
    assert line["level"] == "WARNING" and line["msg"] == "Doubt about the configuration"
    assert "the nearest is moonwatch_filesystem_usage_ratio" in line["reason"]
    reload(agent, with_rules({**rule, "name": "Typo2"}))
    wait_for(lambda: len(said()) == 2, what="the line after the reload")


def test_doubts_beyond_those_shown_are_counted(start):
    agent = start(*({**NEVER, "name": f"Typo{i}", "metric": f"no_such_metric_{i}"} for i in range(40)))
    (line,) = wait_for(lambda: [e for e in agent.events() if "in_all" in e], what="the line")
    assert line["level"] == "WARNING" and line["in_all"] == 40


def test_a_breaker_is_an_event(start, cgroup2):
    clients = {"cgroup": str(cgroup2.path.relative_to(cgroup2_mount()))}
    upstream = {"name": "pay", "address": "192.0.2.1:443", "clients": clients, "breaker": {"mode": "enforce"}}
    rule = {"name": "Forced", "kind": "event", "event": "breaker", "match": {"state": "forced_open"},
            "severity": "error", "summary": "{{ $labels.upstream }}: {{ $reason }}"}
    agent = start(rule, more={"upstreams": [upstream], **SELDOM})
    ticks = Ticks(agent)
    assert act(agent, "/admin/circuit-breaker/pay/open")[0] == 200
    alert = firing(agent, "Forced")
    assert alert["labels"]["upstream"] == "pay"
    assert alert["summary"].startswith("pay: breaker pay ")
    assert "breaker pay went from closed to forced_open" in alert["changed"]

    def move_once_more():
        """Each move in a tick of its own."""
        for how in ("close", "open"):
            moved = ticks.count()
            assert act(agent, f"/admin/circuit-breaker/pay/{how}")[0] == 200
            wait_for(lambda: ticks.count() > moved, what="a tick")
        return ticks.beyond_timer()

    wait_for(move_once_more, "more ticks than the timer's")


def test_stages_are_counted(start):
    agent = start(ALWAYS, {**ALWAYS, "name": "Soon", "for": 3600, "severity": "critical"})
    firing(agent, "Always")
    wait_for(lambda: agent.metric("moonwatch_alert_state_writes_total"), what="a write of the state")
    assert agent.metric("moonwatch_alerts", state="firing", severity="error") == 1
    assert agent.metric("moonwatch_alerts", state="pending", severity="critical") == 1
    assert agent.metric("moonwatch_alerts", state="firing") == 1
    assert agent.metric("moonwatch_alerts_fired_total") == 1
    assert agent.metric("moonwatch_alerts_resolved_total") == 0
    wait_for(lambda: agent.metric("moonwatch_alerts_deduplicated_total") >= 1, what="it once more")
    wait_for(lambda: agent.metric("moonwatch_alert_evaluations_total") > 2, what="evaluations")
    for name in ("flapping", "held_back", "overflowed", "escalated"):
        assert agent.metric(f"moonwatch_alerts_{name}_total") == 0
    for reason in ("cooldown", "silence", "mute_window", "inhibited", "unrouted"):
        assert agent.metric("moonwatch_alerts_suppressed_total", reason=reason) == 0
    for kind in ("firing", "resolved", "flapping", "digest", "escalation"):
        assert agent.metric("moonwatch_alert_notifications_total", kind=kind) is not None
    assert agent.metric("moonwatch_alert_state_write_failures_total") == 0


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
    ("matcher=" + quote('a=~"x+++++++++++++++++++++|y"'), "a repeat of a repeat"),
    ("matcher=" + quote(r'a=~"[\\]x{255}{255}{255}"'), "missing terminating ]"),
    ("matcher=" + quote('a=~"(a{100}){100}"'), "more than 1000 times"),
    ("matcher=" + quote(",".join(["a=b"] * 17)), "more than 16"),
    ("matcher=" + quote('long=~"(?:a?){200}a{200}"'), "take too long over these alerts"),
    ("since=yesterday", "seconds since 1970"),
    ("limit=-1", "limit"),
    ("limit=1e3", "limit"),
    ("limit=100000000000000000000", "limit"),
    ("name=Always", "alertname"),
    ("state=", "pending, firing, resolved"),
]


def test_bad_queries(start):
    agent = start({**ALWAYS, "labels": {"long": "a" * 300}})
    wait_for(lambda: find(agent, "Always"), what="the alert")
    for query, word in BAD_QUERIES:
        status, _, text = agent.request("/alerts?" + query)
        error = json.loads(text)["error"]
        assert status == 400 and error["code"] == "bad_query" and word in error["message"], (query, text)
