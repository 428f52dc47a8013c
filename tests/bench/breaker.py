"""How soon a client is kept away from an upstream that fails: from the end of the call that crosses
the threshold to the end of the next connect, refused or answered by the fallback. The floor beside
it is the same client's connect to a port where nobody listens.

The clients are in a cgroup of this benchmark's own.
"""

import errno
import os
import sys
import time
from pathlib import Path

import peers

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
import conftest  # noqa: E402
import traffic  # noqa: E402

ROUNDS = 9
THRESHOLD = 3
TIMEOUT_SECONDS = 0.3
SLOW_MS = 50
POLL_SECONDS = 0.005
DEADLINE_SECONDS = 30

# name: how its server fails, what its upstream has beyond the usual, the most that is allowed in ms.
FAILURES = {
    "killed": (None, {}, 10),
    "resetting": ("reset", {}, 10),
    "answering 500": ("error", {"read_status": True}, 10),
    "slow": ("slow", {}, 10),
    "hung, after `timeout`": ("hang", {}, 50),
    "killed, to the fallback's answer": (None, {}, 10),
}


def upstream(index, server, cgroup, extra, fallback):
    breaker = {
        "mode": "enforce",
        "failure_threshold": THRESHOLD,
        "timeout": TIMEOUT_SECONDS,
        "recovery_timeout": 3600,
        "max_recovery_timeout": 3600,
        "slow_call_ms": SLOW_MS,
        "slow_call_rate": 60,
        "minimum_calls": THRESHOLD,
        "window": THRESHOLD,
    }
    row = {
        "name": f"u{index}",
        "kind": "http",
        "address": f"127.0.0.1:{server.port}",
        "clients": {"cgroup": str(cgroup.path.relative_to(conftest.cgroup2_mount()))},
        "breaker": breaker,
        **extra,
    }
    if fallback:
        row["fallback"] = {"strategy": "alternative", "endpoints": [f"127.0.0.1:{fallback.port}"]}
    return row


def is_refused(result):
    return result["error"] == errno.ECONNREFUSED


def until_refused(client, port):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_refused(result := client.get(port, POLL_SECONDS)):
        if time.monotonic() > deadline:
            sys.exit("the breaker does not trip")
    return result


def trip_by_hanging(clients, port):
    """The threshold is crossed when the last of the calls is as old as `timeout`."""
    began = time.monotonic_ns()
    for client in clients[:THRESHOLD]:
        began = time.monotonic_ns()
        client.start(port)
    crossed = began + int(TIMEOUT_SECONDS * 1e9)
    while time.monotonic_ns() < crossed:
        time.sleep(0.001)
    return crossed


def milliseconds(kind, server, clients, fallback):
    behaviour, _, _ = FAILURES[kind]
    port, client = server.port, clients[-1]
    if behaviour == "hang":
        crossed = trip_by_hanging(clients, port)
    else:
        for _ in range(THRESHOLD):
            crossed = client.get(port)["ended_ns"]
    if fallback:
        answer = client.get(port)
        if answer["body"] != "fallback":
            sys.exit(f"no answer of the fallback, but {answer}")
    else:
        answer = until_refused(client, port)
    return (answer["ended_ns"] - crossed) / 1e6


def one_round(kind, server, make_client, fallback):
    behaviour, _, _ = FAILURES[kind]
    server.behaviour = behaviour or "ok"
    if behaviour is None:
        server.stop()
    clients = [make_client() for _ in range(THRESHOLD + 1)]
    try:
        return milliseconds(kind, server, clients, fallback)
    finally:
        for client in clients:
            client.close()
        server.stop()
        server.start()


def floor(make_client):
    client, port = make_client(), peers.free_port()
    try:
        client.get(port)
        before = client.get(port)["ended_ns"]
        return (client.get(port)["ended_ns"] - before) / 1e6
    finally:
        client.close()


def main():
    cgroup = conftest.Cgroup(conftest.cgroup2_mount() / f"moonwatch-bench-{os.getpid()}")
    fallback = traffic.Server(body=b"fallback")
    servers = {kind: traffic.Server() for kind in FAILURES}
    for server in servers.values():
        server.slow_seconds = 1.5 * SLOW_MS / 1e3
    used_fallback = {kind: fallback if "fallback" in kind else None for kind in FAILURES}
    upstreams = [
        upstream(i, servers[kind], cgroup, FAILURES[kind][1], used_fallback[kind])
        for i, kind in enumerate(FAILURES)
    ]
    figures, floors = {kind: [] for kind in FAILURES}, []
    try:
        with peers.agent(upstreams=upstreams, overhead={"budget_percent": 0}) as agent:
            for _ in range(ROUNDS):
                floors.append(floor(lambda: traffic.Client(cgroup)))
                for kind, server in servers.items():
                    agent.reset_breakers()
                    figures[kind].append(
                        one_round(kind, server, lambda: traffic.Client(cgroup), used_fallback[kind])
                    )
    finally:
        cgroup.remove()
        for server in (fallback, *servers.values()):
            server.stop()
    for kind, (_, _, limit) in FAILURES.items():
        peers.report(f"breaker: {kind}", "ms", figures[kind], "refused by nobody", floors, limit)


main()
