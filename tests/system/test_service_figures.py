"""What is shown of the calls of services and upstreams, held against traffic that is known exactly."""

import statistics
import time
from pathlib import Path

import pytest
from conftest import cgroup2_mount, wait_for
from test_http import check_unknowns, openapi, validator

CALLS = 20


@pytest.fixture
def followed(make_agent, cgroup2, server):
    """An agent that follows the server both as a service and as an upstream."""
    config = {
        "overhead": {"budget_percent": 0},
        "services": [{"name": "web", "kind": "http", "match": {"port": server.port}}],
        "upstreams": [
            {
                "name": "api",
                "kind": "http",
                "address": f"127.0.0.1:{server.port}",
                "clients": {"cgroup": str(cgroup2.path.relative_to(cgroup2_mount()))},
                "breaker": {"failure_threshold": 1000, "minimum_calls": 10000, "window": 10000},
            }
        ],
    }
    agent = make_agent(config=config).start()
    wait_for(lambda: agent.request("/services")[0] == 200, what="a first sample")
    wait_for(lambda: row(agent, "web")["calls"] == 0, what="a measurement")
    return agent


def row(agent, name, path="/services", key="services"):
    return [r for r in agent.json(path)[key] if r["name"] == name][0]


def traffic(agent, name):
    return row(agent, name)["traffic"]


def metric(agent, what, service, **labels):
    """The sum over the samples of one service or upstream; None when there is none."""
    labels = {"name": service, **labels}
    found = [
        value
        for key, value in agent.metrics().items()
        if key.split("{")[0] == f"moonwatch_service_{what}"
        and all(f'{k}="{v}"' in key for k, v in labels.items())
    ]
    return sum(found) if found else None


def retransmits_of_the_host():
    names, values = (line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Tcp:"))
    return int(values[names.index("RetransSegs")])


def test_counts_are_those_of_the_traffic(followed, server, client):
    retransmits_before = retransmits_of_the_host()
    results = [client.get(server.port) for _ in range(CALLS)]
    assert {result["status"] for result in results} == {200}
    call_seconds = statistics.mean(result["ended_ns"] - result["began_ns"] for result in results) / 1e9
    for name in ("api", "web"):
        wait_for(lambda: traffic(followed, name)["connects_total"] == CALLS, what="the connects")
    request = len(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = len(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    for name, sent, received in (("api", request, answer), ("web", answer, request)):
        wait_for(lambda: traffic(followed, name)["connections_open"] == 0, what="closed connections")
        seen = traffic(followed, name)
        assert (seen["sent_bytes_total"], seen["received_bytes_total"]) == (sent * CALLS, received * CALLS)
        retransmits = seen["retransmits_total"]
        # None but on a machine so busy that an answer on loopback is late.
        assert retransmits <= retransmits_of_the_host() - retransmits_before
        assert seen["segments_sent_total"] == CALLS + retransmits
        assert seen["retransmit_percent"] == pytest.approx(100 * retransmits / (CALLS + retransmits), abs=0.1)
        # The connect, which is a round trip, is part of the call.
        assert 0 < seen["round_trip_seconds"] < call_seconds
        assert sum(seen["failed_total"].values()) == 0, name
        followed.next_tick()
        assert metric(followed, "connects_total", name) == CALLS
        assert metric(followed, "sent_bytes_total", name) == sent * CALLS
        assert metric(followed, "segments_sent_total", name) == CALLS + retransmits
        assert metric(followed, "retransmit_ratio", name) == pytest.approx(
            retransmits / (CALLS + retransmits), abs=0.001
        )
        assert metric(followed, "latency_max_seconds", name) > 0
    assert traffic(followed, "web")["connects_failed_total"] is None
    assert traffic(followed, "web")["connects_failed_total_reason"]
    assert row(followed, "api", "/health/performance", "metrics")["traffic"]["connects_total"] == CALLS


def test_failed_connects_by_reason(followed, server, client):
    port = server.port
    server.stop()
    for _ in range(3):
        client.get(port)
    wait_for(lambda: traffic(followed, "api")["connects_failed_total"]["refused"] == 3, what="refusals")
    assert sum(traffic(followed, "api")["connects_failed_total"].values()) == 3
    followed.next_tick()
    assert metric(followed, "failures_total", "api", reason="connect_refused") == 3
    assert metric(followed, "failures_total", "api") == 3
    # A service connects to nobody: it has no such samples, rather than zeroes.
    assert metric(followed, "failures_total", "web", reason="connect_refused") is None
    assert metric(followed, "failures_total", "web", reason="reset") == 0


def test_calls_in_flight_and_the_oldest(followed, server, client):
    server.behaviour = "hang"
    began = time.monotonic()
    client.start(server.port)
    wait_for(lambda: traffic(followed, "api")["in_flight"] == 1, what="the call in flight")
    seen = traffic(followed, "api")
    assert 0 < seen["oldest_in_flight_seconds"] <= time.monotonic() - began
    assert seen["connections_open"] == 1
    followed.next_tick()
    assert metric(followed, "calls_in_flight", "api") == 1
    assert metric(followed, "call_oldest_seconds", "api") > 0
    server.stop()
    wait_for(lambda: traffic(followed, "api")["in_flight"] == 0, what="its end")
    assert traffic(followed, "api")["oldest_in_flight_seconds"] is None
    followed.next_tick()
    assert metric(followed, "call_oldest_seconds", "api") is None


@pytest.mark.parametrize("path", ["/services", "/health/performance"])
def test_bodies_are_as_described(followed, server, client, path):
    client.get(server.port)
    wait_for(lambda: traffic(followed, "api")["connects_total"] == 1, what="the connect")
    document = openapi(followed)
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    body = followed.json(path)
    errors = list(validator(document, schema).iter_errors(body))
    assert not errors, [f"{e.json_path}: {e.message[:300]}" for e in errors[:5]]
    check_unknowns(body, path)
