"""Breakers on real traffic of processes in a cgroup of the test's own: each way to fail trips them,
the next connect is refused or goes elsewhere, and they recover."""

import errno
import signal
import subprocess
import time

import pytest
from conftest import cgroup2_mount, wait_for
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


def wait_state(agent, state):
    wait_for(lambda: breaker_of(agent)["state"] == state, f"state {state}")


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
    state = breaker_of(agent)
    assert (state["state"], state["refused_total"], state["opened_total"]) == ("open", 1, 1)
    last = state["last_transition"]
    assert last["by_kernel"] and last["cause"] == "consecutive_failures"
    assert last["address"] == f"127.0.0.1:{server.port}"


@pytest.mark.parametrize("behaviour, upstream", [("reset", {}), ("error", {"read_status": True})])
def test_a_server_that_fails_its_calls(guarded, server, client, behaviour, upstream):
    agent = guarded(upstream=upstream)
    server.behaviour = behaviour
    for _ in range(THRESHOLD):
        assert not is_refused(client.get(server.port))
    assert is_refused(client.get(server.port))
    assert server.answered[behaviour] == THRESHOLD
    assert breaker_of(agent)["last_transition"]["by_kernel"]


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
        wait_state(agent, "open")
        assert is_refused(clients[-1].get(server.port))
        row = [u for u in agent.json("/services")["services"] if u["name"] == "api"][0]
        # The calls go on: they failed when they became too old, not when they end.
        assert row["failed"] == THRESHOLD
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
    wait_state(agent, "open")
    assert breaker_of(agent)["last_transition"]["cause"] == "slow_call_rate"
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
        state = breaker_of(agent)
        assert state["redirected_total"] == 50 and state["fallback_endpoint"] == endpoints[0]
        server.start()
        assert act(agent, "/admin/circuit-breaker/reset") == 200
        assert client.get(server.port)["body"] == "ok"
        assert breaker_of(agent)["fallback"] == "primary"
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
    wait_state(agent, "half_open")
    assert client.get(server.port)["status"] == 200
    assert client.get(server.port)["status"] == 200
    wait_state(agent, "closed")
    state = breaker_of(agent)
    assert state["probes_total"] == 2
    assert state["last_transition"]["cause"] == "probes_succeeded"


def test_observing_lets_everything_pass(guarded, server, client):
    agent = guarded(breaker={"mode": "observe"})
    server.stop()
    for _ in range(THRESHOLD):
        assert is_refused(client.get(server.port))
    server.start()
    for _ in range(4):
        assert client.get(server.port)["status"] == 200
    state = breaker_of(agent)
    assert state["state"] == "open" and state["refused_total"] == 0
    assert state["would_refuse_total"] == 4


def test_others_are_let_through(guarded, server, client):
    guarded()
    server.stop()
    for _ in range(THRESHOLD):
        assert is_refused(client.get(server.port))
    server.start()
    assert is_refused(client.get(server.port))
    # This process is not in the clients' cgroup.
    probe = subprocess.run(
        ["curl", "-s", f"http://127.0.0.1:{server.port}/"], capture_output=True, text=True, timeout=30
    )
    assert probe.stdout == "ok"


def open_links(pins):
    shown = subprocess.run(["ls", pins], capture_output=True, text=True)
    return shown.stdout


def test_a_killed_agent_and_the_next(guarded, server, client):
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
    assert time.monotonic() - killed > 5
    agent.start()
    agent.stop()
    assert client.get(server.port)["status"] == 200
    assert "connect" not in open_links(agent.pins)


def test_no_such_cgroup_is_said(make_agent):
    upstream = {
        "name": "api",
        "address": "127.0.0.1:9",
        "clients": {"cgroup": "moonwatch-test-nowhere"},
        "breaker": {"mode": "enforce"},
    }
    agent = make_agent(config={"upstreams": [upstream]}).start()
    said = agent.wait_log(lambda e: e.get("msg") == "Not everything configured is in force")
    assert "moonwatch-test-nowhere" in said["reason"]
