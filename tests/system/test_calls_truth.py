"""Calls against what real clients and real servers report of the same run: wrk and nginx,
redis-benchmark and Redis, pgbench and PostgreSQL. A server's own time of a call lies within what its
socket sees, and that within what the client reports, which also waits for a CPU before it reads. The
servers answer after some milliseconds, so the two are close on a machine with nothing else to do, and on
a busy one the order of the three still holds."""

import csv
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import DEADLINE_SECONDS, unhindered, wait_for
from traffic import answers, free_port

pytestmark = pytest.mark.alone

NEAR = 0.1
SECONDS = 5


@pytest.fixture
def scratch():
    """Other users can enter it."""
    directory = Path(tempfile.mkdtemp(prefix="moonwatch-", dir="/var/tmp"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def serve():
    """serve(command, port): started and listening."""
    processes = []

    def start(command, port, **kwargs):
        processes.append(subprocess.Popen([*unhindered(), *command], stdout=subprocess.DEVNULL, **kwargs))
        wait_for(lambda: answers(port), f"{command[0]} to listen")

    yield start
    for process in processes:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


@pytest.fixture
def watched(make_agent):
    """watched(kind, port): an agent that follows both ends of the calls to the port."""

    def start(kind, port):
        return make_agent(
            config={
                "overhead": {"budget_percent": 0},
                "upstreams": [
                    {"name": "there", "kind": kind, "address": f"127.0.0.1:{port}",
                     **({"read_status": True} if kind == "http" else {})}
                ],
                "services": [{"name": "here", "kind": kind, "match": {"port": port}}],
            }
        ).start()

    return start


def rows(agent):
    agent.next_tick()
    return {row["name"]: row for row in agent.json("/health/performance")["metrics"]}


def quantiles(times):
    """p50 and p95."""
    ranked = sorted(times)
    return [ranked[int(share * len(ranked))] for share in (0.5, 0.95)]


def assert_between(row, servers, clients, unit=0):
    """Each quantile between the server's own, shown in steps of unit seconds, and the client's."""
    for name, server, client in zip(("p50", "p95"), servers, clients):
        seconds = row[f"{name}_seconds"]
        assert (1 - NEAR) * server - unit <= seconds <= (1 + NEAR) * client, f"{row['name']} {name}"


BACKEND = """
import http.server, random, sys, time

class Backend(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one segment an answer, which waits for no acknowledgement

    def do_GET(self):
        time.sleep(random.uniform(0.005, 0.04))  # on purpose: what an answer takes
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass

http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Backend).serve_forever()
"""


@pytest.fixture
def backend(serve):
    """A process of its own, so that nobody holds it up: what wrk reports of a distribution that others
    stretch is corrected for the requests that it did not make meanwhile."""
    port = free_port()
    serve([sys.executable, "-c", BACKEND, str(port)], port, stderr=subprocess.DEVNULL)
    return port


# Every fifth request is for a page that nginx answers with 503.
WRK = """
local n = 0
request = function()
  n = n + 1
  return wrk.format("GET", n % 5 == 0 and "/away" or "/")
end
done = function(summary, latency)
  io.write(string.format("sum %d %d %f %f\\n", summary.requests, summary.errors.status,
                         latency:percentile(50) / 1e6, latency:percentile(95) / 1e6))
end
"""


def test_nginx_and_wrk(watched, serve, backend, scratch):
    port = free_port()
    log = scratch / "access"
    (scratch / "wrk.lua").write_text(WRK)
    (scratch / "nginx.conf").write_text(
        f"""daemon off; master_process off; pid {scratch}/pid; error_log {scratch}/error;
events {{ worker_connections 256; }}
http {{
  log_format call "$status $request_time"; access_log {log} call;
  {" ".join(f"{kind}_temp_path {scratch}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))}
  upstream slow {{ server 127.0.0.1:{backend}; keepalive 16; }}
  server {{ listen 127.0.0.1:{port};
    location / {{ proxy_pass http://slow; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    location /away {{ return 503; }} }} }}
"""
    )
    serve(["nginx", "-c", str(scratch / "nginx.conf")], port, stderr=subprocess.DEVNULL)
    agent = watched("http", port)
    wrk = subprocess.run(
        [*unhindered(), "wrk", "-t1", "-c4", f"-d{SECONDS}", "-s", str(scratch / "wrk.lua"), f"http://127.0.0.1:{port}/"],
        capture_output=True, text=True, check=True, timeout=DEADLINE_SECONDS,
    )
    requests, errors, *clients = re.search(r"sum (\d+) (\d+) (\S+) (\S+)", wrk.stdout).groups()
    found = rows(agent)
    statuses, times = zip(*(line.split() for line in log.read_text().splitlines()))
    # wrk leaves its last requests alone; nginx may have answered them by then.
    assert len(statuses) - 4 <= int(requests) <= len(statuses)
    for row in found.values():
        assert int(requests) <= row["calls"] <= len(statuses) + 4
    assert 0 <= statuses.count("503") - found["there"]["failed"] <= 4
    assert 0 <= statuses.count("503") - int(errors) <= 4 < int(errors)
    assert found["there"]["calls_per_second"] * found["there"]["window_seconds"] == pytest.approx(
        int(requests), rel=NEAR
    )
    for row in found.values():
        assert_between(row, quantiles(map(float, times)), map(float, clients), 0.001)


def test_redis_and_redis_benchmark(watched, serve, scratch):
    port, count = free_port(), 1500
    serve(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(scratch),
         "--slowlog-log-slower-than", "0", "--slowlog-max-len", str(2 * count)],
        port,
    )
    busy = "for i = 1, 40000 + 1000 * (tonumber(ARGV[1]) % 200) do end return 1"
    agent = watched("cache", port)
    run = subprocess.run(
        [*unhindered(), "redis-benchmark", "-p", str(port), "-c", "1", "-n", str(count), "-r", "100000", "--csv",
         "eval", busy, "0", "__rand_int__"],
        capture_output=True, text=True, check=True, timeout=DEADLINE_SECONDS,
    )
    truth = list(csv.DictReader(run.stdout.splitlines()))[-1]
    clients = [float(truth[f"{name}_latency_ms"]) / 1e3 for name in ("p50", "p95")]
    found = rows(agent)
    slow = subprocess.run(
        ["redis-cli", "-p", str(port), "slowlog", "get", str(2 * count)],
        capture_output=True, text=True, check=True, timeout=DEADLINE_SECONDS,
    ).stdout.splitlines()
    # The microseconds of each stand before its words.
    times = [int(before) / 1e6 for before, line in zip(slow, slow[1:]) if line == "eval"]
    assert len(times) == count
    for row in found.values():
        # It asks for two settings beforehand.
        assert count <= row["calls"] <= count + 10
        assert row["failed"] == 0
        assert_between(row, quantiles(times), clients)


def postgres_tool(name):
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def test_postgresql_and_pgbench(watched, serve, scratch):
    port = free_port()
    data, log = scratch / "data", (scratch / "said").open("w+")
    as_postgres = ["runuser", "-u", "postgres", "--"]
    shutil.chown(scratch, "postgres")
    subprocess.run(
        [*as_postgres, postgres_tool("initdb"), "-D", str(data), "-A", "trust", "--no-sync"],
        check=True, capture_output=True,
    )
    serve(
        [*as_postgres, postgres_tool("postgres"), "-D", str(data), "-p", str(port),
         "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={scratch}",
         "-c", "log_min_duration_statement=0"],
        port, stderr=log,
    )
    agent = watched("database", port)
    (scratch / "script").write_text("\\set ms random(4, 40)\nSELECT pg_sleep(:ms / 1000.0);\n")
    clients = 4
    subprocess.run(
        [*unhindered(), *as_postgres, postgres_tool("pgbench"), "-h", "127.0.0.1", "-p", str(port), "-n", "-c", str(clients),
         "-T", str(SECONDS), "-f", str(scratch / "script"), "-l", "--log-prefix", str(scratch / "log"), "postgres"],
        check=True, capture_output=True, timeout=DEADLINE_SECONDS, cwd=scratch,
    )
    times = [
        int(line.split()[2]) / 1e6
        for file in scratch.glob("log.*")
        for line in file.read_text().splitlines()
    ]
    found = rows(agent)
    said = (scratch / "said").read_text()
    servers = [float(ms) / 1e3 for ms in re.findall(r"duration: (\S+) ms  statement: SELECT pg_sleep", said)]
    assert len(servers) == len(times)
    for row in found.values():
        # Signing in takes a few calls a connection.
        assert len(times) <= row["calls"] <= len(times) + 12 * (clients + 1)
        # A goodbye whose sender is held up before it closes is closed without an answer.
        assert row["failed"] <= clients
        assert_between(row, quantiles(servers), quantiles(times))
