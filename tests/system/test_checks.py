"""Results of active checks as they are served: a Redis and a PostgreSQL from Debian with connections
that the test holds, a certificate of known age, and a port where nobody listens."""

import glob
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import warnings

import pytest
from conftest import DEADLINE_SECONDS, wait_for, wait_until
from test_http import check_unknowns, openapi, validator
from traffic import answers, free_port

HELD = 3
LIMIT = 17
CERTIFICATE_DAYS = 30
DAY_SECONDS = 86400


@pytest.fixture
def redis(tmp_path):
    port = free_port()
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
        + ["--maxclients", str(LIMIT)],
        stdout=subprocess.DEVNULL,
    )
    wait_for(lambda: answers(port), what="redis")
    yield port
    server.terminate()
    server.wait(DEADLINE_SECONDS)


@pytest.fixture
def postgres():
    """(port, command of a client) of a server that trusts everybody."""
    binaries = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    directory = tempfile.mkdtemp(prefix="moonwatch-postgres-", dir="/tmp")
    shutil.chown(directory, "postgres")
    data, port = f"{directory}/data", free_port()
    as_postgres = {"user": "postgres", "cwd": "/", "stdout": subprocess.DEVNULL}
    subprocess.run(
        [f"{binaries}/initdb", "-D", data, "-U", "super", "-A", "trust", "-N", "--no-locale"],
        check=True,
        **as_postgres,
    )
    server = subprocess.Popen(
        [f"{binaries}/postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", directory]
        + ["-c", f"max_connections={LIMIT}", "-c", "fsync=off"],
        stderr=subprocess.DEVNULL,
        **as_postgres,
    )
    query = ["psql", "-qX", "-h", "127.0.0.1", "-p", str(port), "-U", "super", "-d", "postgres"]
    wait_for(
        lambda: subprocess.run([*query, "-c", "select 1"], capture_output=True).returncode == 0,
        what="postgres",
    )
    yield port, query
    # Fast: it does not wait for its clients.
    server.send_signal(signal.SIGINT)
    server.wait(DEADLINE_SECONDS)
    shutil.rmtree(directory)


@pytest.fixture
def web(tmp_path):
    """(port, certificate) of an HTTPS server that answers 200. A moment of the certificate's first day is
    gone, and of that day no more than the test takes."""
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        + ["-days", str(CERTIFICATE_DAYS), "-keyout", str(key), "-out", str(chain)],
        check=True,
        capture_output=True,
    )
    made = time.time()
    wait_for(lambda: time.time() > made + 1, what="the certificate's first second")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    context.set_ciphers("ALL:@SECLEVEL=0")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(peer, server_side=True) as tls:
                    tls.recv(65536)
                    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1], chain, context
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def check(kind, url, **more):
    return {"type": kind, "url": url, "interval": 1, "timeout": 1, **more}


def service(name, kind, port, asked):
    return {"name": name, "kind": kind, "match": {"port": port}, "check": asked}


def result(agent, name):
    return [c for c in agent.json("/services")["checks"] if c["name"] == name][0]


def settled(agent, name, status, accept=lambda shown: True):
    """The result with this status: on a busy machine a check may fail between two that do not."""
    return wait_until(
        lambda: result(agent, name), lambda shown: shown["status"] == status and accept(shown), f"{name} {status}"
    )


def metric(agent, name, label, **labels):
    labels = {"name": label, **labels}
    return [
        v
        for key, v in agent.metrics().items()
        if key.split("{")[0] == f"moonwatch_{name}" and all(f'{k}="{x}"' in key for k, x in labels.items())
    ]


def wait_metric(agent, values, name, label, **labels):
    wait_until(lambda: metric(agent, name, label, **labels), lambda found: found == values, f"{name} {values}")


def test_redis_connections(make_agent, redis):
    held = [socket.create_connection(("127.0.0.1", redis)) for _ in range(HELD)]
    for connection in held:
        # It counts a client once it has accepted it, which an answer shows.
        connection.sendall(b"PING\r\n")
        assert connection.recv(16)
    url = f"redis://127.0.0.1:{redis}"
    agent = make_agent(config={"services": [service("store", "cache", redis, check("redis", url))]}).start()
    # The check's own connection is one of them.
    connections = settled(agent, "store", "ok", lambda c: c["connections"]["open"] == HELD + 1)["connections"]
    assert connections["limit"] == LIMIT and connections["blocked"] == 0
    assert connections["used_percent"] == round(100 * (HELD + 1) / LIMIT, 1)
    assert connections["active"] is None and connections["active_reason"]
    wait_metric(agent, [HELD + 1], "database_connections_open", "store")
    wait_metric(agent, [LIMIT], "database_connections_limit", "store")
    wait_metric(agent, [1], "endpoint_up", "store")
    assert metric(agent, "database_connections", "store", state="active") == []
    held[0].sendall(b"BLPOP nothing 0\r\n")
    settled(agent, "store", "ok", lambda c: c["connections"]["blocked"] == 1)
    for connection in held:
        connection.close()


def test_postgres_connections_by_state(make_agent, postgres):
    port, query = postgres
    holders = [subprocess.Popen(query, stdin=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        holders[0].stdin.write("begin; select 1;\n")
        holders[1].stdin.write("select 1;\n")
        for holder in holders:
            holder.stdin.flush()
        url = f"postgres://super@127.0.0.1:{port}/postgres"
        config = {"services": [service("db", "database", port, check("postgres", url))]}
        agent = make_agent(config=config).start()
        states = ("idle", "idle_in_transaction")
        shown = settled(
            agent, "db", "ok",
            lambda c: all(c["connections"][state] == 1 for state in states) and 2 <= c["connections"]["open"] <= 3,
        )
        assert shown["connections"]["limit"] == LIMIT
        for state in states:
            wait_metric(agent, [1], "database_connections", "db", state=state)
        wait_until(
            lambda: [c["connections"] for c in agent.json("/health/performance")["checks"] if c["name"] == "db"],
            lambda shown: [c and c["limit"] for c in shown] == [LIMIT],
            "its limit among the performance",
        )
    finally:
        for holder in holders:
            holder.stdin.close()
            holder.wait(DEADLINE_SECONDS)


def test_old_tls_is_not_spoken(make_agent, web):
    port, chain, context = web
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    asked = check("http", f"https://127.0.0.1:{port}/", ca_file=str(chain))
    agent = make_agent(config={"services": [service("api", "http", port, asked)]}).start()
    settled(agent, "api", "failed")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    settled(agent, "api", "ok")


def test_certificate_days_are_shown(make_agent, web):
    port, chain, _ = web
    url = f"https://127.0.0.1:{port}/"
    upstream = {
        "name": "api",
        "kind": "http",
        "address": f"127.0.0.1:{port}",
        "check": check("http", url, ca_file=str(chain)),
    }
    agent = make_agent(config={"upstreams": [upstream]}).start()
    shown = settled(agent, "api", "ok")
    assert (shown["role"], shown["type"], shown["http_status"]) == ("upstream", "http", 200)
    assert shown["certificate_days_left"] == CERTIFICATE_DAYS - 1
    assert shown["latency_seconds"] > 0 and shown["failure"] is None
    assert shown["connections"] is None and "database" in shown["connections_reason"]
    wait_metric(agent, [(CERTIFICATE_DAYS - 1) * DAY_SECONDS], "endpoint_certificate_seconds", "api")


@pytest.mark.parametrize("path", ["/services", "/health/performance"])
def test_a_failing_check_is_said(make_agent, path):
    port = free_port()
    url = f"tcp://127.0.0.1:{port}"
    agent = make_agent(config={"services": [service("gone", "worker", port, check("tcp", url))]}).start()
    shown = settled(agent, "gone", "failed")
    assert shown["failure"] and shown["latency_seconds"] is None
    assert shown["certificate_days_left"] is None
    wait_for(
        lambda: any("gone" in r for r in agent.json("/health/performance")["reasons"]), what="the reason"
    )
    assert agent.json("/health/performance")["status"] == "degraded"
    wait_metric(agent, [0], "endpoint_up", "gone")
    wait_for(lambda: metric(agent, "endpoint_checks_failed_total", "gone")[0] >= 2, what="a second failure")
    assert metric(agent, "endpoint_certificate_seconds", "gone") == []
    document = openapi(agent)
    schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    body = agent.json(path)
    errors = list(validator(document, schema).iter_errors(body))
    assert not errors, [f"{e.json_path}: {e.message[:300]}" for e in errors[:5]]
    check_unknowns(body, path)
