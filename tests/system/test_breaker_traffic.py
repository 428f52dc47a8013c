"""Breakers on real traffic of processes in a cgroup of the test's own: each way to fail trips them,
the next connect is refused or goes elsewhere, and they recover."""

import errno
import json
import signal
import subprocess
import time

import pytest
from conftest import DEADLINE_SECONDS, cgroup2_mount, wait_for, wait_until
from traffic import Client, Server

REFUSED = errno.ECONNREFUSED
THRESHOLD = 3


@pytest.fixture
def guarded(make_agent, cgroup2, server):
    """guarded(breaker={...}, upstream={...}): a running agent with one upstream, `api`."""

    def start(breaker=None, upstream=None, agent=None):
        config = {
            "overhead": {"budget_percent": 0},
            "upstreams": [
                {
                    "name": "api",
                    "kind": "http",
                    "address": f"127.0.0.1:{server.port}",
                    "clients": {"cgroup": str(cgroup2.path.relative_to(cgroup2_mount()))},
                    "breaker": {
                        "mode": "enforce",
                        "failure_threshold": THRESHOLD,
                        "recovery_timeout": 600,
                        "max_recovery_timeout": 600,
                        **(breaker or {}),
                    },
                    **(upstream or {}),
                }
            ],
        }
        agent = agent or make_agent(config=config)
        agent.start()
        wait_for(lambda: agent.request("/breakers")[0] == 200, what="a first sample")
        assert breaker_of(agent)["enforced"] is (breaker or {}).get("mode", "enforce").startswith("enf")
        return agent

    return start


def breaker_of(agent):
    return agent.json("/breakers/api")


def act(agent, path):
    token = (agent.directory / "run" / "admin.token").read_text().strip()
    return agent.request(path, "POST", {"Authorization": f"Bearer {token}"})[0]


def breaker_with(agent, **figures):
    """The breaker once it has these figures: the kernel acts at once, the agent hears of it."""
    return wait_until(lambda: breaker_of(agent), lambda b: figures.items() <= b.items(), f"breaker with {figures}")


def last_move(agent, cause):
    """How the breaker went to the state it is in, once it is known. That the next connect is refused shows that
    the kernel decided, not `by_kernel`: the agent hears of the last failure while the kernel acts on it."""
    return wait_until(
        lambda: breaker_of(agent)["last_transition"], lambda move: move and move["cause"] == cause, cause
    )


def is_refused(result):
    return result["error"] == REFUSED


def test_a_dead_server(guarded, server, client):
    agent = guarded()
    assert client.get(server.port)["status"] == 200
    server.stop()
    for _ in range(THRESHOLD):
        assert is_refused(client.get(server.port))
    # It is back, and yet the very next connect is refused: that is the breaker.
    server.start()
    before = server.answered.get("ok", 0)
    assert is_refused(client.get(server.port))
    assert server.answered.get("ok", 0) == before
    breaker_with(agent, state="open", refused_total=1, opened_total=1)
    last = last_move(agent, "consecutive_failures")
    assert last["address"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("behaviour, upstream", [("reset", {}), ("error", {"read_status": True})])
def test_a_server_that_fails_its_calls(guarded, server, client, behaviour, upstream):
    agent = guarded(upstream=upstream)
    server.behaviour = behaviour
    for _ in range(THRESHOLD):
        assert not is_refused(client.get(server.port))
    assert is_refused(client.get(server.port))
    assert server.answered[behaviour] == THRESHOLD
    last_move(agent, "consecutive_failures")


def test_statuses_are_not_read_unasked(guarded, server, client):
    agent = guarded()
    server.behaviour = "error"
    for _ in range(2 * THRESHOLD):
        assert client.get(server.port)["status"] == 500
    assert breaker_of(agent)["state"] == "closed"


def test_a_hung_server(guarded, server, cgroup2):
    timeout = 0.5
    agent = guarded(breaker={"timeout": timeout})
    server.behaviour = "hang"
    clients = [Client(cgroup2) for _ in range(THRESHOLD + 1)]
    try:
        for client in clients[:-1]:
            client.start(server.port)
        breaker_with(agent, state="open")
        assert is_refused(clients[-1].get(server.port))
        # The calls go on: they failed when they became too old, not when they end.
        wait_until(
            lambda: [u["failed"] for u in agent.json("/services")["services"] if u["name"] == "api"],
            lambda failed: failed == [THRESHOLD],
            "failed calls",
        )
    finally:
        for client in clients:
            client.close()


def test_a_slow_server(guarded, server, client):
    calls = 5
    agent = guarded(
        breaker={"slow_call_ms": 50, "slow_call_rate": 60, "minimum_calls": calls, "window": calls}
    )
    server.behaviour = "slow"
    for _ in range(calls):
        assert client.get(server.port)["status"] == 200
    breaker_with(agent, state="open")
    last_move(agent, "slow_call_rate")
    assert is_refused(client.get(server.port))


def test_an_alternative_takes_over(guarded, server, client):
    other = Server(body=b"other")
    try:
        endpoints = [f"127.0.0.1:{other.port}"]
        agent = guarded(upstream={"fallback": {"strategy": "alternative", "endpoints": endpoints}})
        assert client.get(server.port)["body"] == "ok"
        server.stop()
        for _ in range(THRESHOLD):
            assert is_refused(client.get(server.port))
        for _ in range(50):
            assert client.get(server.port)["body"] == "other"
        breaker_with(agent, redirected_total=50, fallback_endpoint=endpoints[0])
        server.start()
        assert act(agent, "/admin/circuit-breaker/reset") == 200
        assert client.get(server.port)["body"] == "ok"
        breaker_with(agent, fallback="primary")
    finally:
        other.stop()


def test_a_reduced_answer(guarded, server, client):
    reduced = {"strategy": "reduced", "response": {"status": 203, "body": "{}"}}
    guarded(upstream={"fallback": reduced})
    server.stop()
    for _ in range(THRESHOLD):
        assert is_refused(client.get(server.port))
    answer = client.get(server.port)
    assert (answer["status"], answer["body"]) == (203, "{}")


def test_recovery(guarded, server, client):
    agent = guarded(breaker={"recovery_timeout": 0.5, "success_threshold": 2})
    server.stop()
    for _ in range(THRESHOLD):
        assert is_refused(client.get(server.port))
    server.start()
    breaker_with(agent, state="half_open")
    assert client.get(server.port)["status"] == 200
    assert client.get(server.port)["status"] == 200
    breaker_with(agent, state="closed", probes_total=2)
    last_move(agent, "probes_succeeded")


def test_observing_lets_everything_pass(guarded, server, client):
    agent = guarded(breaker={"mode": "observe"})
    server.stop()
    for _ in range(THRESHOLD):
        assert is_refused(client.get(server.port))
    server.start()
    for _ in range(4):
        assert client.get(server.port)["status"] == 200
    breaker_with(agent, state="open", refused_total=0, would_refuse_total=4)


def test_a_dry_run_lets_everything_pass(guarded, server, client, cgroup2):
    """Not even what an agent before enforces goes on."""
    fallback = {"strategy": "reduced", "response": {"body": "{}"}}
    agent = guarded({"mode": "enforce", "on_open": "close"}, {"fallback": fallback})
    server.stop()
    for _ in range(THRESHOLD):
        client.get(server.port)
    breaker_with(agent, state="open")
    server.start()
    answered = server.answered.get("ok", 0)
    client.get(server.port)
    assert server.answered.get("ok", 0) == answered
    agent.stop(signal.SIGKILL)
    agent.command.append("--dry-run")
    agent.start()
    wait_for(lambda: agent.request("/breakers")[0] == 200, what="a first sample")
    seen = breaker_of(agent)
    assert (seen["state"], seen["mode"], seen["enforced"]) == ("open", "enforce", False)
    assert "--dry-run" in seen["not_enforced_because"]
    assert on_connect(cgroup2) == []
    assert client.get(server.port)["status"] == 200
    assert agent.request("/admin/circuit-breaker/api/open", "POST")[0] == 401
    assert act(agent, "/admin/circuit-breaker/api/open") == 200
    assert client.get(server.port)["status"] == 200
    breaker_with(agent, state="forced_open", would_refuse_total=2, redirected_total=1, refused_total=0)
    reasons = wait_for(lambda: agent.json("/health")["components"]["performance"]["reasons"], what="reasons")
    assert any("--dry-run" in reason for reason in reasons)
    started = agent.wait_log(lambda e: e.get("msg") == "Agent started" and e["dry_run"])
    assert started["level"] == "INFO"


def test_others_are_let_through(guarded, server, client):
    guarded()
    server.stop()
    for _ in range(THRESHOLD):
        assert is_refused(client.get(server.port))
    server.start()
    assert is_refused(client.get(server.port))
    # This process is not in the clients' cgroup.
    probe = subprocess.run(
        ["curl", "-s", f"http://127.0.0.1:{server.port}/"], capture_output=True, text=True, timeout=DEADLINE_SECONDS
    )
    assert probe.stdout == "ok"


def on_connect(cgroup):
    """Names of the programs that the cgroup's connects go through."""
    shown = subprocess.run(["bpftool", "-j", "cgroup", "show", cgroup.path], check=True, capture_output=True)
    programs = json.loads(shown.stdout.strip() or "[]")
    return [row["name"] for row in programs if "connect" in row["attach_type"]]


def test_a_killed_agent_and_the_next(guarded, server, client, cgroup2):
    agent = guarded()
    server.stop()
    for _ in range(THRESHOLD):
        assert is_refused(client.get(server.port))
    server.start()
    agent.stop(signal.SIGKILL)
    assert is_refused(client.get(server.port))
    guarded(agent=agent)
    assert breaker_of(agent)["state"] == "open"
    assert is_refused(client.get(server.port))
    # Nobody comes back this time: the fail-safe lets connects pass.
    agent.stop(signal.SIGKILL)
    killed = time.monotonic()
    wait_for(lambda: client.get(server.port)["status"] == 200, what="the heartbeat's expiry")
    # Half of what a heartbeat is good for: the agent that comes back finds it still open.
    assert time.monotonic() - killed > 5
    agent.start()
    assert on_connect(cgroup2)
    agent.stop()
    assert client.get(server.port)["status"] == 200
    assert not on_connect(cgroup2)


def test_no_such_cgroup_is_said(make_agent):
    upstream = {
        "name": "api",
        "address": "127.0.0.1:9",
        "clients": {"cgroup": "moonwatch-test-nowhere"},
        "breaker": {"mode": "enforce"},
    }
    agent = make_agent(config={"upstreams": [upstream]}).start()
    said = agent.wait_log(lambda e: e.get("msg") == "Circuit breaker is not enforced")
    assert "moonwatch-test-nowhere" in said["reason"]
