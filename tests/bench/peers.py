"""The agent and prometheus-node-exporter side by side, for the benchmarks that compare them."""

import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

BINARY = os.environ.get("MOONWATCH_BINARY") or os.environ["MOONWATCH_BUILD"] + "/moonwatch"
NODE_EXPORTER = "/usr/bin/prometheus-node-exporter"
START_SECONDS = 30


class Peer:
    """A started program and where it serves /metrics."""

    def __init__(self, name, process, port):
        self.name, self.process, self.port = name, process, port
        self.runtime_directory = None  # the agent's

    @property
    def pid(self):
        return self.process.pid

    def connect(self):
        peer = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return peer

    def reset_breakers(self):
        token = (self.runtime_directory / "admin.token").read_text().strip()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/admin/circuit-breaker/reset",
            method="POST",
            headers={"Authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(request, timeout=10):
            pass


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


REQUEST = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/plain\r\n\r\n"


def scrape(connection):
    """One scrape on a kept connection; returns status and bytes of the body."""
    connection.sendall(REQUEST)
    answer = bytearray()
    while (end := answer.find(b"\r\n\r\n")) < 0:
        answer += receive(connection)
    head = bytes(answer[:end]).lower()
    del answer[: end + 4]
    status = int(head.split(b" ", 2)[1])
    if b"transfer-encoding: chunked" in head:
        while not answer.endswith(b"0\r\n\r\n"):
            answer += receive(connection)
    else:
        length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(answer) < length:
            answer += receive(connection)
    return status, len(answer)


def receive(connection):
    part = connection.recv(1 << 18)
    if not part:
        raise ConnectionError("hung up in the middle of an answer")
    return part


def wait_serving(peer):
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError), peer.connect() as connection:
            if scrape(connection)[0] == 200:
                return peer
        if peer.process.poll() is not None:
            sys.exit(f"{peer.name} ended with {peer.process.returncode}")
        if time.monotonic() > deadline:
            sys.exit(f"{peer.name} does not serve /metrics after {START_SECONDS} s")
        time.sleep(0.05)


@contextlib.contextmanager
def started(name, arguments, port, **kwargs):
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, **kwargs)
    try:
        yield wait_serving(Peer(name, process, port))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def agent(prepare=None, **sections):
    """A running agent; sections of the configuration other than `server` may be given. `prepare` is
    called with its state directory before."""
    port = free_port()
    pins = tempfile.mkdtemp(prefix="moonwatch-bench-", dir="/sys/fs/bpf")
    directory = Path(tempfile.mkdtemp(prefix="moonwatch-bench-"))
    config = directory / "monitoring.json"
    if prepare:
        prepare(directory / "state")
    server = {"listen": f"127.0.0.1:{port}", "bpffs_directory": pins}
    config.write_text(json.dumps({**sections, "server": server}))
    environment = {
        **os.environ,
        "RUNTIME_DIRECTORY": str(directory / "run"),
        "STATE_DIRECTORY": str(directory / "state"),
    }
    try:
        with open(directory / "log", "wb") as log:
            command = [BINARY, "run", "--config", str(config)]
            with started("moonwatch", command, port, env=environment, stderr=log) as peer:
                peer.runtime_directory = directory / "run"
                yield peer
    except BaseException:
        sys.stderr.write((directory / "log").read_text()[-4000:])
        raise
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        if os.path.isdir(pins):
            for pin in os.listdir(pins):
                os.unlink(os.path.join(pins, pin))
            os.rmdir(pins)


@contextlib.contextmanager
def node_exporter():
    port = free_port()
    command = [NODE_EXPORTER, f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
    # It complains of every collector that this host has nothing for, at every scrape.
    with started("node_exporter", command, port, stderr=subprocess.DEVNULL) as peer:
        yield peer


def cpu_seconds(pid):
    """Of all its threads, from schedstat, which counts nanoseconds; /proc/PID/stat counts ticks of 10 ms."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def report(name, unit, ours, peer_name, peers, limit):
    """One figure: medians of the repetitions, `limit` is the most that is allowed (None: no limit)."""
    mine, theirs = statistics.median(ours), statistics.median(peers)
    line = {
        "name": name,
        "unit": unit,
        "ours": mine,
        "peer_name": peer_name,
        "peer": theirs,
        "ratio": mine / theirs if theirs else None,
        "required": f"<= {limit:g}" if limit is not None else None,
        "ok": mine <= limit if limit is not None else None,
        "repetitions": len(ours),
        "spread_percent": 100 * (max(ours) - min(ours)) / mine if mine else None,
    }
    print(json.dumps(line), flush=True)
