"""What outlives the agent: breakers and what services have learnt, each with its own name."""

import json
import signal

import pytest
from conftest import cgroup2_mount, wait_for, wait_until

ADDRESSES = {"pay": "192.0.2.1:443", "db": "192.0.2.3:5432", "new": "192.0.2.5:80"}


def configuration(cgroup2, *names):
    clients = {"cgroup": str(cgroup2.path.relative_to(cgroup2_mount()))}
    return [
        {"name": n, "address": ADDRESSES[n], "clients": clients, "breaker": {"mode": "enforce"}}
        for n in names
    ]


def act(agent, path):
    token = (agent.directory / "run" / "admin.token").read_text().strip()
    return agent.request(path, "POST", {"Authorization": f"Bearer {token}"})[0]


def start(agent):
    agent.start()
    wait_for(lambda: agent.request("/breakers")[0] == 200, what="a first sample")


def states(agent):
    return {b["name"]: b["state"] for b in agent.json("/breakers")["breakers"]}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_states_stay_with_their_names(make_agent, cgroup2, how):
    agent = make_agent(config={"upstreams": configuration(cgroup2, "pay", "db")})
    start(agent)
    assert act(agent, "/admin/circuit-breaker/db/open") == 200
    agent.stop(how)
    agent.write_config({**agent.config, "upstreams": configuration(cgroup2, "new", "db", "pay")})
    start(agent)
    assert states(agent) == {"new": "closed", "db": "forced_open", "pay": "closed"}
    assert agent.json("/breakers/db")["last_transition"]["cause"] == "adopted"


def state_file(agent):
    return agent.directory / "state" / "services.json"


def test_a_move_is_written_at_once(make_agent, cgroup2):
    agent = make_agent(config={"upstreams": configuration(cgroup2, "pay")})
    start(agent)
    assert act(agent, "/admin/circuit-breaker/pay/open") == 200

    def written():
        file = state_file(agent)
        return json.loads(file.read_text())["upstreams"][0]["breaker"] if file.exists() else {}

    wait_until(written, lambda breaker: breaker.get("by_hand") and breaker["word"] & 0xFF == 3, "the move")


def test_a_damaged_file_is_moved_aside_and_said_once(make_agent, cgroup2):
    agent = make_agent(config={"upstreams": configuration(cgroup2, "pay")})
    state_file(agent).parent.mkdir()
    state_file(agent).write_text('{"format": 1, "services": [{"name"')
    start(agent)
    agent.next_tick()
    agent.wait_log(lambda e: e.get("msg") == "Saved state is not usable")
    said = [e for e in agent.events() if e.get("msg") == "Saved state is not usable"]
    assert len(said) == 1 and "services.json: damaged" in said[0]["reason"]
    assert state_file(agent).with_suffix(".json.damaged").exists()
    agent.stop()
    assert json.loads(state_file(agent).read_text())["upstreams"][0]["name"] == "pay"
    earlier = len(agent.events())
    start(agent)
    assert not [e for e in agent.events()[earlier:] if e.get("msg") == "Saved state is not usable"]


def test_a_directory_that_cannot_be_written_is_said(make_agent, cgroup2):
    agent = make_agent(config={"upstreams": configuration(cgroup2, "pay")})
    (agent.directory / "state").write_text("not a directory")
    start(agent)
    assert act(agent, "/admin/circuit-breaker/pay/open") == 200
    said = agent.wait_log(lambda e: e.get("msg") == "Saved state is not usable")
    assert "services.json" in said["reason"]
    assert states(agent) == {"pay": "forced_open"}
