"""A cgroup is called what /proc/PID/cgroup calls it, wherever the agent says its name."""

import re
from types import SimpleNamespace

import pytest
from conftest import DEADLINE_SECONDS, Cgroup, cgroup2_mount, wait_for
from test_http import get_routes, openapi

REST = "other"  # the row of all that have none


def said_in(value, where):
    """{where: name} of each cgroup in a body, however deep."""
    found = {}
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        at = f"{where}.{key}"
        if isinstance(item, (dict, list)):
            found |= said_in(item, at)
        elif isinstance(item, str) and re.fullmatch(r"(\w+_)?cgroup", str(key)):
            found[at] = item
    return found


def said_by(agent):
    """The same of all that the agent says: bodies, metrics, log."""
    found = {}
    for path in get_routes(openapi(agent)):
        _, headers, body = agent.request(path)
        if headers["Content-Type"].startswith("application/json"):
            found |= said_in(agent.json(path), path)
    for sample in agent.metrics():
        for label, name in re.findall(r'[{,](\w*cgroup)="([^"]*)"', sample):
            found[f"{sample} {label}"] = name
    for number, event in enumerate(agent.events()):
        found |= said_in(event, f"log {number}")
    return found


@pytest.fixture
def busy(cgroup2):
    """More than there are CPUs for: what waits most has a row of its own on the page."""
    programs = [cgroup2.popen(["sh", "-c", "while :; do :; done"]) for _ in range(4)]
    yield "/" + str(cgroup2.path.relative_to(cgroup2_mount()))
    for program in programs:
        program.kill()
        program.wait(DEADLINE_SECONDS)


def crash_in(directory):
    command = ["sh", "-c", "ulimit -c 0; kill -ABRT $$"]
    process = Cgroup.popen(SimpleNamespace(path=directory), command)
    process.wait(DEADLINE_SECONDS)
    return process.pid


def test_a_cgroup_has_one_spelling(make_agent, cgroup2, busy):
    agent = make_agent(
        config={
            "overhead": {"budget_percent": 0},
            "alert_manager": {
                "rules": [
                    {
                        "name": "Waits",
                        "metric": "moonwatch_cgroup_run_queue_delay_seconds_count",
                        "match": {"cgroup": busy.strip("/")},  # as it may be written
                        "above": 0,
                        "for": 0,
                    }
                ]
            },
        }
    ).start()
    # One that is gone before the agent can ask for its name.
    short = Cgroup(cgroup2.path / "short.service")
    crashed = {crash_in(short.path): f"{busy}/short.service", crash_in(cgroup2_mount()): "/"}
    short.remove()

    def alerts():
        return {(a["labels"]["alertname"], a["labels"].get("cgroup")) for a in agent.json("/alerts")["alerts"]}

    wanted = {("Waits", busy), *(("ProcessCrash", path) for path in crashed.values())}
    wait_for(lambda: wanted <= alerts(), what="an alert of each cgroup")
    for pid, path in crashed.items():
        assert agent.wait_log(lambda e, pid=pid: e.get("pid") == pid)["cgroup"] == path
    found = said_by(agent)
    assert not {where: name for where, name in found.items() if name[:1] != "/" and name != REST}
    assert {busy, *crashed.values()} <= set(found.values())
