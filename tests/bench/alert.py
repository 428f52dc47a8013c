"""How soon a webhook on loopback hears of a crash: the agent's own, and Prometheus' and
Alertmanager's as tight as they go, which read the agent's /metrics and tell the same receiver.

The time is from the signal to the last byte of the request. Processes crash under a name of their
own, so that each is an alert of its own. Ours is as it comes, with one webhook and nothing else, so
that of each agent only the first few go at once: it takes many.
"""

import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from pathlib import Path

import peers
from crash import crash
from receiver import Receiver

CRASHES = 200
CRASHES_AT_ONCE = 4  # of an agent: alert/pace.c
PEER_CRASHES = 7
TIGHT = "100ms"  # ten times what anybody runs; an event renders the page anew at once
DEADLINE_SECONDS = 60


class Posts(Receiver):
    """When each was complete: {path: [(monotonic ns, body)]}."""

    def __init__(self):
        self.posts, self.changed = {}, threading.Condition()
        super().__init__()

    def came(self, path, body):
        at = time.monotonic_ns()
        with self.changed:
            self.posts.setdefault(path, []).append((at, body.decode()))
            self.changed.notify_all()

    def take(self, path, wanted):
        """When the first request with that text in it came; forgets what came before."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        with self.changed:
            while True:
                for at, body in self.posts.get(path, []):
                    if wanted(body):
                        self.posts[path].clear()
                        return at
                if time.monotonic() > deadline:
                    sys.exit(f"nothing came to {path} within {DEADLINE_SECONDS} s")
                self.changed.wait(1)


PROMETHEUS = """global: {{scrape_interval: {tight}, evaluation_interval: {tight}}}
rule_files: [{rules}]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]}}]}}
scrape_configs: [{{job_name: moonwatch, static_configs: [{{targets: ["127.0.0.1:{agent}"]}}]}}]
"""
# Over for the next crash as soon as it was told: the counter stands still for two seconds.
RULE = {
    "groups": [
        {
            "name": "crash",
            "rules": [{"alert": "Crash", "expr": "sum(increase(moonwatch_crashes_total[2s])) > 0"}],
        }
    ]
}


def prometheus(directory, agent_port, receiver, processes):
    """Starts Alertmanager and Prometheus, and adds them to `processes`."""
    ours, theirs = peers.free_port(), peers.free_port()
    rules, config = directory / "rules.yml", directory / "prometheus.yml"
    rules.write_text(json.dumps(RULE))
    config.write_text(
        PROMETHEUS.format(tight=TIGHT, rules=rules, alertmanager=theirs, agent=agent_port)
    )
    (directory / "alertmanager.yml").write_text(
        json.dumps(
            {
                "route": {"receiver": "hook", "group_wait": "0s", "group_interval": TIGHT},
                "receivers": [
                    {"name": "hook", "webhook_configs": [{"url": receiver.url("/theirs"), "send_resolved": True}]}
                ],
            }
        )
    )
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes += [
        subprocess.Popen(
            ["prometheus-alertmanager", f"--config.file={directory}/alertmanager.yml",
             f"--storage.path={directory}/am", f"--web.listen-address=127.0.0.1:{theirs}",
             "--cluster.listen-address="], **quiet),
        subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory}/tsdb",
             f"--web.listen-address=127.0.0.1:{ours}", "--rules.alert.resend-delay=0s"], **quiet),
    ]
    wait_scraped(ours)


def wait_scraped(port):
    query = urllib.parse.quote("count_over_time(moonwatch_crashes_total[10s]) > 4")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?query={query}") as answer:
                if json.load(answer)["data"]["result"]:
                    return
        time.sleep(0.1)
    sys.exit("Prometheus has read nothing")


def measure_peer(receiver):
    times = []
    for i in range(PEER_CRASHES):
        at = crash(f"theirs{i}")
        times.append((receiver.take("/theirs", lambda body: '"status":"firing"' in body) - at) / 1e6)
        receiver.take("/theirs", lambda body: '"status":"resolved"' in body)
    return times


def measure_ours(receiver, manager):
    times = []
    while len(times) < CRASHES:
        with peers.agent(alert_manager=manager):
            for _ in range(CRASHES_AT_ONCE):
                name = f"ours{len(times)}x"
                at = crash(name)
                times.append((receiver.take("/ours", lambda body: name in body) - at) / 1e6)
    return sorted(times)


def main():
    receiver = Posts()
    directory = Path(tempfile.mkdtemp(prefix="moonwatch-bench-"))
    manager = {"channels": [{"name": "hook", "type": "webhook", "url": receiver.url("/ours")}]}
    others = []
    try:
        with peers.agent() as agent:
            prometheus(directory, agent.port, receiver, others)
            theirs = measure_peer(receiver)
        ours = measure_ours(receiver, manager)
    finally:
        for process in others:
            process.terminate()
            process.wait()
        shutil.rmtree(directory, ignore_errors=True)
    peer = statistics.median(theirs)
    for name, at, limit in (("p50", 0.50, None), ("p99", 0.99, 50)):
        value = ours[int(at * len(ours))]
        print(
            json.dumps(
                {
                    "name": f"crash to webhook, {name}",
                    "unit": "ms",
                    "ours": value,
                    "peer_name": "Prometheus + Alertmanager, p50",
                    "peer": peer,
                    "ratio": value / peer,
                    "required": f"<= {limit}" if limit else None,
                    "ok": value <= limit if limit else None,
                    "repetitions": len(ours),
                    "spread_percent": 100 * (ours[-1] - ours[0]) / value,
                }
            ),
            flush=True,
        )


main()
