"""From a process that crashes to a webhook that hears of it: the agent alone, and beside it Prometheus, which
scrapes this agent and evaluates ten times a second, with Alertmanager, which waits for nothing. Both are told of
the same crashes by the same receiver; the agent alone is told of more, for its 99th percentile.
"""

import contextlib
import ctypes
import http.server
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import peers

ROUNDS = 4
PAIRED = 6
ALONE = 100
PACE_SECONDS = 0.03
INTERVAL = "100ms"
WAIT_SECONDS = 30
PROMETHEUS = shutil.which("prometheus")
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
PR_SET_NAME = 15

libc = ctypes.CDLL(None)


class Receiver:
    """A webhook at /ours and /theirs; when each path heard of what."""

    def __init__(self):
        self.heard = []
        self.changed = threading.Condition()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                now = time.monotonic()
                with outer.changed:
                    outer.heard.append((now, self.path, json.loads(body)))
                    outer.changed.notify_all()
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, path, status, since, comm=None):
        """When the path first heard, after `since`, of an alert of this status (and process)."""
        deadline = time.monotonic() + WAIT_SECONDS
        with self.changed:
            while True:
                for now, where, body in self.heard:
                    if where == path and now >= since:
                        for alert in body["alerts"]:
                            if alert["status"] == status and comm in (None, alert["labels"].get("comm")):
                                return now
                if not self.changed.wait(deadline - time.monotonic()):
                    sys.exit(f"{path} heard of no {status} alert within {WAIT_SECONDS} s")


def victim(name):
    """A process of this name that waits for its end."""
    ready, told = os.pipe()
    pid = os.fork()
    if pid == 0:
        libc.prctl(PR_SET_NAME, name.encode(), 0, 0, 0)
        os.write(told, b".")
        while True:
            signal.pause()
    os.read(ready, 1)
    os.close(ready)
    os.close(told)
    return pid


def crash(name):
    """The time just before the process of this name was ended by SIGSEGV."""
    pid = victim(name)
    now = time.monotonic()
    os.kill(pid, signal.SIGSEGV)
    os.waitpid(pid, 0)
    return now


@contextlib.contextmanager
def started(arguments, log):
    process = subprocess.Popen(arguments, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def prometheus_and_alertmanager(agent, receiver):
    directory = Path(tempfile.mkdtemp(prefix="moonwatch-bench-"))
    prometheus_port, alertmanager_port = peers.free_port(), peers.free_port()
    (directory / "rules.yml").write_text(json.dumps({"groups": [{"name": "crash", "rules": [
        {"alert": "Crash", "expr": "changes(moonwatch_crashes_total[1s]) > 0"}]}]}))
    (directory / "prometheus.yml").write_text(json.dumps({
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager_port}"]}]}]},
        "scrape_configs": [{"job_name": "moonwatch", "static_configs": [{"targets": [f"127.0.0.1:{agent.port}"]}]}],
    }))
    (directory / "alertmanager.yml").write_text(json.dumps({
        "route": {"receiver": "hook", "group_wait": "0s", "group_interval": "10ms", "group_by": ["alertname"]},
        "receivers": [{"name": "hook", "webhook_configs": [{"url": receiver.url + "/theirs"}]}],
    }))
    try:
        with open(directory / "log", "wb") as log, started([
            ALERTMANAGER, f"--config.file={directory}/alertmanager.yml", f"--storage.path={directory}/am",
            f"--web.listen-address=127.0.0.1:{alertmanager_port}", "--cluster.listen-address=",
        ], log), started([
            PROMETHEUS, f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/tsdb",
            f"--web.listen-address=127.0.0.1:{prometheus_port}",
        ], log):
            yield
    except BaseException:
        sys.stderr.write((directory / "log").read_text()[-4000:])
        raise
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def percentile(times, share):
    times = sorted(times)
    return times[min(len(times) - 1, int(share * len(times)))]


def measure_round(receiver, number):
    """Milliseconds: of ours for all crashes, of ours and theirs for those that both are told of."""
    everything, paired, theirs = [], [], []
    for i in range(PAIRED):
        name = f"mwb{number}p{i}"
        # Not in step with anybody's timer.
        time.sleep(random.random())
        at = crash(name)
        paired.append(1000 * (receiver.wait("/ours", "firing", at, name) - at))
        heard = receiver.wait("/theirs", "firing", at)
        theirs.append(1000 * (heard - at))
        receiver.wait("/theirs", "resolved", heard)
    for i in range(ALONE):
        name = f"mwb{number}a{i}"
        time.sleep(PACE_SECONDS * (0.5 + random.random()))
        at = crash(name)
        everything.append(1000 * (receiver.wait("/ours", "firing", at, name) - at))
    time.sleep(3)  # theirs has to be over for the next round: the rule looks back one second
    return everything + paired, paired, theirs


def main():
    if not PROMETHEUS or not ALERTMANAGER:
        sys.exit("needs prometheus and prometheus-alertmanager")
    receiver = Receiver()
    alerts = {
        "channels": [{"name": "hook", "type": "webhook", "url": receiver.url + "/ours"}],
        "routes": [{"channels": ["hook"], "group_by": ["comm"], "group_wait": 0, "group_interval": 1}],
        "rules": [
            {"name": "ProcessCrash", "kind": "event", "event": "crash", "severity": "critical",
             "matchers": ["comm=~\"mwb.*\""], "keep_firing_for": 1},
            {"name": "CrashLoop", "kind": "event", "event": "crash", "enabled": False},
        ],
    }
    p50, p99, their_p50, their_worst = [], [], [], []
    with peers.agent(alert_manager=alerts) as ours, prometheus_and_alertmanager(ours, receiver):
        # One through both, so that everybody is there.
        at = crash("mwbfirst")
        receiver.wait("/ours", "firing", at, "mwbfirst")
        while not any(path == "/theirs" for _, path, _ in receiver.heard):
            if time.monotonic() - at > WAIT_SECONDS:
                sys.exit("Prometheus and Alertmanager told nobody")
            crash("mwbfirst")
            time.sleep(1.5)
        time.sleep(3)  # over by then: the rule looks back one second
        for number in range(ROUNDS):
            everything, paired, theirs = measure_round(receiver, number)
            p50.append(percentile(paired, 0.5))
            p99.append(percentile(everything, 0.99))
            their_p50.append(percentile(theirs, 0.5))
            their_worst.append(max(theirs))
    receiver.server.shutdown()
    peers.report("crash to webhook, median", "ms", p50, "Prometheus + Alertmanager", their_p50, None)
    peers.report(
        f"crash to webhook, p99 of {ALONE + PAIRED} (peer: worst of {PAIRED})", "ms", p99,
        "Prometheus + Alertmanager", their_worst, 50,
    )


main()
