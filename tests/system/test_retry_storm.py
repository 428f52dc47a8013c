"""A client that tries ever more often while its upstream fails is named, everywhere."""

import subprocess
import sys

import pytest
from conftest import cgroup2_mount, wait_for

# Connects as often as each line of its input says, by times a second, until the next line.
CLIENT = """
import ctypes, select, socket, sys
PR_SET_NAME = 15
ctypes.CDLL(None).prctl(PR_SET_NAME, b"impatient", 0, 0, 0)
port, rate = int(sys.argv[1]), 0
while True:
    if select.select([sys.stdin], [], [], 1 / rate if rate else None)[0]:
        line = sys.stdin.readline()
        if not line:
            break
        rate = float(line)
        continue
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()  # on purpose: an impatient client
    except OSError:
        pass
"""


@pytest.fixture
def client(cgroup2, server):
    process = cgroup2.popen(
        [sys.executable, "-c", CLIENT, str(server.port)], stdin=subprocess.PIPE, text=True
    )

    def rate(per_second):
        process.stdin.write(f"{per_second}\n")
        process.stdin.flush()

    process.rate = rate
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("mode", ["observe", "enforce"])
def test_a_storm_is_named(make_agent, cgroup2, server, client, mode):
    below = str(cgroup2.path.relative_to(cgroup2_mount()))
    upstream = {
        "name": "api",
        "address": f"127.0.0.1:{server.port}",
        "clients": {"cgroup": below},
        "breaker": {"mode": mode, "failure_threshold": 3, "recovery_timeout": 600, "max_recovery_timeout": 600},
    }
    agent = make_agent(config={"upstreams": [upstream], "overhead": {"budget_percent": 0}}).start()
    wait_for(lambda: agent.request("/breakers")[0] == 200, what="a first sample")
    client.rate(2)
    # More than a window of it is what the client usually does.
    wait_for(
        lambda: (agent.metric("moonwatch_service_connects_total", role="upstream") or 0) >= 26,
        what="usual traffic",
    )
    assert agent.json("/breakers/api")["retry_storms"] == []
    server.stop()
    client.rate(40)
    logged = agent.wait_log(lambda e: e.get("msg") == "Retry storm")
    assert (logged["upstream"], logged["comm"], logged["pid"]) == ("api", "impatient", client.pid)
    assert logged["cgroup"].strip("/") == below and logged["level"] == "WARNING"
    agent.next_tick()
    storm = agent.json("/breakers/api")["retry_storms"][0]
    assert (storm["comm"], storm["pid"], storm["cgroup"].strip("/")) == ("impatient", client.pid, below)
    assert 1 < storm["usual_per_second"] < 4 and storm["attempts_per_second"] > 5
    health = agent.json("/health/performance")
    assert any("retry storm on api: impatient" in reason for reason in health["reasons"])
    assert health["circuit_breakers"][0]["retry_storms"][0]["comm"] == "impatient"
    assert agent.metric("moonwatch_retry_storm_clients", upstream="api") == 1
    assert agent.metric("moonwatch_retry_storms_total", upstream="api") == 1
    client.rate(0.5)
    agent.wait_log(lambda e: e.get("msg") == "Retry storm ended")
    agent.next_tick()
    assert agent.metric("moonwatch_retry_storm_clients", upstream="api") == 0
    assert agent.json("/breakers/api")["retry_storms"] == []
