"""A client that tries ever more often while its upstream fails is named, everywhere."""

import subprocess
import sys

import pytest
from conftest import cgroup2_mount, own_name, wait_for
from traffic import Server

WINDOW_SECONDS = 10

# Connects as often as each line of its input says, by times a second, until the next line; says of each
# attempt when it was made.
CLIENT = """
import ctypes, select, socket, sys, time
PR_SET_NAME = 15
ctypes.CDLL(None).prctl(PR_SET_NAME, sys.argv[2].encode(), 0, 0, 0)
port, rate = int(sys.argv[1]), 0
while True:
    if select.select([sys.stdin], [], [], 1 / rate if rate else None)[0]:
        line = sys.stdin.readline()
        if not line:
            break
        rate = float(line)
        continue
    print(time.monotonic(), flush=True)
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        pass
"""


class Impatient:
    """A client of an upstream of its own, with a breaker of the mode."""

    def __init__(self, cgroup, directory, mode):
        self.mode, self.server, self.comm = mode, Server(), own_name(mode)
        self.log = directory / mode
        self.process = cgroup.popen(
            [sys.executable, "-c", CLIENT, str(self.server.port), self.comm],
            stdin=subprocess.PIPE, stdout=open(self.log, "w"), text=True,
        )

    def upstream(self, below):
        return {
            "name": self.mode,
            "address": f"127.0.0.1:{self.server.port}",
            "clients": {"cgroup": below},
            "breaker": {
                "mode": self.mode, "failure_threshold": 3, "recovery_timeout": 600, "max_recovery_timeout": 600,
            },
        }

    def rate(self, per_second):
        self.process.stdin.write(f"{per_second}\n")
        self.process.stdin.flush()

    def attempts(self):
        """When they were made, in seconds."""
        return [float(line) for line in self.log.read_text().splitlines()]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.server.stop()


@pytest.fixture
def clients(cgroup2, tmp_path):
    clients = [Impatient(cgroup2, tmp_path, mode) for mode in ("observe", "enforce")]
    yield clients
    for client in clients:
        client.close()


def usual_rate(attempts):
    """A tenth of those in the last ten seconds, at the least and the most since a window was full."""
    counts = [sum(end - WINDOW_SECONDS < at <= end for at in attempts) for end in attempts]
    full = [c for c, end in zip(counts, attempts) if end - attempts[0] >= WINDOW_SECONDS]
    return min(full) / WINDOW_SECONDS, max(full) / WINDOW_SECONDS


def test_storms_are_named(make_agent, cgroup2, clients):
    """Whether the breaker only observes or refuses the attempts."""
    below = str(cgroup2.path.relative_to(cgroup2_mount()))
    agent = make_agent(
        config={"upstreams": [c.upstream(below) for c in clients], "overhead": {"budget_percent": 0}}
    ).start()
    wait_for(lambda: agent.request("/breakers")[0] == 200, what="a first sample")
    for client in clients:
        client.rate(2)
    # More than a window of it is what the client usually does.
    wait_for(
        lambda: all(
            len(at) > 1 and at[-1] - at[0] > 1.2 * WINDOW_SECONDS for at in (c.attempts() for c in clients)
        ),
        what="usual traffic",
    )
    for client in clients:
        assert agent.json(f"/breakers/{client.mode}")["retry_storms"] == []
    usual = {client: usual_rate(client.attempts()) for client in clients}
    for client in clients:
        client.server.stop()
        client.rate(40)
    for client in clients:
        named(agent, client, below, *usual[client])
    for client in clients:
        client.rate(0.5)
    for client in clients:
        agent.wait_log(lambda e: e.get("msg") == "Retry storm ended" and e["upstream"] == client.mode)
    agent.next_tick()
    for client in clients:
        assert agent.metric("moonwatch_retry_storm_clients", upstream=client.mode) == 0
        assert agent.json(f"/breakers/{client.mode}")["retry_storms"] == []


def named(agent, client, below, least_usual, most_usual):
    identity = (client.comm, client.process.pid)
    logged = agent.wait_log(lambda e: e.get("msg") == "Retry storm" and e["upstream"] == client.mode)
    assert (logged["comm"], logged["pid"]) == identity
    assert logged["cgroup"] == "/" + below and logged["level"] == "WARNING"
    storm = wait_for(lambda: agent.json(f"/breakers/{client.mode}")["retry_storms"], what="the storm's row")[0]
    assert (storm["comm"], storm["pid"], storm["cgroup"]) == (*identity, "/" + below)
    # The agent's window begins and ends with a tick; one that is late leaves less of it.
    assert least_usual / 2 < storm["usual_per_second"] < 2 * most_usual
    assert storm["attempts_per_second"] > 3 * storm["usual_per_second"]
    health = agent.json("/health/performance")
    assert any(f"retry storm on {client.mode}: {client.comm}" in reason for reason in health["reasons"])
    breaker = next(b for b in health["circuit_breakers"] if b["name"] == client.mode)
    assert breaker["retry_storms"][0]["comm"] == client.comm
    assert agent.metric("moonwatch_retry_storm_clients", upstream=client.mode) == 1
    assert agent.metric("moonwatch_retry_storms_total", upstream=client.mode) == 1
