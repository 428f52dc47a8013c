"""The running agent's configuration and log: reloads, environment, and the lines of the contract."""

import json
import re
import signal
import time
from datetime import datetime, timezone

import pytest

from conftest import wait_for

CHECKED = "System health check completed"
# The contract's example of a log line, in its order.
HEAD = ["ts", "level", "logger", "msg", "module", "func"]
FIGURES = ["cpu_usage", "memory_usage", "disk_usage", "status"]


def reload(agent):
    """SIGHUP; returns the first line that says what became of it."""
    seen = len(agent.events())
    agent.process.send_signal(signal.SIGHUP)
    return agent.wait_log(lambda e: e.get("msg", "").startswith("Configuration re"), skip=seen)


def thresholds(agent):
    wait_for(lambda: agent.request("/health/resources")[0] == 200, what="a sample")
    return agent.json("/health/resources")["memory"]["thresholds"]


def with_memory(agent, warning):
    return {**agent.config, "health_monitor": {"thresholds": {"memory_warning": warning}}}


def test_log_lines_are_the_contracts(agent):
    checked = agent.wait_log(lambda e: e.get("msg") == CHECKED and e["cpu_usage"] is not None)
    agent.stop()
    events = agent.events()
    assert len(events) >= 3
    for event in events:
        assert list(event)[: len(HEAD)] == HEAD, event
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", event["ts"])
        assert event["level"] in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
        assert all(isinstance(event[key], str) and event[key] for key in HEAD)
    stamps = [event["ts"] for event in events]
    assert stamps == sorted(stamps)
    assert list(checked)[len(HEAD) : len(HEAD) + len(FIGURES)] == FIGURES
    assert checked["logger"] == "health_monitor"
    assert all(0 <= checked[key] <= 100 for key in FIGURES[:3])
    assert checked["status"] in ("healthy", "degraded", "unhealthy")


def test_a_figure_not_known_yet_is_null(agent):
    """CPU usage needs two samples; the first line says so, whatever else is wrong with the host."""
    first = wait_for(lambda: checks(agent), "a line")[0]
    assert first["cpu_usage"] is None and first["status"] != "healthy"
    assert "needs two samples" in first["reasons"]
    assert first["memory_usage"] > 0
    # Every start is like that: no trouble before two samples should have been there.
    assert first["level"] == ("INFO" if first["status"] == "unknown" else "WARNING")


def checks(agent):
    return [event for event in agent.events() if event.get("msg") == CHECKED]


def repeated(agent):
    """Checks logged though the status had not changed."""
    lines = checks(agent)
    return sum(a["status"] == b["status"] for a, b in zip(lines, lines[1:]))


def test_check_interval(make_agent):
    """Besides changes of the status, a check at the first tick after so many seconds: 3 here."""
    began = time.monotonic()
    agent = make_agent(
        config={"health_monitor": {"check_interval": 3}, "overhead": {"sample_interval_ms": 1000}}
    ).start()
    wait_for(lambda: repeated(agent) >= 2, "checks without a change of status")
    assert repeated(agent) <= (time.monotonic() - began) / 3
    # Not later either: four ticks of the timer span three seconds. What happens on the host is logged,
    # and makes a tick of its own.
    ticks = agent.metric("moonwatch_ticks_total")
    happened = lambda: [e for e in agent.events() if e.get("msg", "").startswith(("Process crashed", "Out of memory"))]
    # The lines come a moment after the ticks.
    wait_for(lambda: ticks <= 4 * len(checks(agent)) + len(happened()), "a line for each tick")


def test_a_long_check_interval_is_quiet(agent):
    """30 s by default: no line per tick."""
    began = time.monotonic()
    seen = repeated(agent)
    for _ in range(2):
        agent.next_tick()
    # The interval that is under way may end at once.
    assert repeated(agent) - seen <= 1 + (time.monotonic() - began) / 30


def test_sighup_reloads(agent):
    assert thresholds(agent)["warning_percent"] == 75
    agent.write_config(with_memory(agent, 61))
    said = reload(agent)
    assert said["msg"] == "Configuration reloaded" and said["path"] == str(agent.config_path)
    wait_for(lambda: thresholds(agent)["warning_percent"] == 61, what="the new threshold")


@pytest.mark.parametrize(
    "content, said",
    [
        ('{"health_monitor": {"thresholds": {"memory_warning": 95}}}', "/memory_warning"),
        ('{"health_monitor": ', "ends too early"),
        ("", "empty"),
        (None, "No such file"),
    ],
    ids=["out-of-order", "truncated", "empty", "missing"],
)
def test_a_bad_file_keeps_the_old_configuration(agent, content, said):
    agent.write_config(with_memory(agent, 61))
    assert reload(agent)["msg"] == "Configuration reloaded"
    if content is None:
        agent.config_path.unlink()
    else:
        agent.config_path.write_text(content)
    line = reload(agent)
    assert line["msg"].startswith("Configuration rejected") and line["level"] == "ERROR"
    assert said in json.dumps(line) and line["path"] == str(agent.config_path)
    agent.next_tick()
    assert thresholds(agent)["warning_percent"] == 61
    agent.write_config(with_memory(agent, 62))
    assert reload(agent)["msg"] == "Configuration reloaded"
    wait_for(lambda: thresholds(agent)["warning_percent"] == 62, what="the new threshold")


def test_what_the_last_part_refuses_changes_nothing(agent, tmp_path):
    """Everything else of the new file is good: only the tokens cannot be read."""
    agent.config = {
        **agent.config,
        "services": [{"name": "old", "kind": "worker", "match": {"comm": "nobody"}}],
        "alert_manager": {"channels": [{"name": "old", "type": "log"}]},
    }
    agent.write_config(agent.config)
    assert reload(agent)["msg"] == "Configuration reloaded"
    before = thresholds(agent)
    agent.write_config(
        {
            **with_memory(agent, 12),
            "services": [{"name": "new", "kind": "worker", "match": {"comm": "nobody"}}],
            "alert_manager": {"channels": [{"name": "new", "type": "log"}]},
            "auth": {"tokens_file": str(tmp_path / "missing")},
        }
    )
    line = reload(agent)
    assert line["level"] == "ERROR" and "missing: cannot be read" in line["error"]
    assert thresholds(agent) == before
    assert [service["name"] for service in agent.json("/services")["services"]] == ["old"]
    page = agent.text("/metrics")
    assert 'channel="old"' in page and 'channel="new"' not in page


def test_what_needs_a_restart_says_so(agent):
    agent.write_config({**agent.config, "performance_tracker": {"slow_wait_ms": 7}})
    before = agent.json("/health/scheduler")["slow_wait_threshold_seconds"]
    seen = len(agent.events())
    reload(agent)
    line = agent.wait_log(lambda e: e.get("pointer") == "/performance_tracker/slow_wait_ms", skip=seen)
    assert line["level"] == "WARNING"
    agent.next_tick()
    # What is shown is what the programs in the kernel go by.
    assert agent.json("/health/scheduler")["slow_wait_threshold_seconds"] == before


def test_what_has_no_effect_is_logged(agent):
    agent.write_config({**agent.config, "privacy": {"anonymize_processes": True}})
    seen = len(agent.events())
    reload(agent)
    line = agent.wait_log(lambda e: e.get("pointer") == "/privacy", skip=seen)
    assert line["level"] == "WARNING" and line["path"] == str(agent.config_path)
    assert "not in this version" in line["reason"]
    seen = len(agent.events())
    agent.stop()
    agent.start()
    agent.wait_log(lambda e: e.get("pointer") == "/privacy", skip=seen)


def test_log_level(make_agent):
    agent = make_agent(config={"server": {"log_level": "info"}}).start()
    agent.write_config({**agent.config, "server": {**agent.config["server"], "log_level": "error"}})
    agent.process.send_signal(signal.SIGHUP)
    agent.next_tick()
    since = datetime.now(timezone.utc).isoformat()
    agent.config_path.write_text("{")
    assert reload(agent)["level"] == "ERROR"
    agent.stop()
    assert {e["level"] for e in agent.events() if e["ts"] > since} <= {"ERROR", "CRITICAL"}


def test_the_environment_stands_above_the_file(make_agent):
    config = {"health_monitor": {"check_interval": 3600}}
    agent = make_agent(config=config, environment={"HEALTH_CHECK_INTERVAL": "1"}).start()
    wait_for(lambda: len(checks(agent)) >= 5, "checks")


def test_monitoring_off(make_agent):
    agent = make_agent(environment={"MONITORING_ENABLED": "false"}).start()
    agent.next_tick()
    for name, component in agent.json("/health")["components"].items():
        assert component["status"] == "unknown", name
    assert "health_monitor.enabled is false" in agent.text("/health")
    # It still measures.
    assert agent.metric("moonwatch_memory_total_bytes") > 0


def test_a_bad_variable_is_named(make_agent):
    agent = make_agent(environment={"HEALTH_CHECK_INTERVAL": "soon"})
    code, lines = agent.run_to_end()
    assert code == 2 and len(lines) == 1
    assert "environment HEALTH_CHECK_INTERVAL" in lines[0] and '"soon"' in lines[0]


def test_the_file_by_environment(make_agent):
    agent = make_agent()
    agent.write_config(with_memory(agent, 63))
    agent.environment["MOONWATCH_CONFIG"] = str(agent.config_path)
    agent.command = agent.command[:2]
    agent.start()
    assert thresholds(agent)["warning_percent"] == 63
