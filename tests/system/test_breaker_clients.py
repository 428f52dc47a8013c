"""Whose breaker it is: the cgroup of an upstream's clients is followed by its path, and while it is missing nobody
is one; nor is whoever is in another network namespace."""

import errno
import os
import socket
import subprocess
import sys

import pytest
from conftest import Cgroup, cgroup2_mount, wait_for, wait_until
from traffic import Client

REFUSED = errno.ECONNREFUSED
THRESHOLD = 3


class Nested:
    """A cgroup two levels below one that does not exist; make() and remove() as often as one likes."""

    def __init__(self):
        self.top = cgroup2_mount() / f"moonwatch-clients-{os.getpid()}"
        self.path = self.top / "in" / "it"
        self.group = None

    def make(self):
        (self.top / "in").mkdir(parents=True)
        self.group = Cgroup(self.path)

    def remove(self):
        if self.group:
            self.group.remove()
            self.group = None
        for path in (self.path, self.path.parent, self.top):
            if path.exists():
                path.rmdir()


@pytest.fixture
def nested():
    if cgroup2_mount() is None:
        pytest.skip("no cgroup v2 mount on this host")
    nested = Nested()
    yield nested
    nested.remove()


@pytest.fixture
def of_nested(make_agent, nested, server):
    def start(mode):
        agent = make_agent(
            config={
                "overhead": {"budget_percent": 0},
                "upstreams": [
                    {
                        "name": "api",
                        "address": f"127.0.0.1:{server.port}",
                        "clients": {"cgroup": str(nested.path.relative_to(cgroup2_mount()))},
                        "breaker": {
                            "mode": mode,
                            "failure_threshold": THRESHOLD,
                            "recovery_timeout": 600,
                            "max_recovery_timeout": 600,
                        },
                    }
                ],
            }
        )
        agent.start()
        wait_for(lambda: agent.request("/breakers")[0] == 200, what="a first sample")
        return agent

    return start


def breaker_of(agent):
    return agent.json("/breakers/api")


def breaker_when(agent, judge, what):
    return wait_until(lambda: breaker_of(agent), judge, what)


def reason_of(nested):
    return f"no cgroup /{nested.path.relative_to(cgroup2_mount())}: nobody is a client"


def fail(client, port, times):
    for _ in range(times):
        assert client.get(port)["error"] == REFUSED


def test_enforced_for_the_members_of_each_cgroup_of_that_name(of_nested, nested, server, client):
    agent = of_nested("enforce")
    assert breaker_of(agent)["enforced"] is False
    assert breaker_of(agent)["not_enforced_because"] == reason_of(nested)
    server.stop()
    fail(client, server.port, 2 * THRESHOLD)
    server.start()
    assert breaker_of(agent)["state"] == "closed"
    assert client.get(server.port)["status"] == 200

    for _ in range(2):
        nested.make()
        breaker_when(agent, lambda b: b["enforced"], "enforced breaker")
        member = Client(nested.group)
        assert member.get(server.port)["status"] == 200
        server.stop()
        fail(member, server.port, THRESHOLD)
        server.start()
        fail(member, server.port, 1)  # by the breaker
        assert client.get(server.port)["status"] == 200
        assert breaker_when(agent, lambda b: b["state"] == "open", "open breaker")["refused_total"] > 0
        member.close()
        nested.remove()
        missing = breaker_when(agent, lambda b: not b["enforced"], "nothing enforced")
        assert missing["not_enforced_because"] == reason_of(nested)
        assert client.get(server.port)["status"] == 200
        token = (agent.directory / "run" / "admin.token").read_text().strip()
        reset = agent.request("/admin/circuit-breaker/reset", "POST", {"Authorization": f"Bearer {token}"})
        assert reset[0] == 200


def test_observed_for_the_members_only(of_nested, nested, server, client):
    agent = of_nested("observe")
    assert breaker_of(agent)["not_enforced_because"] == reason_of(nested)
    server.stop()
    fail(client, server.port, 2 * THRESHOLD)
    assert breaker_of(agent)["state"] == "closed"
    nested.make()
    breaker_when(agent, lambda b: b["not_enforced_because"] != reason_of(nested), "clients")
    fail(client, server.port, 2 * THRESHOLD)
    assert breaker_of(agent)["state"] == "closed"
    member = Client(nested.group)
    fail(member, server.port, THRESHOLD)
    breaker_when(agent, lambda b: b["state"] == "open", "open breaker")
    member.close()


IN_A_NAMESPACE = """
import errno, socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
for _ in range(10):
    with socket.socket() as tried:
        assert tried.connect_ex(("127.0.0.1", int(sys.argv[1]))) == errno.ECONNREFUSED
"""


def connect_in_a_namespace_of_nobody(port):
    """Somebody without privileges who makes a user and a network namespace for himself."""
    inside = ["unshare", "-Urn", sys.executable, "-c", IN_A_NAMESPACE, str(port)]
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    done = subprocess.run(inside, **nobody, cwd="/", capture_output=True, text=True)
    if done.returncode and "unshare" in done.stderr:
        pytest.skip(f"no namespaces without privileges here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("netns, state", [(None, "closed"), ("any", "open")])
def test_who_makes_a_network_namespace_has_no_say(make_agent, server, netns, state):
    upstream = {
        "name": "api",
        "address": f"127.0.0.1:{server.port}",
        "breaker": {"failure_threshold": THRESHOLD, "recovery_timeout": 600, "max_recovery_timeout": 600},
    }
    agent = make_agent(config={"upstreams": [{**upstream, **({"netns": netns} if netns else {})}]})
    agent.start()
    wait_for(lambda: agent.request("/breakers")[0] == 200, what="a first sample")
    server.stop()
    connect_in_a_namespace_of_nobody(server.port)
    agent.next_tick()  # what the kernel has opened is seen by now
    assert breaker_of(agent)["state"] == state
    for _ in range(THRESHOLD):  # here somebody has
        with socket.socket() as tried:
            assert tried.connect_ex(("127.0.0.1", server.port)) == REFUSED
    agent.next_tick()
    assert breaker_of(agent)["state"] == "open"


def test_a_network_namespace_by_its_path(make_agent, server):
    name = f"moonwatch-{os.getpid()}"
    path = f"/run/netns/{name}"
    upstream = {
        "name": "api",
        "address": f"127.0.0.1:{server.port}",
        "netns": path,
        "breaker": {"failure_threshold": THRESHOLD, "recovery_timeout": 600, "max_recovery_timeout": 600},
    }
    agent = make_agent(config={"overhead": {"budget_percent": 0}, "upstreams": [upstream]})
    agent.start()
    wait_for(lambda: agent.request("/breakers")[0] == 200, what="a first sample")
    missing = f"no network namespace {path}: nobody is a client"
    assert breaker_of(agent)["not_enforced_because"] == missing
    server.stop()
    for _ in range(2 * THRESHOLD):
        with socket.socket() as tried:
            assert tried.connect_ex(("127.0.0.1", server.port)) == REFUSED
    assert breaker_of(agent)["state"] == "closed"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        breaker_when(agent, lambda b: b["not_enforced_because"] != missing, "clients")
        inside = ["ip", "netns", "exec", name, sys.executable, "-c", IN_A_NAMESPACE, str(server.port)]
        subprocess.run(inside, check=True)
        breaker_when(agent, lambda b: b["state"] == "open", "open breaker")
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)
    breaker_when(agent, lambda b: b["not_enforced_because"] == missing, "nobody")
